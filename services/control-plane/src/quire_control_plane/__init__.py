"""Owns the job record and decides: routing, loops, deadlines."""
