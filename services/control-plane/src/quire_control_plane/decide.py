"""Every decision about a job that exists: `decide(record, message, moment)`, pure.

An answer counts only while its task is pending and a job that is over changes no more, so repeated, late and reordered
messages change nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.batch import BatchStarted
from quire_contracts.job import AbandonJob, CancelJob, ExpireJob
from quire_contracts.preparation import JobPrepared, PreparationFailed
from quire_contracts.record import JobRecord, Pending, evolve
from quire_contracts.task import RunTask, TaskFailed, TaskScored
from quire_contracts.value import Fault, Timing
from quire_control_plane import ending, loop
from quire_control_plane.change import NOTHING, Change, Moment, Say, reach
from quire_control_plane.tasks import (
    issue,
    next_target,
    pending_of,
    planned_shots,
    preparation_of,
    settled,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

JobMessage = JobPrepared | PreparationFailed | TaskScored | TaskFailed | CancelJob | ExpireJob | AbandonJob
"""What is said about one job."""

ATTEMPTS_PER_TASK: Final = 6
EXECUTIONS_KEPT: Final = 50
REROUTED: Final = frozenset({"capacity", "offline", "calibration", "spend", "invalid"})
"""Faults after which the same target would answer the same: the task goes on to the next one."""

UNSUPPORTED: Final = "unsupported-"
"""How the code of a fault begins that is invalid at one target only; any other invalid work is invalid everywhere."""

DEADLINE_EXCEEDED: Final = Fault(
    kind="capacity",
    code="deadline-exceeded",
    reason="the job's deadline came before its answer",
    next_step="submit it again with a later deadline, fewer rounds or fewer shots",
    retryable=True,
)


def decide(record: JobRecord, message: JobMessage | BatchStarted, moment: Moment) -> Change:
    """What follows from a message about a job.

    Deciding the same message on the changed record again gives `NOTHING`.

    Args:
        record: the job as it is.
        message: a fact about the job, or a command to it.
        moment: now, the id of the message, and the routing rules in force.
    """
    if record.is_over:
        return NOTHING
    match message:
        case JobPrepared():
            return _prepared(record, message, moment)
        case PreparationFailed():
            return _unprepared(record, message, moment)
        case TaskScored():
            return _scored(record, message, moment)
        case TaskFailed():
            return _failed(record, message, moment)
        case BatchStarted():
            return _started(record, message, moment)
        case _:
            return _stopped(record, message, moment)


def _stopped(record: JobRecord, message: CancelJob | ExpireJob | AbandonJob, moment: Moment) -> Change:
    match message:
        case CancelJob():
            return ending.cancel(record, moment, message.reason)
        case ExpireJob():
            return _abandon(record, moment, DEADLINE_EXCEEDED)
        case AbandonJob():
            return _abandon(record, moment, message.fault)


def _prepared(record: JobRecord, message: JobPrepared, moment: Moment) -> Change:
    if record.preparation is not None:
        return NOTHING
    record = reach(
        record,
        "validated",
        moment,
        preparation=message.preparation,
        baseline_seconds=message.baseline_seconds,
        timings=summed(record.timings, message.timings),
    )
    if record.kind == "optimize":
        return loop.begin(record, moment)
    parameters = message.preparation.parameters
    if parameters is None:
        raise ValueError(f"job {record.job_id} was prepared without parameter sets")
    shots = planned_shots(record, parameters.rows)
    if record.max_shots is not None and shots > record.max_shots:
        return ending.fail(record, moment, _over_budget(shots, record.max_shots))
    return issue(record, "main", 0, parameters, moment)


def _unprepared(record: JobRecord, message: PreparationFailed, moment: Moment) -> Change:
    if record.preparation is not None:
        return NOTHING
    if message.fault.kind == "invalid":
        return ending.reject(record, moment, message)
    return ending.fail(record, moment, message.fault)


def _scored(record: JobRecord, message: TaskScored, moment: Moment) -> Change:
    pending = pending_of(record, message.task_id)
    if pending is None:
        return NOTHING
    record = settled(reach(_with_stages(record, message, moment), "scored", moment), message.task_id)
    record = evolve(
        record,
        best=message.best or record.best,
        shots=record.shots + message.quality.shots,
        cost_usd=record.cost_usd + sum(execution.cost_usd for execution in message.executions),
        executions=(*record.executions, *message.executions)[-EXECUTIONS_KEPT:],
        timings=summed(record.timings, message.timings),
    )
    if message.phase == "main":
        return ending.complete(record, moment, result=message.result, result_ref=message.result_ref)
    return loop.advance(record, message, moment)


def _with_stages(record: JobRecord, message: TaskScored, moment: Moment) -> JobRecord:
    """The states between submission and score, with the times that the executions state."""
    if message.executions:
        began = min(execution.started_at for execution in message.executions)
        record = reach(record, "running", replace(moment, now=began))
    return reach(record, "retrieved", moment)


def _failed(record: JobRecord, message: TaskFailed, moment: Moment) -> Change:
    pending = pending_of(record, message.task_id)
    if pending is None or pending.task.attempt != message.attempt:
        return NOTHING
    fault, task = message.fault, pending.task
    again = fault.retryable and fault.kind not in REROUTED and pending.tried.count(task.target) < 2  # noqa: PLR2004
    hopeless = fault.kind == "invalid" and not fault.code.startswith(UNSUPPORTED)
    target = None if hopeless else task.target if again else next_target(pending)
    if target is None or task.attempt >= ATTEMPTS_PER_TASK:
        return _no_target_left(settled(record, task.task_id), moment, fault)
    task = msgspec.structs.replace(task, target=target, attempt=task.attempt + 1)
    retried = Pending(
        task=task, since=moment.now, tried=(*pending.tried, target), faults=(*pending.faults, fault)[-10:]
    )
    record = evolve(
        record,
        updated_at=moment.now,
        pending=tuple(retried if item is pending else item for item in record.pending),
    )
    if target != pending.task.target:
        note = f"{pending.task.phase} ran at {target} because {pending.task.target} answered: {fault.reason}"
        record = evolve(record, degraded=True, reason=_appended(record.reason, note))
    later = moment.now + timedelta(seconds=message.after_seconds) if again and message.after_seconds > 0 else None
    return Change(record, (Say(RunTask(task=task), at=later),))


def _no_target_left(record: JobRecord, moment: Moment, fault: Fault) -> Change:
    """The end of the fallback chain: the best sample so far, the classical answer, or the failure itself."""
    if record.kind == "optimize" and preparation_of(record).baseline is not None:
        return loop.finish(record, moment, None, reason=f"no target is left: {fault.reason}")
    return ending.fail(record, moment, fault)


def _started(record: JobRecord, message: BatchStarted, moment: Moment) -> Change:
    mine = {member.task_id for member in message.members if member.job_id == record.job_id}
    if record.state != "submitted" or not any(item.task.task_id in mine for item in record.pending):
        return NOTHING
    return Change(reach(record, "running", replace(moment, now=message.started_at), note=message.target))


def _abandon(record: JobRecord, moment: Moment, fault: Fault) -> Change:
    """End with the best there is, else with the fault."""
    if record.preparation is not None and record.preparation.baseline is not None:
        return loop.finish(record, moment, None, reason=fault.reason)
    return ending.fail(record, moment, fault)


def _over_budget(planned: int, allowed: int) -> Fault:
    return Fault(
        kind="spend",
        code="shot-budget-exceeded",
        reason=f"the job needs {planned} shots and its budget allows {allowed}",
        next_step="raise budget.max_shots, or ask for fewer shots or parameter sets",
        retryable=False,
    )


def _appended(reason: str, note: str) -> str:
    return note if not reason else reason if note in reason else f"{reason}; {note}"[:2_000]


def summed(timings: tuple[Timing, ...], more: Sequence[Timing]) -> tuple[Timing, ...]:
    """Timings by stage and resource: seconds added up, the earliest start kept, in order of first appearance."""
    totals = {(timing.stage, timing.resource): timing for timing in timings}
    for timing in more:
        key = (timing.stage, timing.resource)
        known = totals.get(key)
        totals[key] = Timing(
            stage=timing.stage,
            resource=timing.resource,
            started_at=min(known.started_at, timing.started_at) if known else timing.started_at,
            seconds=(known.seconds if known else 0.0) + timing.seconds,
        )
    return tuple(totals.values())
