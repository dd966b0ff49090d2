"""The hardware-efficient ansatz as a structure, built gate by gate: nothing is transpiled."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from quire_quantum.structure import Angle, Operation, Structure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quire_contracts.vqe import HardwareEfficient

_PAIR = 2


def hardware_efficient(asked: HardwareEfficient, qubits: int) -> Structure:
    """Rotations of every qubit, then layers of entangling gates and rotations (Kandala et al., Nature 549, 242, 2017).

    Parameter ``(layer * rotations + rotation) * qubits + qubit`` is an angle in radians; the first rotations are layer
    0. The right-most digit of `asked.state` is qubit 0's; a 1 is an x gate. The order of parameters and gates is that
    of Qiskit's `n_local`. Equal arguments give equal structures.
    """
    operations = [Operation("x", (qubit,)) for qubit, digit in enumerate(reversed(asked.state)) if digit == "1"]
    operations += _rotations(asked, qubits, 0)
    for layer in range(1, asked.layers + 1):
        operations += [Operation(asked.entangler, pair) for pair in pairs(asked.entanglement, qubits)]
        operations += _rotations(asked, qubits, layer)
    return Structure(qubits, 0, asked.angles(qubits), tuple(operations))


def pairs(entanglement: str, qubits: int) -> list[tuple[int, int]]:
    """The qubits that each layer joins, control first, in order; none where there is one qubit."""
    neighbours = [(qubit, qubit + 1) for qubit in range(qubits - 1)]
    match entanglement:
        case "full":
            return [(first, second) for first, second in combinations(range(qubits), 2)]
        case "circular" if qubits > _PAIR:
            return [(qubits - 1, 0), *neighbours]
        case "pairwise":
            return neighbours[0::2] + neighbours[1::2]
        case _:
            return neighbours


def _rotations(asked: HardwareEfficient, qubits: int, layer: int) -> Iterator[Operation]:
    for place, name in enumerate(asked.rotations):
        first = (layer * len(asked.rotations) + place) * qubits
        for qubit in range(qubits):
            yield Operation(name, (qubit,), (Angle(first + qubit),))
