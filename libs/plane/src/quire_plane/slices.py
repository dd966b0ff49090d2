"""Batch members to work and back: shapes are checked member by member, so that one wrong member spoils no other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec
import numpy as np

from quire_bus.errors import fault_of
from quire_contracts.batch import BatchExecuted, BatchFailed, SliceResult
from quire_contracts.value import CountsTable, Matrix
from quire_plane.reading import invalid
from quire_plane.reduction import is_reducible
from quire_quantum.executor import Member, Work, WorkError
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from quire_bus.envelope import Meta
    from quire_contracts.batch import Batch, ExecuteBatch, SimulateBatch, Slice
    from quire_contracts.value import BlobRef, Execution, Fault
    from quire_plane.reading import Question
    from quire_quantum.executor import MemberOutcome
    from quire_quantum.structure import Structure

COUNTS_TYPE: Final = "application/vnd.quire.counts"
MATRIX_TYPE: Final = "application/vnd.quire.float64"
_MESSAGE_ROOM: Final = 240 * 1024
"""What the members and their answers may weigh together; the rest of the limit is for headers and the execution."""

_ANSWER_BYTES: Final = 350
_REFERENCE_BYTES: Final = 200
"""What an answer weighs besides its member and its content, and each reference after the first."""

_INLINE_BYTES: Final = 16 * 1024
_ENCODED: Final = 4 / 3
"""Bytes are base64 in JSON."""

Answer = Literal["counts", "values", "std_errors"]
"""The parts of a member's answer."""


@dataclass(frozen=True)
class Admitted:
    """The work of the members that can run, their places in the batch, and the others' faults by place."""

    work: Work
    question: Question
    places: tuple[int, ...]
    faults: Mapping[int, Fault]


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


def read_members(
    batch: Batch, contents: Sequence[bytes | Fault], structure: Structure
) -> list[NDArray[np.float64] | Fault]:
    """Each member's parameter sets, or what is wrong with them; `contents` are the matrices' bytes, in order.

    A batch in which nothing is wrong is read in one pass; only one with a wrong member is read member by member.
    """
    columns, shapes = structure.num_parameters, [member.parameters for member in batch.members]
    fits = all(
        isinstance(data, bytes) and matrix.columns == columns and len(data) == 8 * columns * matrix.rows
        for data, matrix in zip(contents, shapes, strict=True)
    )
    if fits:
        together = np.frombuffer(b"".join(cast("Sequence[bytes]", contents)), "<f8").astype(np.float64)
        if np.isfinite(together).all():
            rows = [matrix.rows for matrix in shapes]
            table = together.reshape(sum(rows), columns)
            return [table[end - count : end] for count, end in zip(rows, accumulate(rows), strict=True)]
    return [_read_member(matrix, data, structure) for matrix, data in zip(shapes, contents, strict=True)]


def _read_member(matrix: Matrix, data: bytes | Fault, structure: Structure) -> NDArray[np.float64] | Fault:
    if not isinstance(data, bytes):
        return data
    try:
        return read_parameters(matrix, data, structure)
    except Permanent as error:
        return fault_of(error)


def admit_members(batch: Batch, question: Question, parameters: Sequence[NDArray[np.float64] | Fault]) -> Admitted:
    """The work of all members whose parameters could be read.

    Raises:
        Permanent: nothing can run; the fault is the first member's, or what makes the work as a whole impossible.
    """
    places = tuple([place for place, found in enumerate(parameters) if isinstance(found, np.ndarray)])
    faults = {place: found for place, found in enumerate(parameters) if not isinstance(found, np.ndarray)}
    if not places:
        raise permanent_from(next(iter(faults.values())))
    members = tuple(
        [
            Member(found, member.seed, member.first, member.fresh)
            for found, member in zip(parameters, batch.members, strict=True)
            if isinstance(found, np.ndarray)
        ]
    )
    try:
        work = Work(
            question.structure, members, batch.shots, question.observables, is_reducible(batch), batch.mitigation
        )
    except WorkError as error:
        raise invalid(error) from error
    return Admitted(work, question, places, faults)


def payloads(outcome: MemberOutcome) -> dict[Answer, tuple[bytes, str]]:
    """A member's answer as named bytes with their media types; none of one that has a fault."""
    if outcome.fault is not None:
        return {}
    if outcome.counts is not None:
        return {"counts": (outcome.counts.to_bytes(), COUNTS_TYPE)}
    if outcome.values is None:
        raise TypeError("an outcome has counts or values")
    found: dict[Answer, tuple[bytes, str]] = {"values": (outcome.values.astype("<f8").tobytes(), MATRIX_TYPE)}
    if outcome.std_errors is not None:
        found["std_errors"] = (outcome.std_errors.astype("<f8").tobytes(), MATRIX_TYPE)
    return found


def result_of(
    member: Slice, outcome: MemberOutcome, data: Mapping[Answer, BlobRef], groups: int, traceparent: str | None
) -> SliceResult:
    """A member's answer, its bytes being at `data`.

    groups: circuits for each parameter set, of answers by counts.
    """
    if outcome.fault is not None:
        return SliceResult(member=member, fault=outcome.fault, traceparent=traceparent)
    if outcome.counts is not None:
        counts = outcome.counts
        table = CountsTable(rows=counts.rows, groups=groups, bits=counts.bits, data=data["counts"])
        return SliceResult(member=member, counts=table, traceparent=traceparent)
    assert outcome.values is not None  # noqa: S101 - `payloads` has refused anything else
    rows, columns = outcome.values.shape
    errors = data.get("std_errors")
    return SliceResult(
        member=member,
        values=Matrix(rows=rows, columns=columns, data=data["values"]),
        std_errors=Matrix(rows=rows, columns=columns, data=errors) if errors is not None else None,
        traceparent=traceparent,
    )


def inline_limit(batch: Batch, references: int = 1) -> int:
    """How many bytes of each reference's content may travel inside the message, so that it stays under the bus's limit.

    references: of each answer; two where values have standard errors.
    """
    each = (_MESSAGE_ROOM - len(msgspec.json.encode(batch))) / len(batch.members)
    room = each - _ANSWER_BYTES - (references - 1) * _REFERENCE_BYTES
    return max(0, min(_INLINE_BYTES, int(room / references / _ENCODED)))


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
