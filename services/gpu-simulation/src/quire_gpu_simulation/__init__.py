"""Runs whole parameter sweeps of one structure on a simulator."""
