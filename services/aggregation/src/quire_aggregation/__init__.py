"""Fans in, normalises, validates and scores results."""
