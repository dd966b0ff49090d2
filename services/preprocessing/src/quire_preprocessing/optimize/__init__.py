"""Optimisations: a problem over binary variables as an Ising energy, and QAOA as the loop that lowers it."""
