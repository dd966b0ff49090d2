"""The HTTP door; keeps nothing."""
