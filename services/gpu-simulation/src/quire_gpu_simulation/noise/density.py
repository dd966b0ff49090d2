"""Probabilities under noise, exactly: density matrices of many parameter sets side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quire_gpu_simulation.noise.channels import apply, matrices_of, superoperators, with_readout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_gpu_simulation.noise.channels import NoisyCircuit

    Matrices = NDArray[np.complex128]


def probabilities(circuit: NoisyCircuit, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of the basis states as they are read at the end, float64 [rows, 2**qubits].

    A gate of one qubit waits until a gate of two needs its qubit, and is multiplied into that: one pass for each gate
    of two qubits. Every row is worked out by itself, to the last bit.
    """
    rows, qubits = len(parameters), circuit.qubits
    states = np.zeros((rows, 4**qubits), np.complex128)
    states[:, 0] = 1
    waiting: dict[int, Matrices] = {}
    for gate, errors in circuit.steps:
        made = superoperators(matrices_of(gate, parameters), errors)
        if len(gate.qubits) == 1:
            (qubit,) = gate.qubits
            waiting[qubit] = made @ waiting[qubit] if qubit in waiting else made
            continue
        first, second = gate.qubits
        before = _side_by_side(waiting.pop(first, None), waiting.pop(second, None))
        states = apply(
            states, made if before is None else made @ before, (first, second, first + qubits, second + qubits)
        )
    for qubit, made in sorted(waiting.items()):
        states = apply(states, made, (qubit, qubit + qubits))
    diagonal = states.reshape(rows, 1 << qubits, 1 << qubits).diagonal(axis1=1, axis2=2)
    return with_readout(np.maximum(diagonal.real, 0.0), circuit.readout)


def _side_by_side(first: Matrices | None, second: Matrices | None) -> Matrices | None:
    """Superoperators of two qubits as one, in the order of bits (first ket, second ket, first bra, second bra)."""
    if first is None and second is None:
        return None
    still = np.eye(4, dtype=np.complex128)[None]
    low = (still if first is None else first).reshape(-1, 2, 2, 2, 2)
    high = (still if second is None else second).reshape(-1, 2, 2, 2, 2)
    rows = max(len(low), len(high))
    low, high = np.broadcast_to(low, (rows, 2, 2, 2, 2)), np.broadcast_to(high, (rows, 2, 2, 2, 2))
    return np.asarray(np.einsum("rbkcl,rBKCL->rBbKkCcLl", low, high).reshape(rows, 16, 16))
