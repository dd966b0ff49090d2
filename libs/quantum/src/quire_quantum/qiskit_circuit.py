"""Qiskit circuits from structures, and canonical gates from Qiskit circuits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from qiskit.circuit import (
    Barrier,
    CircuitInstruction,
    ControlFlowOp,
    ControlledGate,
    Measure,
    ParameterExpression,
    ParameterVector,
    QuantumCircuit,
    Reset,
)
from qiskit.circuit.library import standard_gates as std

from quire_quantum.angles import Expression, add, scale, variable
from quire_quantum.lift import Program, Step, lift
from quire_quantum.rejection import ProgramRejected, safe_name
from quire_quantum.structure import GATES, MAX_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qiskit.circuit import Instruction, Parameter

    from quire_quantum.structure import Angle, Structure

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
    """A Qiskit circuit with the structure's operations; qubit and bit i are the structure's.

    Its parameters are elements of one `ParameterVector` named p, so `circuit.parameters` is sorted as the structure's
    columns are: a row of a parameter matrix binds by position. If the structure leaves a parameter unused, the columns
    to bind are `[parameter.index for parameter in circuit.parameters]`.
    """
    circuit = QuantumCircuit(structure.num_qubits, structure.num_bits)
    vector = ParameterVector("p", structure.num_parameters)
    qubits, bits = circuit.qubits, circuit.clbits
    angles = {angle: _qiskit_angle(vector, angle) for operation in structure.operations for angle in operation.angles}
    fixed = {name: _CLASSES[name]() for name, shape in GATES.items() if not shape.angles}
    fixed |= {"measure": Measure(), "reset": Reset()}
    for name, operands, slots, targets in structure.operations:
        if slots:
            gate: Instruction = _CLASSES[name](*[angles[angle] for angle in slots])
        else:
            gate = fixed[name] if name in fixed else Barrier(len(operands))
        instruction = CircuitInstruction(gate, [qubits[q] for q in operands], [bits[bit] for bit in targets])
        circuit.append(instruction, copy=False)
    return circuit


def from_circuit(circuit: QuantumCircuit, inputs: Sequence[Parameter] | None = None) -> Program:
    """The program of a Qiskit circuit: any gate that has a definition, measurements, resets and barriers.

    Args:
        circuit: without control flow; delays and global phase, which no result shows, are left out.
        inputs: the order of a parameter set's numbers; `circuit.parameters` (sorted by name) if not given.

    Returns:
        The structure, and the angle program whose inputs are the parameters' names. Bits are numbered as
        `circuit.clbits`.

    Raises:
        ProgramRejected: for control flow, an operation without a definition, or an angle that is not linear in the
            parameters (write such a circuit as OpenQASM 3 and parse that).
    """
    order = list(circuit.parameters if inputs is None else inputs)
    return lift(
        read_steps(circuit, order),
        num_qubits=circuit.num_qubits,
        num_bits=circuit.num_clbits,
        inputs=[parameter.name for parameter in order],
    )


def read_steps(circuit: QuantumCircuit, inputs: Sequence[Parameter]) -> list[Step]:
    """The circuit in canonical gates, angles as expressions of `inputs`; raises as `from_circuit` does."""
    reader = _Reader({parameter: index for index, parameter in enumerate(inputs)})
    reader.read(circuit, tuple(range(circuit.num_qubits)), tuple(range(circuit.num_clbits)), 0)
    return reader.steps


class _Reader:
    """Walks definitions down to canonical gates, counting so that no definition grows without bound."""

    def __init__(self, inputs: Mapping[Parameter, int]) -> None:
        self.steps: list[Step] = []
        self._inputs = inputs

    def read(self, circuit: QuantumCircuit, qubits: tuple[int, ...], bits: tuple[int, ...], nesting: int) -> None:
        if nesting > _MAX_NESTING:
            raise ProgramRejected("gate-too-deep", "a gate's definition is nested too deeply")
        places = {qubit: qubits[index] for index, qubit in enumerate(circuit.qubits)}
        slots = {bit: bits[index] for index, bit in enumerate(circuit.clbits)}
        for item in circuit.data:
            targets = tuple([places[qubit] for qubit in item.qubits])
            self._read_one(item.operation, targets, tuple([slots[bit] for bit in item.clbits]), nesting)

    def _read_one(self, gate: Instruction, qubits: tuple[int, ...], bits: tuple[int, ...], nesting: int) -> None:
        name = canonical_name(gate)
        if len(self.steps) >= MAX_OPERATIONS:
            raise ProgramRejected("too-many-gates", "the circuit has too many gates", limit=f"{MAX_OPERATIONS} gates")
        if name is not None:
            angles = tuple([self._angle(value) for value in gate.params]) if gate.params else ()
            self.steps.append(Step(name, qubits, angles, bits))
        elif isinstance(gate, ControlFlowOp):
            raise ProgramRejected(
                "control-flow",
                "the circuit depends on measured values while it runs",
                hint="measure only, without `if`",
            )
        elif gate.name not in _IGNORED:
            if gate.definition is None:
                reason = f"the operation {safe_name(gate.name)} has no definition in terms of gates"
                raise ProgramRejected("gate-unknown", reason)
            self.read(gate.definition, qubits, bits, nesting + 1)

    def _angle(self, value: object) -> Expression:
        if not isinstance(value, ParameterExpression):
            number = float(value)  # type: ignore[arg-type]
            if not math.isfinite(number):
                raise ProgramRejected("angle-not-finite", "an angle is not finite")
            return number
        slopes = {parameter: value.gradient(parameter) for parameter in value.parameters}
        if not all(isinstance(slope, int | float) for slope in slopes.values()):
            raise ProgramRejected(
                "angle-not-linear",
                "an angle is not a linear function of the circuit's parameters",
                hint="export the circuit with qiskit.qasm3.dumps and submit the text",
            )
        offset = value.bind(dict.fromkeys(value.parameters, 0.0)).numeric()
        result: Expression = float(offset.real)
        for parameter, slope in slopes.items():
            result = add(result, scale(variable(self._inputs[parameter]), float(slope)))
        return result


def canonical_name(gate: Instruction) -> str | None:
    """The canonical operation that this is, or None if it must be taken apart."""
    if gate.name in ("measure", "reset", "barrier"):
        return str(gate.name)
    kind, name = _RENAMED.get(gate.name, (_CLASSES.get(gate.name), gate.name))
    return name if kind is not None and gate.base_class is kind and not _has_open_control(gate) else None


def _has_open_control(gate: Instruction) -> bool:
    return isinstance(gate, ControlledGate) and gate.ctrl_state != 2**gate.num_ctrl_qubits - 1


def _qiskit_angle(vector: ParameterVector, angle: Angle) -> ParameterExpression:
    result = vector[angle.parameter]
    if angle.scale != 1.0:
        result = angle.scale * result
    return result + angle.offset if angle.offset else result
