"""A job's tasks as its record has them: which is in flight, what the rules may look at, numbers in and out."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.record import Decision, JobRecord, Pending, evolve
from quire_contracts.value import Matrix, inline_blob
from quire_policy import Facts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from quire_contracts.preparation import Columns, Preparation
    from quire_contracts.value import Phase

MATRIX_MEDIA_TYPE: Final = "application/vnd.quire.float64"
DECISIONS_KEPT: Final = 50
_APPRAISED: Final = "circuits"
"""Among the figures of a decision where a gateway was heard."""


def pending_of(record: JobRecord, task_id: str) -> Pending | None:
    """The task in flight of that id, or None: then its answer came already, or the job went on without it."""
    return next((pending for pending in record.pending if pending.task.task_id == task_id), None)


def settled(record: JobRecord, task_id: str) -> JobRecord:
    """The record no longer waiting for a task."""
    return evolve(record, pending=tuple(item for item in record.pending if item.task.task_id != task_id))


def preparation_of(record: JobRecord) -> Preparation:
    """What preprocessing made of the job.

    Raises:
        ValueError: if the job was never prepared, which no legal order of messages brings about.
    """
    if record.preparation is None:
        raise ValueError(f"job {record.job_id} is not prepared")
    return record.preparation


def facts_of(record: JobRecord, phase: Phase, rows: int, now: datetime) -> Facts:
    """What the routing rules may look at."""
    prepared = preparation_of(record)
    return Facts(
        kind=record.kind,
        phase=phase,
        priority=record.priority,
        tenant=record.tenant,
        project=record.project,
        qubits=prepared.qubits,
        shots=prepared.shots,
        parameter_sets=rows,
        targets=record.targets,
        min_shots=record.min_shots,
        seeded=record.seeded,
        seconds_left=(record.deadline_at - now).total_seconds() if record.deadline_at else None,
        appraised={each.target: each for each in record.appraisals},
    )


def matrix(rows: Sequence[Sequence[float]]) -> Matrix:
    """Rows of equal length as a float64 matrix that travels inline (at most 2,048 numbers)."""
    data = b"".join(struct.pack(f"<{len(row)}d", *row) for row in rows)
    return Matrix(rows=len(rows), columns=len(rows[0]), data=inline_blob(data, MATRIX_MEDIA_TYPE))


def numbers(table: Matrix) -> tuple[tuple[float, ...], ...]:
    """The rows of an inline float64 matrix.

    Raises:
        ValueError: if the matrix does not travel inline; the contracts promise that loops' matrices do.
    """
    if table.data.inline is None:
        raise ValueError("a loop's matrix must travel inline")
    flat = struct.unpack(f"<{table.rows * table.columns}d", table.data.inline)
    return tuple(flat[row * table.columns : (row + 1) * table.columns] for row in range(table.rows))


def made_for_structure(points: Matrix, columns: Columns | None) -> Matrix:
    """A loop's points as parameters of the structure that it varies."""
    if columns is None:
        return points
    plan = tuple(zip(columns.sources, columns.scales, columns.offsets, strict=True))
    return matrix([[scale * row[source] + offset for source, scale, offset in plan] for row in numbers(points)])


def planned_shots(record: JobRecord, rows: int) -> int:
    """Shots that a task of so many parameter sets takes, in all its measured circuits; 0 for exact values.

    Of each set they are what the estimate of the whole job says.
    """
    prepared = preparation_of(record)
    if not prepared.shots:
        return 0
    whole = prepared.estimate
    return rows * max(prepared.shots, (whole.shots or 0) // max(1, whole.parameter_sets))


def noted(decisions: tuple[Decision, ...], decision: Decision) -> tuple[Decision, ...]:
    """The decisions with one more, unless it is the last one again: a loop's record must not grow with its rounds.

    It is another one where a gateway has said by now what the work would become.
    """
    if decisions:
        last = decisions[-1]
        news = _APPRAISED in decision.figures and _APPRAISED not in last.figures
        if (
            not news
            and msgspec.structs.replace(decision, at=last.at, task_id=last.task_id, figures=last.figures) == last
        ):
            return decisions
    return (*decisions, decision)[-DECISIONS_KEPT:]
