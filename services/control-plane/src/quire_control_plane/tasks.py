"""From a job and a set of parameters to a task on its way: its target, its seed, its place in the job."""

from __future__ import annotations

import hashlib
import struct
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.record import Decision, JobRecord, Pending, evolve
from quire_contracts.task import RunTask, Scoring, Task
from quire_contracts.value import Matrix, inline_blob
from quire_control_plane.change import Change, Moment, Say, reach
from quire_policy import Facts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from quire_contracts.preparation import Preparation
    from quire_contracts.value import Phase, Target

MATRIX_MEDIA_TYPE: Final = "application/vnd.quire.float64"
DECISIONS_KEPT: Final = 50
_NAMESPACE: Final = uuid.UUID("b3c5d8c0-6f0f-5f52-8f1e-0a5f0d9f5c11")


def issue(record: JobRecord, phase: Phase, round_: int, parameters: Matrix, moment: Moment) -> Change:
    """Send a new task on its way; the record then waits for it.

    The task's id and seed are functions of the job, phase and round alone, so that deciding again gives the same task.
    """
    prepared = preparation_of(record)
    route = moment.routing(facts_of(record, phase, parameters.rows, moment.now))
    task = Task(
        task_id=str(uuid.uuid5(_NAMESPACE, f"{record.tenant}|{record.job_id}|{phase}|{round_}")),
        job_id=record.job_id,
        tenant=record.tenant,
        phase=phase,
        round=round_,
        structure=prepared.structure,
        qubits=prepared.qubits,
        parameters=parameters,
        observables=prepared.observables,
        shots=route.shots or prepared.shots,
        seed=_task_seed(record, phase, round_) if record.seeded else None,
        target=route.targets[0],
        fallbacks=tuple(route.targets[1:]),
        priority=record.priority,
        deadline_at=record.deadline_at,
        scoring=_scoring(record, prepared),
    )
    decision = Decision(
        at=moment.now,
        task_id=task.task_id,
        target=task.target,
        fallbacks=task.fallbacks,
        rules=route.rules,
        reasons=route.reasons,
        shots=route.shots,
        delay_seconds=route.delay_seconds,
    )
    waiting = reach(
        record,
        "submitted",
        moment,
        pending=(*record.pending, Pending(task=task, since=moment.now, tried=(task.target,))),
        decisions=_noted(record.decisions, decision),
    )
    later = moment.now + timedelta(seconds=route.delay_seconds) if route.delay_seconds else None
    return Change(waiting, (Say(RunTask(task=task), at=later),))


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


def planned_shots(record: JobRecord, rows: int) -> int:
    """Shots that a task of so many parameter sets costs at least; 0 for exact values."""
    return rows * (preparation_of(record).shots or 0)


def next_target(pending: Pending) -> Target | None:
    """The first fallback that was not tried yet."""
    return next((target for target in pending.task.fallbacks if target not in pending.tried), None)


def _noted(decisions: tuple[Decision, ...], decision: Decision) -> tuple[Decision, ...]:
    """The decisions with one more, unless it is the last one again: a loop's record must not grow with its rounds."""
    if decisions:
        last = decisions[-1]
        if msgspec.structs.replace(decision, at=last.at, task_id=last.task_id) == last:
            return decisions
    return (*decisions, decision)[-DECISIONS_KEPT:]


def _task_seed(record: JobRecord, phase: Phase, round_: int) -> int:
    """31 bits, the width that every simulator's seed has."""
    digest = hashlib.sha256(f"{record.seed}|{phase}|{round_}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _scoring(record: JobRecord, prepared: Preparation) -> Scoring | None:
    if prepared.loop is None:
        return None
    baseline = prepared.baseline
    return Scoring(
        scale=prepared.loop.scale,
        reference=baseline.value if baseline else None,
        reference_exact=baseline.exact if baseline else False,
        worst=baseline.worst if baseline else None,
        best=record.best,
    )
