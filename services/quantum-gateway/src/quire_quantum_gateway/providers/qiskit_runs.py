"""Work on a Qiskit machine: rows bound to compiled circuits as they run."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qiskit.quantum_info import SparsePauliOp

from quire_plane.aer_gates import ROW_STRIDE
from quire_plane.sampling import draw, read_out
from quire_quantum.counts import PackedCounts, pack, pack_integers
from quire_quantum.executor import MemberOutcome, Work, row_generator, row_seed
from quire_quantum.observables import without_final_measurements
from quire_quantum_gateway.providers.faults import CIRCUIT, WIDTH, error_of, fault_of
from quire_quantum_gateway.providers.qiskit_compiled import PROBABILITIES, Compiled
from quire_quantum_gateway.providers.qiskit_noise import read_with_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quire_contracts.value import Observable
    from quire_quantum.structure import Structure
    from quire_quantum_gateway.providers.qiskit_machines import Machine

_WORD_BITS: Final = 64
_PROBABILITY_BYTES: Final = 2 * 8
"""Each probability exists twice for a moment: in the simulator's result and in ours."""

_WIDEST_DENSITY: Final = 12
"""Qubits of a density matrix of 256 MiB."""
_REFUSALS: Final = (
    (re.compile(r"(?i)memory|too many qubits|qubits.*exceed|greater than maximum"), WIDTH),
    (re.compile(r"(?i)invalid instruction|not supported|unsupported|incompatible"), CIRCUIT),
)
"""Aer says why it did not run a circuit only in words."""


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
    found = [data[PROBABILITIES] for data in _run(machine, head, different, shots=1, method=method)]
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
