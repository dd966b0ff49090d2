"""Follows the log into SQL and answers queries."""
