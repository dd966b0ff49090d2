"""Random circuits of every canonical gate, and their states worked out gate by gate from the gates' matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from quire_quantum.structure import GATES, Angle, Operation, Structure
from quire_quantum.unitaries import gate_matrices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def random_structure(
    generator: np.random.Generator,
    num_qubits: int,
    gates: int,
    *,
    num_parameters: int = 3,
    names: Sequence[str] = tuple(GATES),
) -> Structure:
    """A circuit of so many random gates out of `names`; parameters repeat, scaled and shifted in different ways."""
    possible = [name for name in names if GATES[name].qubits <= num_qubits]
    operations = []
    for _ in range(gates):
        name = possible[generator.integers(len(possible))]
        qubits = tuple(generator.permutation(num_qubits)[: GATES[name].qubits].tolist())
        angles = tuple(
            Angle(
                int(generator.integers(num_parameters)),
                float(generator.choice([1.0, -2.0, 0.5, 0.0])),
                float(generator.choice([0.0, 0.3, math.pi])),
            )
            for _ in range(GATES[name].angles)
        )
        operations.append(Operation(name, qubits, angles))
    return Structure(num_qubits, 0, num_parameters, tuple(operations))


def plain_state(structure: Structure, values: Sequence[float]) -> NDArray[np.complex128]:
    """The state after a circuit of gates and barriers, complex128 [2**qubits]; bit i of an index is qubit i."""
    width = structure.num_qubits
    state = np.zeros((2,) * width, np.complex128)
    state[(0,) * width] = 1.0
    for name, qubits, angles, _ in structure.operations:
        if name == "barrier":
            continue
        numbers = np.array([[scale * values[parameter] + offset for parameter, scale, offset in angles]])
        matrix = gate_matrices(name, numbers)[0].reshape((2,) * (2 * len(qubits)))
        axes = [width - 1 - qubit for qubit in reversed(qubits)]
        turned = np.tensordot(matrix, state, (range(len(qubits), 2 * len(qubits)), axes))
        state = np.moveaxis(turned, range(len(qubits)), axes)
    return state.reshape(-1)
