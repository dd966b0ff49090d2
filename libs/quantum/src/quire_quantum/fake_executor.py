"""A small real simulator behind the executor port, so that services can be tested without any provider."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_contracts.value import Execution
from quire_quantum.counts import PackedCounts, concatenate, pack_integers
from quire_quantum.executor import Capabilities, MemberOutcome, Outcome, Work, WorkError, row_generator
from quire_quantum.observables import ObservableError, final_measurements, without_final_measurements
from quire_quantum.unitaries import gate_matrices
from quire_resilience.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from numpy.typing import NDArray

    from quire_contracts.value import Observable
    from quire_quantum.executor import Member
    from quire_quantum.structure import Operation, Structure

_MAX_QUBITS: Final = 12
_MAX_BITS: Final = 64


class FakeExecutor:
    """Plain NumPy state vectors, at most 12 qubits and 64 bits; deterministic for seeded members.

    Mid-circuit measurements and resets are followed branch by branch, the shots split between the branches.
    """

    def __init__(self, target: str = "fake:statevector", clock: Callable[[], datetime] | None = None) -> None:
        """Answer as `target`; `clock` stamps the execution's start, the system's if none is given."""
        self._target = target
        self._clock = clock or SystemClock().now

    def capabilities(self) -> Capabilities:
        """A simulator with exact values."""
        return Capabilities(target=self._target, max_qubits=_MAX_QUBITS, exact=True)

    def execute(self, work: Work) -> Outcome:
        """Run the batch as the port says.

        Raises:
            WorkError: for more qubits or bits than `capabilities` says.
        """
        if work.structure.num_qubits > _MAX_QUBITS or work.structure.num_bits > _MAX_BITS:
            raise WorkError(f"at most {_MAX_QUBITS} qubits and {_MAX_BITS} bits")
        started_at, began = self._clock(), time.perf_counter()
        if work.shots is None:
            outcomes = tuple(
                MemberOutcome(values=_exact(work.structure, work.observables, member)) for member in work.members
            )
        else:
            circuits = work.circuits()
            outcomes = tuple(MemberOutcome(counts=_sample(circuits, work.shots, member)) for member in work.members)
        execution = Execution(
            target=self._target,
            provider="quire",
            backend="fake",
            region="",
            calibration_id="",
            circuit_sha256=work.structure.sha256,
            shots=work.shots,
            parameter_sets=work.rows,
            started_at=started_at,
            queue_seconds=0.0,
            compile_seconds=0.0,
            execute_seconds=time.perf_counter() - began,
        )
        return Outcome(outcomes, execution)


def _sample(circuits: tuple[Structure, ...], shots: int, member: Member) -> PackedCounts:
    rows = [
        _sample_row(circuit, values, shots, row_generator(member.seed, row, index))
        for row, values in zip(member.places, member.parameters, strict=True)
        for index, circuit in enumerate(circuits)
    ]
    return concatenate(rows) if rows else pack_integers([], bits=circuits[0].num_bits)


def _sample_row(
    circuit: Structure, values: NDArray[np.float64], shots: int, generator: np.random.Generator
) -> PackedCounts:
    """Counts of one circuit run: the state is followed up to the final measurements, which are sampled at once."""
    head = without_final_measurements(circuit).operations
    final = final_measurements(circuit)
    branches: list[tuple[int, int, NDArray[np.complex128]]] = [(0, shots, _ground(circuit.num_qubits))]
    for operation in head:
        if operation.name in ("measure", "reset"):
            branches = [part for branch in branches for part in _split(branch, operation, generator)]
        else:
            branches = [(bits, count, _apply(state, operation, values)) for bits, count, state in branches]
    outcomes, tallies = [], []
    for bits, count, state in branches:
        probabilities = np.abs(state.reshape(-1)) ** 2
        drawn = generator.multinomial(count, probabilities / probabilities.sum())
        indices = np.flatnonzero(drawn)
        numbers = np.full(len(indices), bits, dtype=np.uint64)
        for bit, qubit in final.items():
            place = np.uint64(1 << bit)
            ones = (indices >> qubit & 1).astype(np.uint64)
            numbers = numbers & ~place | ones * place
        outcomes.append(numbers)
        tallies.append(drawn[indices])
    return pack_integers([(np.concatenate(outcomes), np.concatenate(tallies))], bits=circuit.num_bits)


def _exact(structure: Structure, observables: tuple[Observable, ...], member: Member) -> NDArray[np.float64]:
    circuit = without_final_measurements(structure)
    if any(operation.name == "measure" for operation in circuit.operations):
        raise ObservableError("a circuit that measures before its end has no exact value here")
    values = np.zeros((len(member.parameters), len(observables)))
    for row, angles in enumerate(member.parameters):
        ensemble = [_ground(circuit.num_qubits)]
        for operation in circuit.operations:
            if operation.name == "reset":
                ensemble = [part for state in ensemble for _, part in _project(state, operation) if part.any()]
            else:
                ensemble = [_apply(state, operation, angles) for state in ensemble]
        for column, observable in enumerate(observables):
            values[row, column] = sum(_expectation(state, observable) for state in ensemble)
    return values


def _expectation(state: NDArray[np.complex128], observable: Observable) -> float:
    total = 0.0
    for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
        turned = state
        for qubit, pauli in enumerate(reversed(label)):
            if pauli != "I":
                turned = _multiply(turned, gate_matrices(pauli.lower(), np.zeros((1, 0)))[0], (qubit,))
        total += coefficient * float(np.vdot(state, turned).real)
    return total


def _ground(num_qubits: int) -> NDArray[np.complex128]:
    state = np.zeros((2,) * num_qubits, dtype=np.complex128)
    state[(0,) * num_qubits] = 1.0
    return state


def _apply(state: NDArray[np.complex128], operation: Operation, values: NDArray[np.float64]) -> NDArray[np.complex128]:
    if operation.name == "barrier":
        return state
    angles = np.array([[scale * values[parameter] + offset for parameter, scale, offset in operation.angles]])
    return _multiply(state, gate_matrices(operation.name, angles)[0], operation.qubits)


def _multiply(
    state: NDArray[np.complex128], matrix: NDArray[np.complex128], qubits: tuple[int, ...]
) -> NDArray[np.complex128]:
    """Apply a gate: axis n - 1 - i of the state is qubit i, and the gate's first qubit is its lowest index bit."""
    axes = [state.ndim - 1 - qubit for qubit in reversed(qubits)]
    width = len(qubits)
    tensor = matrix.reshape((2,) * (2 * width))
    turned = np.tensordot(tensor, state, (range(width, 2 * width), axes))
    return np.moveaxis(turned, range(width), axes)


