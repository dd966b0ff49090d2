"""What an event says about the ledger's rows: a pure function from events to changes.

Every change may be made twice and in any order. A plain change states columns that one event alone states (an
acceptance, a preparation, a round, a task's execution), so repeating it changes nothing. A ranked change loses against
a higher rank that the row already has: the later word on a job that goes on, the first word on how it ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from quire_contracts.batch import BatchStarted
from quire_contracts.control import LoopAdvanced
from quire_contracts.evidence import EvidenceKept
from quire_contracts.family import ChildEnded, FamilyPlanned
from quire_contracts.job import JobAccepted, JobCancelled, JobCompleted, JobFailed, JobRejected
from quire_contracts.preparation import Baseline, BaselineFound, JobPrepared
from quire_contracts.registry import entry_of
from quire_contracts.task import TaskFailed, TaskScored
from quire_ledger import answers
from quire_ledger.change import Change, job_key, json_of
from quire_ledger.tables import EXECUTIONS, JOBS, PARENTS, QUALITY, REPLAYS, ROUNDS, TASKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from quire_contracts.record import JobState
    from quire_contracts.value import Execution
    from quire_ledger.event import Event

_ENDED: Final = 2**62
"""Above every sequence: an end outranks everything else said of a job, and an earlier end a later one."""

PROJECTED: Final = frozenset(
    entry_of(message).type
    for message in (
        JobAccepted,
        JobPrepared,
        BaselineFound,
        FamilyPlanned,
        ChildEnded,
        BatchStarted,
        TaskScored,
        TaskFailed,
        LoopAdvanced,
        JobCompleted,
        JobFailed,
        JobCancelled,
        JobRejected,
        EvidenceKept,
    )
)
"""The types of the events that change a row; the bodies of others (answers of batches, mostly) are not even read."""


def changes_of(event: Event) -> tuple[Change, ...]:
    """The changes that an event makes; none where no projection takes an interest in it, or it is not understood."""
    message = event.message
    changes: tuple[Change, ...] = ()
    match message:
        case JobAccepted():
            changes = _accepted(event, message)
        case JobPrepared() | BaselineFound():
            changes = _prepared(event, message)
        case FamilyPlanned() | ChildEnded():
            state: JobState = "running" if isinstance(message, ChildEnded) else "validated"
            changes = (_reached(event, message.tenant, message.job_id, state),)
        case BatchStarted():
            changes = tuple(_reached(event, member.tenant, member.job_id, "running") for member in message.members)
        case TaskScored():
            changes = _scored(event, message)
        case TaskFailed():
            changes = (_failed_task(event, message),)
        case LoopAdvanced():
            changes = _advanced(event, message)
        case JobCompleted():
            changes = _completed(event, message)
        case EvidenceKept():
            changes = (answers.kept(message),)
        case JobFailed() | JobCancelled() | JobRejected():
            changes = (_unanswered(event, message),)
    return changes


def _reached(event: Event, tenant: str, job_id: str, state: JobState) -> Change:
    values = {"state": state, "updated_at": event.time}
    return Change(JOBS, job_key(tenant, job_id), values, rank=event.sequence)


def _ended(event: Event, tenant: str, job_id: str, state: JobState, how: Mapping[str, Any]) -> Change:
    # An end states every ranked column, so that nothing of an outranked one is left behind.
    values = {
        "state": state,
        "updated_at": event.time,
        "ended_at": event.time,
        "degraded": False,
        "reason": "",
        "fault_kind": None,
        "fault_code": None,
        "shots": None,
        "cost_usd": None,
    }
    return Change(JOBS, job_key(tenant, job_id), {**values, **how}, rank=_ENDED - event.sequence)


def _unanswered(event: Event, message: JobFailed | JobCancelled | JobRejected) -> Change:
    if isinstance(message, JobCancelled):
        return _ended(event, message.tenant, message.job_id, "cancelled", {"reason": message.reason})
    if isinstance(message, JobRejected):
        how = {"reason": message.reason, "fault_kind": "invalid", "fault_code": message.code}
        return _ended(event, message.tenant, message.job_id, "rejected", how)
    fault = message.fault
    how = {"reason": fault.reason, "fault_kind": fault.kind, "fault_code": fault.code}
    return _ended(event, message.tenant, message.job_id, "failed", how)


def _accepted(event: Event, message: JobAccepted) -> tuple[Change, ...]:
    if message.repeated or event.key != message.job_id:
        return ()  # The same acceptance, said again to another submitter.
    values = {
        "kind": message.kind,
        "name": message.name,
        "project": message.project,
        "priority": message.priority,
        "content_sha256": message.content_sha256,
        "targets": json_of(message.targets),
        "tags": json_of(message.tags),
        "accepted_at": message.accepted_at,
        "deadline_at": message.deadline_at,
    }
    job = job_key(message.tenant, message.job_id)
    replays = () if message.replay_of is None else (Change(REPLAYS, job, {"replay_of": message.replay_of}),)
    parents = () if message.parent is None else (Change(PARENTS, job, {"parent": message.parent}),)
    return Change(JOBS, job, values), *replays, *parents, _reached(event, message.tenant, message.job_id, "queued")


def _prepared(event: Event, message: JobPrepared | BaselineFound) -> tuple[Change, ...]:
    if isinstance(message, BaselineFound):
        return (_baseline(message, message.baseline),)
    reached = _reached(event, message.tenant, message.job_id, "validated")
    baseline = message.preparation.baseline  # that of an older release, which found it before
    return (reached,) if baseline is None else (reached, _baseline(message, baseline))


def _baseline(message: JobPrepared | BaselineFound, baseline: Baseline) -> Change:
    values = {
        "baseline_method": baseline.method,
        "baseline_value": baseline.value,
        "baseline_exact": baseline.exact,
        "baseline_worst": baseline.worst,
        "baseline_bound": baseline.bound,
        "baseline_bound_method": baseline.bound_method or None,
        "baseline_gap": baseline.gap,
        "baseline_seconds": message.baseline_seconds,
    }
    return Change(QUALITY, job_key(message.tenant, message.job_id), values)


def _scored(event: Event, message: TaskScored) -> tuple[Change, ...]:
    state: JobState = "scored" if message.phase in ("main", "final") else "running"
    task = {**job_key(message.tenant, message.job_id), "task_id": message.task_id, "attempt": message.attempt}
    values = {
        "phase": message.phase,
        "round": message.round,
        "outcome": "scored",
        "target": message.executions[0].target if message.executions else None,
        "shots": message.quality.shots,
        "fault_kind": None,
        "fault_code": None,
        "reason": None,
        "ended_at": event.time,
    }
    return (
        _reached(event, message.tenant, message.job_id, state),
        Change(TASKS, task, values, rank=event.sequence),
        *_executions(task, message.phase, message.executions),
    )


def _executions(task: Mapping[str, Any], phase: str, executions: Iterable[Execution]) -> Iterable[Change]:
    for number, execution in enumerate(executions):
        stated = {name: getattr(execution, name) for name in execution.__struct_fields__ if name in EXECUTIONS.c}
        for name in ("transpiler", "mitigation", "provider_metadata"):
            stated[name] = json_of(stated[name])
        values = {**stated, "phase": phase}
        yield Change(EXECUTIONS, {**task, "number": number}, {k: v for k, v in values.items() if k not in task})


def _failed_task(event: Event, message: TaskFailed) -> Change:
    task = {**job_key(message.tenant, message.job_id), "task_id": message.task_id, "attempt": message.attempt}
    values = {
        "phase": None,
        "round": None,
        "outcome": "failed",
        "target": message.target,
        "shots": 0,
        "fault_kind": message.fault.kind,
        "fault_code": message.fault.code,
        "reason": message.fault.reason,
        "ended_at": event.time,
    }
    return Change(TASKS, task, values, rank=event.sequence)


def _advanced(event: Event, message: LoopAdvanced) -> tuple[Change, ...]:
    step = message.round
    values = {
        "rounds": message.rounds,
        "objective": step.objective,
        "best": step.best,
        "std_error": step.std_error,
        "target": step.target,
    }
    row = Change(ROUNDS, {**job_key(message.tenant, message.job_id), "round": step.round}, values)
    return _reached(event, message.tenant, message.job_id, "running"), row


def _completed(event: Event, message: JobCompleted) -> tuple[Change, ...]:
    how = {
        "degraded": message.degraded,
        "reason": message.reason,
        "shots": message.shots,
        "cost_usd": message.cost_usd,
    }
    return _ended(event, message.tenant, message.job_id, "completed", how), *answers.answered(message)
