"""Every decision about a job that exists: `decide(record, message, moment)`, pure.

An answer counts only while its task is pending and a job that is over changes no more, so repeated, late and reordered
messages change nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from quire_contracts.batch import BatchStarted
from quire_contracts.family import ChildEnded, FamilyGathered, FamilyPlanned
from quire_contracts.job import AbandonJob, CancelJob, ExpireJob
from quire_contracts.preparation import BaselineFailed, BaselineFound, JobPrepared, PreparationFailed
from quire_contracts.record import JobRecord, awaits_baseline, baseline_of, evolve
from quire_contracts.task import ReviewTask, TaskFailed, TaskScored
from quire_contracts.value import Fault
from quire_control_plane.budget.spending import TooDear
from quire_control_plane.change import NOTHING, Change, Moment, reach
from quire_control_plane.dispatch.issuing import issue
from quire_control_plane.endings import ending
from quire_control_plane.endings.awaiting import BASELINE_LOST, await_baseline
from quire_control_plane.endings.keeping import keep
from quire_control_plane.fallback import classical, falling_back
from quire_control_plane.fallback.expiring import expire
from quire_control_plane.families import family
from quire_control_plane.loops import continuing, loop
from quire_control_plane.loops.finishing import finish_now
from quire_control_plane.patience.speculating import has_lesser
from quire_control_plane.tasks import pending_of, planned_shots, settled
from quire_control_plane.timings import summed

FamilyMessage = FamilyPlanned | ChildEnded | FamilyGathered
"""What is said about a job with children."""

JobMessage = (
    JobPrepared
    | PreparationFailed
    | BaselineFound
    | BaselineFailed
    | TaskScored
    | TaskFailed
    | ReviewTask
    | CancelJob
    | ExpireJob
    | AbandonJob
    | FamilyMessage
)
"""What is said about one job."""

EXECUTIONS_KEPT: Final = 50


def decide(record: JobRecord, message: JobMessage | BatchStarted, moment: Moment) -> Change:
    """What follows from a message about a job.

    Deciding the same message on the changed record again gives `NOTHING`.

    Args:
        record: the job as it is.
        message: a fact about the job, or a command to it.
        moment: now, the id of the message, and the routing rules in force.
    """
    if record.is_over:
        return keep(record, message, moment) if isinstance(message, TaskScored) else NOTHING
    match message:
        case JobPrepared() | PreparationFailed():
            return _of_preparation(record, message, moment)
        case TaskScored():
            return _scored(record, message, moment)
        case TaskFailed() | ReviewTask():
            return _without_answer(record, message, moment)
        case BatchStarted():
            return _started(record, message, moment)
        case BaselineFound() | BaselineFailed():
            return classical.heard(record, message, moment)
        case FamilyPlanned() | ChildEnded() | FamilyGathered():
            return _of_family(record, message, moment)
        case _:
            return _stopped(record, message, moment)


def _without_answer(record: JobRecord, message: TaskFailed | ReviewTask, moment: Moment) -> Change:
    if isinstance(message, TaskFailed):
        return falling_back.failed(record, message, moment)
    return falling_back.review(record, message, moment)


def _of_family(record: JobRecord, message: FamilyMessage, moment: Moment) -> Change:
    match message:
        case FamilyPlanned() if record.continues is not None:
            return ending.reject(record, moment, continuing.in_parts(record, record.continues))
        case FamilyPlanned():
            return family.planned(record, message, moment)
        case ChildEnded():
            return family.child_ended(record, message, moment)
        case FamilyGathered():
            return family.gathered(record, message, moment)


def _stopped(record: JobRecord, message: CancelJob | ExpireJob | AbandonJob, moment: Moment) -> Change:
    match message:
        case CancelJob():
            return ending.cancel(record, moment, message.reason)
        case ExpireJob():
            return expire(record, message, moment)
        case AbandonJob():
            return _abandon(record, moment, message.fault)


def _of_preparation(record: JobRecord, message: JobPrepared | PreparationFailed, moment: Moment) -> Change:
    if isinstance(message, JobPrepared):
        return _prepared(record, message, moment)
    return _unprepared(record, message, moment)


def _prepared(record: JobRecord, message: JobPrepared, moment: Moment) -> Change:
    if record.preparation is not None:
        return NOTHING
    record = reach(
        record,
        "validated",
        moment,
        preparation=message.preparation,
        baseline_to_come=message.baseline_to_come,
        baseline_seconds=record.baseline_seconds or message.baseline_seconds,
        method_seconds=record.method_seconds or message.method_seconds,
        timings=summed(record.timings, message.timings),
    )
    if message.preparation.loop is not None:
        return loop.begin(record, moment)
    parameters = message.preparation.parameters
    if parameters is None:
        raise ValueError(f"job {record.job_id} was prepared without parameter sets")
    shots = planned_shots(record, parameters.rows)
    if record.max_shots is not None and shots > record.max_shots:
        return ending.fail(record, moment, _over_budget(shots, record.max_shots))
    try:
        return issue(record, "main", 0, parameters, moment)
    except TooDear as dear:
        return ending.fail(dear.record, moment, dear.fault)


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


def _started(record: JobRecord, message: BatchStarted, moment: Moment) -> Change:
    mine = {member.task_id for member in message.members if member.job_id == record.job_id}
    if record.state != "submitted" or not any(item.task.task_id in mine for item in record.pending):
        return NOTHING
    return Change(reach(record, "running", replace(moment, now=message.started_at), note=message.target))


def _abandon(record: JobRecord, moment: Moment, fault: Fault) -> Change:
    """End with the best there is, else with the fault; once the classical answer is there or known not to come.

    A job that waits for that ends by itself, unless it is lost.
    """
    lost = fault.code == BASELINE_LOST
    if record.awaiting is None and lost:
        return NOTHING
    if awaits_baseline(record) and not lost:
        ends = record.awaiting is not None and record.awaiting.then == "end"
        return NOTHING if ends else await_baseline(record, moment, "end", reason=fault.reason, fault=fault)
    if has_lesser(record):
        return finish_now(record, moment, None, reason=fault.reason)
    if baseline_of(record) is not None:
        return ending.complete_with_baseline(record, moment, fault.reason)
    return ending.fail(record, moment, fault)


def _over_budget(planned: int, allowed: int) -> Fault:
    return Fault(
        kind="spend",
        code="shot-budget-exceeded",
        reason=f"the job needs {planned} shots and its budget allows {allowed}",
        next_step="raise budget.max_shots, or ask for fewer shots or parameter sets",
        retryable=False,
    )
