"""The record that a task attempt was put into a batch: created once, it is what makes a repeated RunTask harmless."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from quire_contracts.task import Task
from quire_contracts.value import Key

KIND: Final = "assignment"
KEPT_SECONDS: Final = 7 * 24 * 3600
"""How long an assignment is kept: longer than any redelivery of its task."""


class Assignment(msgspec.Struct, frozen=True):
    """Which batches run a task attempt: one, several where it was cut, or none where it was cancelled before."""

    task_id: Key
    attempt: int
    batch_ids: tuple[Key, ...]
    assigned_at: datetime


def assignment_id(task: Task) -> str:
    """The id of a task attempt's assignment record, within its tenant."""
    return named(task.task_id, task.attempt)


def named(task_id: str, attempt: int) -> str:
    """The id of the assignment record of that attempt of a task."""
    return f"{task_id}-{attempt}"
