"""The product state of least energy: mean-field theory, the classical answer that entanglement has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_preprocessing.draws import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_contracts.value import Observable

_STARTS: Final = 32
_PASSES: Final = 200
_WORK: Final = 2e9
"""Multiplications, all starts together: seconds."""

_SETTLED: Final = 1e-10
_LETTERS: Final = {letter: place for place, letter in enumerate("IXYZ")}


@dataclass(frozen=True, slots=True)
class Product:
    """The least energy found, from how many starts, how many of which ended there, and how the work was set."""

    energy: float
    runs: int
    hits: int
    tuning: str


def least_product(observable: Observable) -> Product:
    """The least energy of a product state that coordinate descent finds from several starts; deterministic.

    The energy of a product of Bloch vectors r_q is linear in each of them: with the others held it is least where r_q
    points against the vector of its coefficients. One pass does that for every qubit, and passes go on until nothing is
    gained; half of the starts are basis states, half random directions.
    """
    letters = np.array([[_LETTERS[letter] for letter in reversed(label)] for label in observable.labels])
    weights = np.array(observable.coefficients)
    terms, qubits = letters.shape
    starts = int(min(_STARTS, max(2, _WORK // (_PASSES * terms * qubits**2))))
    energies = np.array([_descended(letters, weights, _start(run, qubits)) for run in range(starts)])
    least = float(energies.min())
    hits = int((energies <= least + 1e-6 * np.abs(weights).sum()).sum())
    return Product(least, starts, hits, f"coordinate descent from {starts} starts, at most {_PASSES} passes each")


def _start(run: int, qubits: int) -> NDArray[np.float64]:
    """Bloch vectors [qubits, 4], the first entry 1: of a basis state for even runs, of any directions for odd ones."""
    draws = uniform(run, "product-state", qubits, 2)
    height = 2.0 * draws[:, 0] - 1.0
    if run % 2 == 0:
        height = np.where(height < 0.0, -1.0, 1.0)
    around, width = 2 * np.pi * draws[:, 1], np.sqrt(1 - height**2)
    return np.stack([np.ones(qubits), width * np.cos(around), width * np.sin(around), height], axis=1)


def _descended(letters: NDArray[np.intp], weights: NDArray[np.float64], vectors: NDArray[np.float64]) -> float:
    qubits = np.arange(letters.shape[1])
    factors = vectors[qubits, letters]
    energy = float(weights @ factors.prod(axis=1))
    for _ in range(_PASSES):
        for qubit in qubits:
            factors[:, qubit] = 1.0
            parts = np.bincount(letters[:, qubit], weights * factors.prod(axis=1), minlength=4)
            length = float(np.linalg.norm(parts[1:]))
            if length > 0.0:
                vectors[qubit, 1:] = -parts[1:] / length
            factors[:, qubit] = vectors[qubit, letters[:, qubit]]
        before, energy = energy, float(weights @ factors.prod(axis=1))
        if before - energy <= _SETTLED * max(1.0, abs(energy)):
            break
    return energy
