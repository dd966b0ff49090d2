"""Minimisations: a Hamiltonian and an ansatz as a loop, and the classical reference beside it."""
