"""Qiskit circuits from structures, and canonical gates from Qiskit circuits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from qiskit.circuit import ControlFlowOp, Parameter, ParameterExpression, QuantumCircuit
from qiskit.circuit.library import standard_gates as std

from quire_quantum.angles import Expression, Linear
from quire_quantum.lift import Program, Step, lift
from quire_quantum.rejection import ProgramRejected, safe_name
from quire_quantum.structure import GATES, MAX_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qiskit.circuit import Instruction

    from quire_quantum.structure import Structure

_CLASSES: Final[dict[str, type[Instruction]]] = {
    "id": std.IGate, "x": std.XGate, "y": std.YGate, "z": std.ZGate, "h": std.HGate, "s": std.SGate, "sdg": std.SdgGate,
    "t": std.TGate, "tdg": std.TdgGate, "sx": std.SXGate, "sxdg": std.SXdgGate, "rx": std.RXGate, "ry": std.RYGate,
    "rz": std.RZGate, "p": std.PhaseGate, "u": std.UGate, "cx": std.CXGate, "cy": std.CYGate, "cz": std.CZGate,
    "ch": std.CHGate, "cp": std.CPhaseGate, "crx": std.CRXGate, "cry": std.CRYGate, "crz": std.CRZGate,
    "swap": std.SwapGate, "rxx": std.RXXGate, "ryy": std.RYYGate, "rzz": std.RZZGate, "ccx": std.CCXGate,
    "cswap": std.CSwapGate,
}  # fmt: skip
_RENAMED: Final = {"u1": (std.U1Gate, "p"), "u3": (std.U3Gate, "u"), "cu1": (std.CU1Gate, "cp")}
_IGNORED: Final = frozenset({"delay", "global_phase"})
_MAX_NESTING: Final = 100


def to_circuit(structure: Structure) -> QuantumCircuit:
    """A Qiskit circuit with the structure's operations.

    One `Parameter` named p<k> for each parameter the structure uses; `circuit.parameters` sorts by name, so bind by
    name or by `circuit_parameters`. Qubit and bit i are the structure's.
    """
    return _build(structure, circuit_parameters(structure))


def circuit_parameters(structure: Structure) -> list[Parameter]:
    """New parameters p0..pn-1 in the structure's order."""
    return [Parameter(f"p{index}") for index in range(structure.num_parameters)]


def to_circuit_with_parameters(structure: Structure) -> tuple[QuantumCircuit, list[Parameter]]:
    """`to_circuit` and its parameters in the structure's order, some of which the circuit may not use."""
    parameters = circuit_parameters(structure)
    return _build(structure, parameters), parameters
