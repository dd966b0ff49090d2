"""How large a circuit is before any device is chosen: its depth, and its two-qubit gates, both lower bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from quire_quantum.structure import Structure

_TWO_QUBITS: Final = 2
_THREE_QUBIT_COST: Final = 5
"""Two-qubit gates in a Toffoli or Fredkin gate, of any kind and without helper qubits: five are enough (Smolin,
DiVincenzo, 1996) and needed (Yu, Duan, Ying, arXiv:1301.3372)."""


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
