"""Simulation under noise: models as data, a batched density matrix for few qubits and quantum trajectories for more."""
