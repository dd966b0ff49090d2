"""What a job does not wait for any more is stopped, wherever it has come to: in a queue, or at a provider."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from quire_contracts.record import Left, evolve
from quire_contracts.task import CancelTask, TaskFailed, TaskScored
from quire_control_plane.change import Say

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord, Pending
    from quire_control_plane.change import Change

_STOPS: Final = ("cancelled", "rejected")
"""Ends after which nobody wants to know what the work would have brought."""


def stopping(before: JobRecord, change: Change, answered: str | None) -> Change:
    """The change, with a word to stop each task for which the record waited before it and waits no more.

    What is at a provider already may be left to run, as the task says, if its job has ended and nobody cancelled or
    rejected it. The ended record names each task that was sent: should its answer come after all, that is evidence.

    answered: the task of which the change's message says how it ended; there is nothing left to stop of it. Nor is
    there of one that was held back here.
    """
    after = change.record
    if after is None or not before.pending:
        return change
    kept = {(each.task.task_id, each.task.attempt) for each in after.pending}
    dropped = [
        each
        for each in before.pending
        if each.held is None and each.task.task_id != answered and (each.task.task_id, each.task.attempt) not in kept
    ]
    if not dropped:
        return change
    words = tuple(Say(_word(each, after)) for each in dropped)
    if after.is_over:
        after = evolve(after, left=tuple(map(_left, dropped)))
    return replace(change, record=after, says=(*change.says, *words))


def answered_by(message: object) -> str | None:
    """The task of which a message says how it ended; None of any other message."""
    return message.task_id if isinstance(message, TaskScored | TaskFailed) else None


def _word(pending: Pending, after: JobRecord) -> CancelTask:
    task = pending.task
    return CancelTask(
        job_id=task.job_id,
        tenant=task.tenant,
        task_id=task.task_id,
        attempt=task.attempt,
        target=task.target,
        reason=after.reason[:2_000],
        late=task.late if after.is_over and after.state not in _STOPS else "stop",
    )


def _left(pending: Pending) -> Left:
    task = pending.task
    return Left(task.task_id, task.attempt, task.target, task.phase, task.round, pending.since)
