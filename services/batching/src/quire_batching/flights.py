"""What leaves a queue together, and what is remembered of it until it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from quire_batching.grouping import GroupKey
from quire_batching.load import Load
from quire_contracts.batch import FlushReason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Closed(Generic[T]):
    """What leaves together, why then, and the ticket of the place it takes until `TargetQueue.over` gives it back."""

    key: GroupKey
    contents: tuple[T, ...]
    reason: FlushReason
    ticket: int
    load: Load


@dataclass(frozen=True, slots=True)
class Flight:
    """A batch under way: what is in it, and whether more was waiting that had no room.

    sent, expires: when it left, and when its place is free whatever has become of it.
    """

    key: GroupKey
    load: Load
    full: bool
    sent: float
    expires: float
