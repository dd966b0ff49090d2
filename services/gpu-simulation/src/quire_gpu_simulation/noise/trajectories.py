"""Samples under noise: quantum trajectories, those that have met the same errors so far going on as one.

Each shot is one trajectory of the Monte Carlo wave function method (Molmer, Castin and Dalibard, J. Opt. Soc. Am. B 10,
524, 1993). Shots stay together as a state and a tally until an error parts them, so few errors mean few states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from quire_gpu_simulation.noise.channels import apply, matrices_of, pauli, with_readout
from quire_plane.sampling import draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_gpu_simulation.noise.channels import NoisyCircuit

    Matrices = NDArray[np.complex128]
    Branches = tuple[Matrices, NDArray[np.int64]]

AMPLITUDES: Final = 1 << 21
"""Amplitudes side by side at most; a fixed number, because the order of the draws depends on it."""

BYTES: Final = 6 * 16 * AMPLITUDES
"""What they take with everything that is made of them on the way."""


def sample(
    circuit: NoisyCircuit, parameters: NDArray[np.float64], shots: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Basis states as they are read, and how often each, of `shots` independent runs from the ground state.

    parameters: one parameter set, float64 [parameters]; generator: the row's own stream.
    """
    qubits, steps, readout = circuit
    at_once = max(1, AMPLITUDES >> qubits)
    prepared = [(gate, errors, matrices_of(gate, parameters[None])) for gate, errors in steps]
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for first in range(0, shots, at_once):
        states = np.zeros((1, 1 << qubits), np.complex128)
        states[0, 0] = 1
        branches: Branches = (states, np.array([min(at_once, shots - first)]))
        for gate, errors, matrices in prepared:
            branches = (apply(branches[0], matrices, gate.qubits), branches[1])
            if errors.depolarizing:
                branches = _depolarized(branches, gate.qubits, errors.depolarizing, generator)
            for qubit in gate.qubits:
                if errors.amplitude_damping:
                    branches = _damped(branches, qubit, errors.amplitude_damping, generator)
                if errors.phase_damping:
                    branches = _dephased(branches, qubit, errors.phase_damping, generator)
        read = with_readout(np.abs(branches[0]) ** 2, readout)
        found += [draw(each, int(tally), generator) for each, tally in zip(read, branches[1], strict=True)]
    outcomes, place = np.unique(np.concatenate([states for states, _ in found]), return_inverse=True)
    tallies = np.bincount(place, np.concatenate([each for _, each in found]), len(outcomes))
    return outcomes, tallies.astype(np.int64)


def _depolarized(
    branches: Branches, qubits: tuple[int, ...], probability: float, generator: np.random.Generator
) -> Branches:
    """With the probability one of the 4**k Pauli matrices, the identity among them, each as likely."""
    states, tallies = branches
    kinds = 4 ** len(qubits)
    struck = generator.binomial(tallies, probability)
    by_kind = generator.multinomial(struck, np.full(kinds, 1 / kinds))
    left = tallies - struck + by_kind[:, 0]
    parts = [(states, left)]
    for kind in range(1, kinds):
        hit = np.flatnonzero(by_kind[:, kind])
        if len(hit):
            parts.append((apply(states[hit], pauli(kind, len(qubits))[None], qubits), by_kind[hit, kind]))
    return _together(parts)


def _dephased(branches: Branches, qubit: int, share: float, generator: np.random.Generator) -> Branches:
    """Phase damping is a z gate with the probability (1 - sqrt(1 - share)) / 2."""
    states, tallies = branches
    struck = generator.binomial(tallies, (1 - np.sqrt(1 - share)) / 2)
    hit = np.flatnonzero(struck)
    if not len(hit):
        return branches
    return _together([(states, tallies - struck), (apply(states[hit], pauli(3, 1)[None], (qubit,)), struck[hit])])


def _damped(branches: Branches, qubit: int, gamma: float, generator: np.random.Generator) -> Branches:
    """A qubit in 1 falls with probability gamma; that it has not fallen makes it likelier to be in 0."""
    states, tallies = branches
    pairs = states.reshape(len(states), -1, 2, 1 << qubit)
    excited = (np.abs(pairs[:, :, 1]) ** 2).sum(axis=(1, 2))
    fallen = generator.binomial(tallies, np.minimum(1.0, gamma * excited))
    hit = np.flatnonzero(fallen)
    after = np.zeros((len(hit), *pairs.shape[1:]), np.complex128)
    after[:, :, 0] = pairs[hit, :, 1] / np.sqrt(excited[hit])[:, None, None]
    stayed = pairs.copy()
    stayed[:, :, 1] *= np.sqrt(1 - gamma)
    norms = np.sqrt(np.maximum(1 - gamma * excited, np.finfo(float).tiny))
    stayed /= norms[:, None, None, None]
    shape = (-1, states.shape[1])
    return _together([(stayed.reshape(shape), tallies - fallen), (after.reshape(shape), fallen[hit])])


def _together(parts: list[Branches]) -> Branches:
    """The branches that still have a shot."""
    states = np.concatenate([each[tallies > 0] for each, tallies in parts])
    return states, np.concatenate([tallies[tallies > 0] for _, tallies in parts])
