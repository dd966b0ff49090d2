"""Runs a batch at a quantum provider."""
