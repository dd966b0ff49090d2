"""Work on a Qiskit machine: structures compiled once with their parameters free, rows bound as they run."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from quire_plane.aer_gates import BINDABLE, ROW_STRIDE
from quire_plane.sampling import draw, read_out
from quire_quantum.counts import PackedCounts, pack, pack_integers
from quire_quantum.executor import MemberOutcome, Work, row_generator, row_seed
from quire_quantum.observables import without_final_measurements
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum_gateway.providers.faults import CIRCUIT, WIDTH, error_of, fault_of
from quire_quantum_gateway.providers.qiskit_noise import read_with_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from quire_contracts.value import Observable
    from quire_quantum.structure import Structure
    from quire_quantum_gateway.providers.ibm_backends import Compiler
    from quire_quantum_gateway.providers.qiskit_machines import Machine

_WORD_BITS: Final = 64
_PROBABILITIES: Final = "p"
_PROBABILITY_BYTES: Final = 2 * 8
"""Each probability exists twice for a moment: in the simulator's result and in ours."""

_WIDEST_DENSITY: Final = 12
"""Qubits of a density matrix of 256 MiB."""
_REFUSALS: Final = (
    (re.compile(r"(?i)memory|too many qubits|qubits.*exceed|greater than maximum"), WIDTH),
    (re.compile(r"(?i)invalid instruction|not supported|unsupported|incompatible"), CIRCUIT),
)
"""Aer says why it did not run a circuit only in words."""


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


def compile_structure(compiler: Machine | Compiler, structure: Structure) -> Compiled:
    """Compile a structure, parameters free."""
    with compiler.compiling:
        routed = compiler.pass_manager.run(to_circuit(structure))
    routed.global_phase = 0  # no result shows it, and Aer cannot bind a free one
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
    head.save_probabilities(label=_PROBABILITIES)
    return head


def samples_probabilities(compiled: Compiled, shots: int, *, noisy: bool) -> bool:
    """Whether rows are drawn from probabilities; else Aer follows single shots, a run for each seeded member.

    Noise needs a density matrix for it, 4^n numbers against 2^n for each shot: it is quicker while 2^n <= 2 shots
    (measured with fake_montreal, 3 to 13 qubits). Depends on structure and shots alone, as an answer must.
    """
    if compiled.head is None or compiled.circuit.num_clbits > _WORD_BITS:
        return False
    width = len(compiled.qubits)
    return (2**width <= 2 * shots and width <= _WIDEST_DENSITY) if noisy else True


def sample(machine: Machine, circuits: Sequence[Compiled], work: Work, memory_bytes: int) -> tuple[MemberOutcome, ...]:
    """Counts of every member, rows in order of [parameter set, circuit].

    All members' rows go through Aer in one call for each circuit (in as few as the memory allows), and row r of circuit
    c of a member is drawn from the stream of (its seed, r, c). See `_shot_by_shot` for where shots must be followed.
    """
    shots = work.shots or 0
    if not all(samples_probabilities(each, shots, noisy=machine.noise is not None) for each in circuits):
        return _shot_by_shot(machine, circuits, work)
    together = np.concatenate([member.parameters for member in work.members])
    owners = [(member.seed, row) for member in work.members for row in member.places]
    table: list[list[tuple[NDArray[np.uint64], NDArray[np.int64]]]] = [[] for _ in owners]
    for index, compiled in enumerate(circuits):
        readout = _readout(machine, compiled)
        at_once = max(1, memory_bytes // (_PROBABILITY_BYTES << len(compiled.qubits)))
        for start in range(0, len(together), at_once):
            found = _probabilities(machine, compiled, together[start : start + at_once])
            for row, probabilities in enumerate(found, start):
                seed, place = owners[row]
                read = read_with_errors(probabilities, readout) if readout else probabilities
                states, tallies = draw(read, shots, row_generator(seed, place, index))
                table[row].append((read_out(states, compiled.measured), tallies))
    bits, outcomes, start = circuits[0].circuit.num_clbits, [], 0
    for member in work.members:
        end = start + len(member.parameters)
        pairs = [pair for row in table[start:end] for pair in row]
        outcomes.append(MemberOutcome(counts=pack_integers(pairs, bits=bits)))
        start = end
    return tuple(outcomes)


def _readout(machine: Machine, compiled: Compiled) -> dict[int, NDArray[np.float64]]:
    if machine.noise is None:
        return {}
    chances = machine.noise.readout
    return {
        qubit: chances[compiled.qubits[qubit]]
        for qubit in compiled.measured.values()
        if compiled.qubits[qubit] in chances
    }


def _probabilities(machine: Machine, compiled: Compiled, parameters: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Probabilities of the basis states before read-out, float64 [2**qubits] for each row."""
    if not compiled.qubits:
        return [np.ones(1)] * len(parameters)
    method = "statevector" if machine.noise is None else "density_matrix"
    head = replace(compiled, circuit=compiled.head)
    different = parameters if compiled.columns else parameters[:1]
    found = [data[_PROBABILITIES] for data in _run(machine, head, different, shots=1, method=method)]
    return found if compiled.columns else found * len(parameters)


def _shot_by_shot(machine: Machine, circuits: Sequence[Compiled], work: Work) -> tuple[MemberOutcome, ...]:
    """Counts of circuits that only Aer can follow shot by shot.

    Aer draws the random numbers of row r of a run from its seed + 2113 r, and takes one seed a run. So each seeded
    member is a run of its own for each circuit, with a seed of (its seed, circuit): its counts depend on nothing else.
    The price is a run's overhead for each member, 2 ms without noise and 15 to 40 ms with. Members without a seed share
    one run for each circuit.
    """
    shots = work.shots or 0
    rows: list[list[list[_Row]]] = [[] for _ in work.members]
    free = [place for place, member in enumerate(work.members) if member.seed is None]
    for index, compiled in enumerate(circuits):
        for place, member in enumerate(work.members):
            if member.seed is not None:
                seed = (row_seed(member.seed, 0, index) or 0) + ROW_STRIDE * member.first
                rows[place].append(_counts(machine, compiled, member.parameters, shots, seed))
        if free:
            together = np.concatenate([work.members[place].parameters for place in free])
            found = iter(_counts(machine, compiled, together, shots, None))
            for place in free:
                rows[place].append([next(found) for _ in work.members[place].parameters])
    bits = circuits[0].circuit.num_clbits
    return tuple(
        MemberOutcome(counts=packed([row for by_circuit in zip(*each, strict=True) for row in by_circuit], bits))
        for each in rows
    )


def exact(machine: Machine, compiled: Compiled, work: Work) -> tuple[MemberOutcome, ...]:
    """Expectation values of every member, float64 [rows, observables], without shots."""
    together = np.concatenate([member.parameters for member in work.members])
    circuit = compiled.routed.copy()
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
    if machine.noise is not None:
        options["noise_model"] = machine.noise_of(compiled.used, compiled.qubits)
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


def packed(rows: list[_Row], bits: int) -> PackedCounts:
    """Counts of rows of tallies by hexadecimal outcome."""
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
