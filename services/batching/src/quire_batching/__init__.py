"""Gathers tasks into batches."""
