"""Work on a Qiskit machine: structures compiled once with their parameters free, rows bound as they run."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qiskit.quantum_info import SparsePauliOp

from quire_plane.aer_gates import BINDABLE
from quire_quantum.counts import PackedCounts, pack, pack_integers
from quire_quantum.executor import MemberOutcome, Work, row_seed
from quire_quantum.observables import without_final_measurements
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum_gateway.providers.faults import CIRCUIT, WIDTH, error_of, fault_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from quire_contracts.value import Observable
    from quire_quantum.structure import Structure
    from quire_quantum_gateway.providers.qiskit_machines import Machine

_WORD_BITS: Final = 64
_REFUSALS: Final = (
    (re.compile(r"(?i)memory|too many qubits|qubits.*exceed|greater than maximum"), WIDTH),
    (re.compile(r"(?i)invalid instruction|not supported|unsupported|incompatible"), CIRCUIT),
)
"""Aer says why it did not run a circuit only in words."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A circuit for one machine: its parameters are the structure's columns `columns`, in order."""

    circuit: QuantumCircuit
    columns: tuple[int, ...]
    bindable: bool
    active_qubits: int
    depth: int
    two_qubit_gates: int


def compile_structure(machine: Machine, structure: Structure) -> Compiled:
    """Compile a structure for a machine, parameters free."""
    with machine.compiling:
        circuit = machine.pass_manager.run(to_circuit(structure))
    circuit.global_phase = 0  # no result shows it, and Aer cannot bind a free one
    parameterised = {item.operation.name for item in circuit.data if item.operation.is_parameterized()}
    return Compiled(
        circuit=circuit,
        columns=tuple(parameter.index for parameter in circuit.parameters),
        bindable=parameterised <= BINDABLE,
        active_qubits=len(
            {qubit for item in circuit.data if item.operation.name != "barrier" for qubit in item.qubits}
        ),
        depth=circuit.depth(),
        two_qubit_gates=sum(len(item.qubits) == 2 and item.operation.name != "barrier" for item in circuit.data),  # noqa: PLR2004
    )


def sample(machine: Machine, circuits: Sequence[Compiled], work: Work) -> tuple[MemberOutcome, ...]:
    """Counts of every member, rows in order of [parameter set, circuit].

    Aer draws the random numbers of row r of a run from its seed + 2113 r. So each seeded member is a run of its own
    for each circuit, with a seed of (its seed, circuit): its counts depend on nothing else. Members without a seed
    share one run for each circuit.
    """
    shots = work.shots or 0
    rows: list[list[list[_Row]]] = [[] for _ in work.members]
    free = [place for place, member in enumerate(work.members) if member.seed is None]
    for index, compiled in enumerate(circuits):
        for place, member in enumerate(work.members):
            if member.seed is not None:
                seed = row_seed(member.seed, 0, index)
                rows[place].append(_counts(machine, compiled, member.parameters, shots, seed))
        if free:
            together = np.concatenate([work.members[place].parameters for place in free])
            found = iter(_counts(machine, compiled, together, shots, None))
            for place in free:
                rows[place].append([next(found) for _ in work.members[place].parameters])
    bits = circuits[0].circuit.num_clbits
    return tuple(
        MemberOutcome(counts=_packed([row for by_circuit in zip(*each, strict=True) for row in by_circuit], bits))
        for each in rows
    )


def exact(machine: Machine, compiled: Compiled, work: Work) -> tuple[MemberOutcome, ...]:
    """Expectation values of every member, float64 [rows, observables], without shots."""
    together = np.concatenate([member.parameters for member in work.members])
    circuit = compiled.circuit.copy()
    for index, observable in enumerate(work.observables):
        operator = _operator(observable).apply_layout(circuit.layout, circuit.num_qubits)
        circuit.save_expectation_value(operator, range(circuit.num_qubits), label=f"o{index}")
    # A reset is no unitary: a state vector would follow one of its outcomes only.
    method = "density_matrix" if circuit.count_ops().get("reset") else "statevector"
    result = _run(machine, replace(compiled, circuit=circuit), together, shots=1, method=method)
    labels = [f"o{index}" for index in range(len(work.observables))]
    values = np.array([[float(np.real(data[label])) for label in labels] for data in result]).reshape(-1, len(labels))
    cuts = np.cumsum([len(member.parameters) for member in work.members])[:-1]
    return tuple(MemberOutcome(values=part) for part in np.split(values, cuts))


def without_measurements(structure: Structure) -> Structure:
    """What is compiled for exact values."""
    return without_final_measurements(structure)


_Row = dict[str, int]


def _counts(
    machine: Machine, compiled: Compiled, parameters: NDArray[np.float64], shots: int, seed: int | None
) -> list[_Row]:
    """Counts of each row by hexadecimal outcome; nothing measured is the outcome zero."""
    options = {} if seed is None else {"seed_simulator": seed}
    found = _run(machine, compiled, parameters, shots=shots, **options)
    return [data.get("counts", {"0x0": shots}) for data in found]


def _run(machine: Machine, compiled: Compiled, parameters: NDArray[np.float64], **options: Any) -> list[dict[str, Any]]:
    """The data of each row, in order.

    Raises:
        Permanent: the machine refused the circuit.
        RuntimeError: it answered fewer rows than it was given.
    """
    rows = len(parameters)
    if rows == 0:
        return []
    circuit, free = compiled.circuit, list(compiled.circuit.parameters)
    if not free:
        job = machine.runner.run([circuit] * rows, **options)
    elif compiled.bindable:
        binds = {each: parameters[:, column].tolist() for each, column in zip(free, compiled.columns, strict=True)}
        job = machine.runner.run([circuit], parameter_binds=[binds], **options)
    else:
        columns = list(compiled.columns)
        job = machine.runner.run([circuit.assign_parameters(row[columns]) for row in parameters], **options)
    result = job.result()
    if not result.success:
        said = "; ".join(sorted({str(result.status), *(str(each.status) for each in result.results)}))
        for pattern, row in _REFUSALS:
            if pattern.search(said):
                raise error_of(fault_of(row))
        raise RuntimeError(f"the simulator did not run the circuit: {said[:300]}")
    if len(result.results) != rows:
        raise RuntimeError(f"the simulator answered {len(result.results)} of {rows} rows")
    return [result.data(row) for row in range(rows)]


def _packed(rows: list[_Row], bits: int) -> PackedCounts:
    if bits > _WORD_BITS:
        texts = [{format(int(outcome, 16), f"0{bits}b"): tally for outcome, tally in row.items()} for row in rows]
        return pack(texts, bits=bits)
    numbers = [
        (np.array([int(outcome, 16) for outcome in row], np.uint64), np.array(list(row.values()), np.int64))
        for row in rows
    ]
    return pack_integers(numbers, bits=bits)


def _operator(observable: Observable) -> SparsePauliOp:
    return SparsePauliOp(list(observable.labels), np.array(observable.coefficients))
