"""Compiled circuits with their gates folded, on the qubits and in the gates that the compiler chose.

See `quire_quantum.folding`; gates that a device only keeps count of, as turns about z, have no errors to multiply.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from qiskit.circuit.library import RZGate, SXGate

from quire_quantum.folding import folds
from quire_quantum_gateway.providers.faults import CIRCUIT, error_of, fault_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction, Gate

_FREE: Final = frozenset({"measure", "reset", "barrier", "delay", "rz", "p", "u1", "id"})
_HALF: Final = RZGate(math.pi)
_UNDONE: Final = {"sx": (_HALF, SXGate(), _HALF)}
"""Inverses, up to the global phase, of gates whose own the device does not have."""


def fold(circuit: QuantumCircuit, scale: float) -> QuantumCircuit:
    """The circuit with about `scale` times as many gates, barriers between them, so that they stay.

    Raises:
        Permanent: kind `invalid`, code `unsupported-circuit`: a gate cannot be undone by the device's own.
    """
    times = iter(folds(gates_of(circuit), scale))
    made = circuit.copy_empty_like()
    for item in circuit.data:
        made.append(item, copy=False)
        for _ in range(next(times) if _is_foldable(item) else 0):
            made.barrier(item.qubits)
            for gate in _inverse(item.operation):
                made.append(gate, item.qubits, copy=False)
            made.barrier(item.qubits)
            made.append(item, copy=False)
    return made


def gates_of(circuit: QuantumCircuit) -> int:
    """How many gates can be folded."""
    return sum(map(_is_foldable, circuit.data))


def _is_foldable(item: CircuitInstruction) -> bool:
    return item.operation.name not in _FREE


def _inverse(gate: Gate) -> tuple[Gate, ...]:
    known = _UNDONE.get(gate.name)
    if known is not None:
        return known
    found = gate.inverse()
    if found.name != gate.name:
        raise error_of(fault_of(CIRCUIT))
    return (found,)
