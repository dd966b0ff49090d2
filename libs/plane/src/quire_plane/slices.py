"""Batch members to work and back: shapes are checked member by member, so that one wrong member spoils no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from quire_contracts.batch import BatchExecuted, BatchFailed, SliceResult
from quire_contracts.value import CountsTable, Matrix, Observable
from quire_quantum.executor import Member, Work, WorkError
from quire_quantum.observables import ObservableError, group
from quire_quantum.structure import Structure, StructureError
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from quire_bus.envelope import Meta
    from quire_contracts.batch import Batch, ExecuteBatch, SimulateBatch, Slice
    from quire_contracts.value import BlobRef, Execution, Fault
    from quire_quantum.executor import MemberOutcome

COUNTS_TYPE: Final = "application/vnd.quire.counts"
MATRIX_TYPE: Final = "application/vnd.quire.float64"
_MESSAGE_ROOM: Final = 200 * 1024
"""What batch and answers may weigh together; the rest of the message limit is for headers and the execution."""

_INLINE_BYTES: Final = 16 * 1024
_ENCODED: Final = 4 / 3
"""Bytes are base64 in JSON."""

_observables: Final = msgspec.json.Decoder(list[Observable])


@dataclass(frozen=True)
class Admitted:
    """The work of the members that can run, their places in the batch, and the faults of the others by place."""

    work: Work
    places: tuple[int, ...]
    faults: Mapping[int, Fault]


def read_structure(data: bytes) -> Structure:
    """The structure of a batch.

    Raises:
        Permanent: the text is not a structure's canonical text.
    """
    try:
        return Structure.from_text(data.decode())
    except (StructureError, UnicodeDecodeError) as error:
        raise _broken("structure-malformed", f"the circuit's structure cannot be read: {error}") from error


def read_observables(data: bytes | None) -> tuple[Observable, ...]:
    """The observables of a batch; none where it has none.

    Raises:
        Permanent: the list cannot be read.
    """
    if data is None:
        return ()
    try:
        return tuple(_observables.decode(data))
    except msgspec.MsgspecError as error:
        raise _broken("observables-malformed", "the list of observables cannot be read") from error


def read_parameters(matrix: Matrix, data: bytes, structure: Structure) -> NDArray[np.float64]:
    """A member's parameter sets, float64 [rows, structure.num_parameters].

    Raises:
        Permanent: the matrix has another width than the structure, another size than it says, or a number in it is not
            finite.
    """
    if matrix.columns != structure.num_parameters or len(data) != 8 * matrix.rows * matrix.columns:
        raise Permanent(
            "parameters-shape",
            f"the parameter sets have {matrix.columns} numbers each ({len(data)} bytes in {matrix.rows} rows), "
            f"the circuit takes {structure.num_parameters}",
            next_step="Give each parameter set one number for each parameter of the circuit.",
        )
    values = np.frombuffer(data, "<f8").reshape(matrix.rows, matrix.columns).astype(np.float64)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise Permanent(
            "parameters-not-finite",
            f"parameter set {row} holds a number that is not finite",
            next_step="Replace NaN and infinite angles.",
        )
    return values


def admit_members(
    batch: Batch,
    structure: Structure,
    observables: tuple[Observable, ...],
    parameters: Sequence[NDArray[np.float64] | Fault],
) -> Admitted:
    """The work of all members whose parameters could be read.

    Raises:
        Permanent: nothing can run; the fault is the first member's, or what makes the work as a whole impossible.
    """
    places = tuple(place for place, found in enumerate(parameters) if isinstance(found, np.ndarray))
    faults = {place: found for place, found in enumerate(parameters) if not isinstance(found, np.ndarray)}
    if not places:
        raise permanent_from(next(iter(faults.values())))
    members = tuple(
        Member(found, batch.members[place].seed)
        for place, found in enumerate(parameters)
        if isinstance(found, np.ndarray)
    )
    try:
        work = Work(structure, members, batch.shots, observables)
        if batch.shots is not None:
            work.circuits()
    except (WorkError, ObservableError) as error:
        raise invalid(error) from error
    return Admitted(work, places, faults)


def groups_of(work: Work) -> int:
    """Circuits for each parameter set when there are shots."""
    return len(group(work.observables).bases) if work.observables else 1


def payload(outcome: MemberOutcome) -> tuple[bytes, str]:
    """A member's answer as bytes and their media type."""
    if outcome.counts is not None:
        return outcome.counts.to_bytes(), COUNTS_TYPE
    if outcome.values is None:
        raise TypeError("an outcome has counts or values")
    return outcome.values.astype("<f8").tobytes(), MATRIX_TYPE


def result_of(
    member: Slice, outcome: MemberOutcome, data: BlobRef, groups: int, traceparent: str | None
) -> SliceResult:
    """A member's answer, its bytes being at `data`."""
    if outcome.counts is not None:
        table = CountsTable(rows=outcome.counts.rows, groups=groups, bits=outcome.counts.bits, data=data)
        return SliceResult(member=member, counts=table, traceparent=traceparent)
    assert outcome.values is not None  # noqa: S101 - `payload` has refused anything else
    rows, columns = outcome.values.shape
    return SliceResult(member=member, values=Matrix(rows=rows, columns=columns, data=data), traceparent=traceparent)


def inline_limit(batch: Batch) -> int:
    """How many bytes of each answer may travel inside the message, so that it stays under the bus's limit."""
    room = _MESSAGE_ROOM - len(msgspec.json.encode(batch))
    return max(0, min(_INLINE_BYTES, int(room / _ENCODED / len(batch.members)) - 300))


def executed(
    batch: Batch, bits: int, execution: Execution, results: Sequence[SliceResult], finished_at: datetime
) -> BatchExecuted:
    """The event that ends a batch with an answer for each member; `bits` are the structure's classical bits."""
    return BatchExecuted(
        batch_id=batch.batch_id,
        target=batch.target,
        qubits=batch.qubits,
        observables=batch.observables,
        shots=batch.shots,
        execution=msgspec.structs.replace(execution, batch_id=batch.batch_id),
        results=tuple(results),
        formed_at=batch.formed_at,
        finished_at=finished_at,
        bits=bits,
    )


def batch_failed(message: ExecuteBatch | SimulateBatch, _meta: Meta, fault: Fault) -> tuple[BatchFailed]:
    """The event that ends a batch without any answer; the `failed` of both planes' consumers."""
    batch = message.batch
    return (BatchFailed(batch_id=batch.batch_id, target=batch.target, members=batch.members, fault=fault),)


def permanent_from(fault: Fault) -> Permanent:
    """A fault as the error that states it."""
    return Permanent(fault.code, fault.reason, next_step=fault.next_step, kind=fault.kind, retryable=fault.retryable)


def invalid(error: WorkError | ObservableError) -> Permanent:
    """Work that no executor can do, in the port's own words."""
    return Permanent("work-invalid", str(error), next_step="Correct the job and submit it again.")


def _broken(code: str, reason: str) -> Permanent:
    return Permanent(code, reason, next_step="Submit the job again; if it fails again, report its id.")
