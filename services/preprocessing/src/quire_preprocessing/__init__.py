"""Validates, normalises and encodes jobs, and runs the classical baseline."""