def _project(state: NDArray[np.complex128], operation: Operation) -> list[tuple[int, NDArray[np.complex128]]]:
    """The state's two parts by the value of the operation's qubit; a reset leaves the qubit at zero in both."""
    axis = state.ndim - 1 - operation.qubits[0]
    parts = []
    for value in (0, 1):
        part = np.zeros_like(state)
        target = 0 if operation.name == "reset" else value
        part[(slice(None),) * axis + (target,)] = state[(slice(None),) * axis + (value,)]
        parts.append((value, part))
    return parts


def _split(
    branch: tuple[int, int, NDArray[np.complex128]], operation: Operation, generator: np.random.Generator
) -> list[tuple[int, int, NDArray[np.complex128]]]:
    """Share a branch's shots between the two outcomes of a measurement or reset."""
    bits, count, state = branch
    parts = _project(state, operation)
    weights = [float(np.vdot(part, part).real) for _, part in parts]
    ones = int(generator.binomial(count, min(1.0, weights[1] / sum(weights))))
    result = []
    for (value, part), weight, share in zip(parts, weights, (count - ones, ones), strict=True):
        if share:
            place = 1 << operation.bits[0] if operation.bits else 0
            result.append(((bits & ~place) | (place * value), share, part / np.sqrt(weight)))
    return result
