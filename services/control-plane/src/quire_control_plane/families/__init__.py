"""A job that is done by its children, and what being a child means."""
