"""A task whose target takes no work goes back to who chose the target: to wait there, or to run somewhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quire_contracts.task import TaskFailed
from quire_contracts.value import Fault

if TYPE_CHECKING:
    from datetime import datetime

    from quire_contracts.breaker import TargetState
    from quire_contracts.task import Task

CODE: Final = "target-down"
_REASON: Final = "the target takes no work at present"
_NEXT_STEP: Final = "Nothing: it runs when the target is back, or at another target where the job allows it."


def given_back(task: Task, state: TargetState, now: datetime) -> TaskFailed:
    """What is said of a task that nobody has taken. after_seconds: until the target's provider is asked again."""
    until = state.until or now
    return TaskFailed(
        job_id=task.job_id,
        tenant=task.tenant,
        task_id=task.task_id,
        attempt=task.attempt,
        target=task.target,
        fault=Fault(kind="offline", code=CODE, reason=state.reason or _REASON, next_step=_NEXT_STEP, retryable=True),
        after_seconds=max(0.0, (until - now).total_seconds()),
    )
