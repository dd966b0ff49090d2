"""Structures compiled for a Qiskit machine: the circuit that runs, on which of its qubits, its gates folded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qiskit import QuantumCircuit

from quire_plane.aer_gates import BINDABLE
from quire_quantum.folding import reached_by
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum_gateway.providers.qiskit_folding import fold, gates_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quire_quantum.structure import Structure
    from quire_quantum_gateway.providers.ibm_backends import Compiler
    from quire_quantum_gateway.providers.qiskit_machines import Machine

PROBABILITIES: Final = "p"
"""The label of what `Compiled.head` saves."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A structure compiled for a family of machines, idle qubits removed: qubit i of `circuit` is `qubits[i]` there.

    routed: as the compiler left it, for exact values, which its layout says how to read.
    circuit: its parameters are the structure's columns `columns`, in order; `bindable`: Aer binds them rightly.
    head: the circuit up to its final measurements, saving probabilities; None where it measures or resets on the way.
    measured: bit to qubit of the final measurements.
    used: the gates and the machine's qubits they are on, for the noise.
    """

    routed: QuantumCircuit
    circuit: QuantumCircuit
    head: QuantumCircuit | None
    columns: tuple[int, ...]
    bindable: bool
    measured: Mapping[int, int]
    qubits: tuple[int, ...]
    used: frozenset[tuple[str, tuple[int, ...]]]
    depth: int
    two_qubit_gates: int

    @property
    def read_from(self) -> tuple[int, ...]:
        """Which of the machine's qubits each bit is read from at the end, -1 for none."""
        places = [self.measured.get(bit) for bit in range(self.circuit.num_clbits)]
        return tuple(-1 if place is None else self.qubits[place] for place in places)


def compile_structure(compiler: Machine | Compiler, structure: Structure, places: Sequence[int] = ()) -> Compiled:
    """Compile a structure, parameters free; onto these of the machine's qubits, where they are given."""
    circuit = to_circuit(structure)
    with compiler.compiling:
        if places:
            wide = QuantumCircuit(max(places) + 1, circuit.num_clbits)
            wide.compose(circuit, list(places), range(circuit.num_clbits), inplace=True)
            routed = compiler.pass_manager.translation.run(wide)
        else:
            routed = compiler.pass_manager.run(circuit)
    routed.global_phase = 0  # no result shows it, and Aer cannot bind a free one
    return _compiled(routed)


def scaled(circuits: Sequence[Compiled], scales: Sequence[float]) -> list[Compiled]:
    """The circuits once for each scale of noise, those of a scale after those of the one before."""
    return [
        each if scale == 1 else _compiled(fold(each.routed, scale)) for scale in scales or (1.0,) for each in circuits
    ]


def reached(circuits: Sequence[Compiled], scales: Sequence[float]) -> tuple[float, ...]:
    """The scales of noise that folding these circuits really gives."""
    return reached_by([gates_of(each.routed) for each in circuits], scales)


def _compiled(routed: QuantumCircuit) -> Compiled:
    steps = [
        (item.operation, tuple(routed.find_bit(qubit).index for qubit in item.qubits), item.clbits)
        for item in routed.data
        if item.operation.name != "barrier"
    ]
    qubits = tuple(sorted({qubit for _, where, _ in steps for qubit in where}))
    index = {qubit: position for position, qubit in enumerate(qubits)}
    circuit = QuantumCircuit(len(qubits), routed.num_clbits)
    for operation, where, bits in steps:
        places = [index[qubit] for qubit in where]
        circuit.append(operation, places, [routed.find_bit(bit).index for bit in bits], copy=False)
    measured = _final_measurements(circuit)
    parameterised = {operation.name for operation, _, _ in steps if operation.is_parameterized()}
    return Compiled(
        routed=routed,
        circuit=circuit,
        head=_head(circuit) if measured is not None else None,
        columns=tuple(parameter.index for parameter in circuit.parameters),
        bindable=parameterised <= BINDABLE,
        measured=measured or {},
        qubits=qubits,
        used=frozenset((operation.name, where) for operation, where, _ in steps),
        depth=routed.depth(),
        two_qubit_gates=sum(len(where) == 2 for _, where, _ in steps),  # noqa: PLR2004
    )


def _final_measurements(circuit: QuantumCircuit) -> dict[int, int] | None:
    """Bit to qubit; None where a circuit measures a qubit twice or goes on with it, or resets one."""
    found: dict[int, int] = {}
    closed: set[Any] = set()
    for item in circuit.data:
        if item.operation.name == "reset" or closed.intersection(item.qubits):
            return None
        if item.operation.name == "measure":
            closed.update(item.qubits)
            found[circuit.find_bit(item.clbits[0]).index] = circuit.find_bit(item.qubits[0]).index
    return found


def _head(circuit: QuantumCircuit) -> QuantumCircuit:
    head = circuit.copy_empty_like()
    for item in circuit.data:
        if item.operation.name != "measure":
            head.append(item, copy=False)
    head.save_probabilities(label=PROBABILITIES)
    return head
