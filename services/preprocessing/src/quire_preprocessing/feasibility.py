"""What a job needs before any device is chosen, and the sizes that no device is asked for."""

from __future__ import annotations

from typing import Final

from quire_contracts.preparation import Estimate
from quire_quantum.structure import Structure

_TWO_QUBITS: Final = 2
_THREE_QUBIT_COST: Final = 5
"""Two-qubit gates in a Toffoli or Fredkin gate, of any kind and without helper qubits: five are enough (Smolin,
DiVincenzo, 1996) and needed (Yu, Duan, Ying, arXiv:1301.3372)."""


def estimate(structure: Structure, parameter_sets: int, shots: int | None) -> Estimate:
    """A lower bound of what the work needs, any two qubits taken to be neighbours.

    Args:
        structure: what runs.
        parameter_sets: how many parameter sets it runs for.
        shots: of the whole job, all parameter sets and measurement bases counted; None for exact values.
    """
    return Estimate(
        qubits=structure.num_qubits,
        depth=depth(structure),
        two_qubit_gates=two_qubit_gates(structure),
        parameter_sets=parameter_sets,
        shots=shots,
    )


def depth(structure: Structure) -> int:
    """Length of the longest chain of operations that follow each other on a qubit or a bit.

    A barrier makes its qubits wait for each other and counts nothing.
    """
    qubits = [0] * structure.num_qubits
    bits = [0] * structure.num_bits
    for name, on, _, into in structure.operations:
        level = max(*(qubits[qubit] for qubit in on), *(bits[bit] for bit in into), 0)
        level += name != "barrier"
        for qubit in on:
            qubits[qubit] = level
        for bit in into:
            bits[bit] = level
    return max(qubits)


def two_qubit_gates(structure: Structure) -> int:
    """How many two-qubit gates a device must do at least, a three-qubit gate being five of them."""
    widths = [len(operation.qubits) for operation in structure.operations if operation.name != "barrier"]
    return sum(1 if width == _TWO_QUBITS else _THREE_QUBIT_COST for width in widths if width >= _TWO_QUBITS)
