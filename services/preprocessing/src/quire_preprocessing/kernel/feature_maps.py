"""Qiskit's feature maps as structures, built gate by gate: nothing is transpiled, and every angle is a parameter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from quire_contracts.kernel import Entanglement, PauliMap, ZMap, ZZMap
from quire_quantum.structure import Angle, Operation, Structure

Array = NDArray[np.float64]
Group = tuple[int, ...]

_INTO_Z = {"X": "h", "Y": "sx"}
_OUT_OF_Z = {"X": "h", "Y": "sxdg"}
"""Turns of a letter's axis: sx is the rx(pi/2) of Qiskit's map up to a phase, which its inverse takes away again."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """A feature map over qubit i for feature i: parameter k of the structure is the angle of `groups[k]`."""

    structure: Structure
    groups: tuple[Group, ...]

    def angles(self, features: Array) -> Array:
        """The structure's parameters for features, float64 [points, qubits] to [points, groups].

        A lone qubit's is its feature x_i, a larger group's the product of its (pi - x_i), in the group's order.
        """
        found = np.empty((len(features), len(self.groups)))
        with np.errstate(over="ignore", invalid="ignore"):
            for column, group in enumerate(self.groups):
                found[:, column] = features[:, group[0]] if len(group) == 1 else math.pi - features[:, group[0]]
                for qubit in group[1:]:
                    found[:, column] *= math.pi - features[:, qubit]
        return found


def encoding(asked: ZMap | ZZMap | PauliMap, qubits: int) -> Encoding:
    """The feature map of `qiskit.circuit.library.pauli_feature_map` (Havlicek et al., Nature 567, 209, 2019).

    Equal maps give equal structures. A map with strings longer than there are qubits has nothing for these; a `zz` of
    one feature is a `z`.
    """
    paulis = asked.paulis if isinstance(asked, PauliMap) else ("Z",) if isinstance(asked, ZMap) else ("Z", "ZZ")
    entanglement: Entanglement = "full" if isinstance(asked, ZMap) else asked.entanglement
    numbers: dict[Group, int] = {}
    operations: list[Operation] = []
    for _ in range(asked.repetitions):
        operations += [Operation("h", (qubit,)) for qubit in range(qubits)]
        for string in paulis:
            for group in entangled(qubits, len(string), entanglement):
                parameter = numbers.setdefault(group, len(numbers))
                operations += _evolution(string, group, Angle(parameter, asked.alpha))
    return Encoding(Structure(qubits, 0, len(numbers), tuple(operations)), tuple(numbers))


def entangled(qubits: int, size: int, entanglement: Entanglement) -> tuple[Group, ...]:
    """The groups of so many qubits in the order in which they are entangled; none where there are too few qubits."""
    if entanglement == "full":
        return tuple(combinations(range(qubits), size))
    before = size - 1 if entanglement == "circular" and size < qubits else 0
    groups = tuple(
        tuple((first + place) % qubits for place in range(size)) for first in range(-before, qubits - size + 1)
    )
    return groups[::-1] if entanglement == "reverse_linear" else groups


def _evolution(string: str, group: Group, angle: Angle) -> Iterator[Operation]:
    """The evolution by a Pauli string: its axes turned to Z, the parity on the last qubit, a phase there, and back."""
    letters = tuple(zip(reversed(string), group, strict=True))
    links = [Operation("cx", pair) for pair in pairwise(group)]
    yield from (Operation(_INTO_Z[letter], (qubit,)) for letter, qubit in letters if letter != "Z")
    yield from links
    yield Operation("p", (group[-1],), (angle,))
    yield from reversed(links)
    yield from (Operation(_OUT_OF_Z[letter], (qubit,)) for letter, qubit in letters if letter != "Z")
