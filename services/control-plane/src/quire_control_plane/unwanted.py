"""What a job does not wait for any more is stopped, wherever it has come to: in a queue, or at a provider."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from quire_contracts.task import CancelTask
from quire_control_plane.change import Say

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_control_plane.change import Change


def stopping(before: JobRecord, change: Change, answered: str | None) -> Change:
    """The change, with a word to stop each task for which the record waited before it and waits no more.

    answered: the task of which the change's message says how it ended; there is nothing left to stop of it.
    """
    after = change.record
    if after is None or not before.pending:
        return change
    kept = {(each.task.task_id, each.task.attempt) for each in after.pending}
    dropped = [
        each.task
        for each in before.pending
        if each.task.task_id != answered and (each.task.task_id, each.task.attempt) not in kept
    ]
    if not dropped:
        return change
    words = tuple(
        Say(
            CancelTask(
                job_id=task.job_id,
                tenant=task.tenant,
                task_id=task.task_id,
                attempt=task.attempt,
                target=task.target,
                reason=after.reason[:2_000],
            )
        )
        for task in dropped
    )
    return replace(change, says=(*change.says, *words))
