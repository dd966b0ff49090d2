"""Fan-in: the slices of a cut task come in any order, late or twice, and are gathered until all rows are there."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from quire_contracts.value import CountsTable, Execution, Key, Matrix, TraceParent

KIND: Final = "fanin"
KEEP_SECONDS: Final = 7 * 24 * 3600
"""How long a fan-in record is kept after its last change: longer than any slice can be late."""


class Part(msgspec.Struct, frozen=True):
    """One slice's answer: rows `first` to `first + rows` of the task, as counts or as values, and where it is from.

    `std_errors` stand beside values that were estimated from shots.
    """

    first: int
    rows: int
    counts: CountsTable | None
    values: Matrix | None
    execution: Execution
    queued_at: datetime
    formed_at: datetime
    traceparent: TraceParent | None = None
    std_errors: Matrix | None = None


class FanIn(msgspec.Struct, frozen=True):
    """What has come in of a task attempt. Once it is `over`, it was answered or has failed, and nothing counts."""

    task_id: Key
    attempt: int
    total_rows: int
    parts: tuple[Part, ...] = ()
    over: bool = False

    @property
    def complete(self) -> bool:
        """Whether as many rows as the task has are there."""
        return sum(part.rows for part in self.parts) >= self.total_rows


def absorb(fan_in: FanIn, part: Part) -> FanIn:
    """The fan-in with one more part, in row order; unchanged by a repeated part, and by any once it is over."""
    if fan_in.over or any(known.first == part.first for known in fan_in.parts):
        return fan_in
    parts = sorted((*fan_in.parts, part), key=lambda each: each.first)
    return msgspec.structs.replace(fan_in, parts=tuple(parts))


def finish(fan_in: FanIn) -> FanIn:
    """The fan-in after the task's end; it keeps no parts."""
    return msgspec.structs.replace(fan_in, parts=(), over=True)


def fan_in_id(task_id: str, attempt: int) -> str:
    """The id of a task attempt's fan-in record, within its tenant."""
    return f"{task_id}-{attempt}"
