"""What is kept of an answer that comes after its job has ended: evidence beside the job, which changes no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_contracts.evidence import EvidenceKept
from quire_contracts.result import Best, OptimizeResult
from quire_contracts.so_far import is_better, objective_of
from quire_control_plane.change import NOTHING, Change, Moment, Say

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord, Left
    from quire_contracts.task import TaskScored


def keep(record: JobRecord, message: TaskScored, moment: Moment) -> Change:
    """The evidence that an answer is, if the record of an ended job says that its task was out then; else nothing.

    An answer that the job was given is none, however often it comes again; nor is that of an attempt which had been
    replaced by another one while the job still ran.
    """
    left = left_of(record, message.task_id, message.attempt)
    if left is None:
        return NOTHING
    better, compared = _compared(record, message.best)
    kept = EvidenceKept(
        job_id=record.job_id,
        tenant=record.tenant,
        task_id=message.task_id,
        attempt=message.attempt,
        phase=message.phase,
        round=message.round,
        target=message.executions[0].target if message.executions else left.target,
        ended_at=record.updated_at,
        arrived_at=moment.now,
        best=message.best,
        figures=message.quality.figures,
        result=message.result,
        result_ref=message.result_ref,
        better=better,
        compared=compared,
        shots=message.quality.shots,
        cost_usd=sum(execution.cost_usd for execution in message.executions),
        executions=message.executions,
    )
    return Change(says=(Say(kept),), evidence=kept)


def left_of(record: JobRecord, task_id: str, attempt: int) -> Left | None:
    """The task of that attempt, if it was out when the job ended."""
    return next((each for each in record.left if (each.task_id, each.attempt) == (task_id, attempt)), None)


def _compared(record: JobRecord, late: Best | None) -> tuple[bool | None, str]:
    """Whether a late sample is better than what the job answered, and that in words."""
    if late is None or not isinstance(record.result, OptimizeResult):
        return None, ""
    answered = record.result.best
    sense, unit = objective_of(record)
    better, worse = is_better(late, answered, sense), is_better(answered, late, sense)
    how = "better than" if better else "worse than" if worse else "as good as"
    values = f"{late.value:g} against {answered.value:g}{f' {unit}' if unit else ''}"
    return better, f"{how} the {record.result.source} answer that the job ended with: {values}"
