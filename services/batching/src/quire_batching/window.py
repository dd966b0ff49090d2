"""Windows in which tasks wait for company: opened by the first, closed by age, by size or by a deadline.

Time is an argument (seconds of a monotonic clock), so the same calls always give the same batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from quire_batching.grouping import GroupKey, Load
from quire_contracts.batch import FlushReason
from quire_contracts.value import Priority

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Policy:
    """When a window closes: limits on what it holds, and how many seconds it stays open for each priority."""

    limits: Load
    age_seconds: Mapping[Priority, float]


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """Something that waits: its key, its load, and the moment by which it must leave, if there is one."""

    key: GroupKey
    load: Load
    content: T
    leave_by: float | None = None


@dataclass(frozen=True, slots=True)
class Window(Generic[T]):
    """Items of one key, in the order they came, and when they leave at the latest."""

    items: tuple[Item[T], ...]
    load: Load
    closes_at: float
    hurried: bool
    """Whether an item's deadline, not the window's age, says when it closes."""


@dataclass(frozen=True, slots=True)
class Closed(Generic[T]):
    """What left together, and why then."""

    key: GroupKey
    contents: tuple[T, ...]
    reason: FlushReason


Open = Mapping[GroupKey, Window[T]]
"""The open windows, at most one for each key."""


def admit(windows: Open[T], item: Item[T], now: float, policy: Policy) -> tuple[Open[T], tuple[Closed[T], ...]]:
    """Let an item in; the windows after it, and what closed because of it.

    An item that does not fit closes the window before it ("size") and opens the next. A window that is full closes at
    once: "size", or "single" when one item alone fills it. So does a window whose time is over.
    """
    window = windows.get(item.key)
    closed: list[Closed[T]] = []
    if window is not None and not (window.load + item.load).fits(policy.limits):
        closed.append(_close(item.key, window, "size"))
        window = None
    window = _with(window, item, now, policy)
    rest = {key: other for key, other in windows.items() if key != item.key}
    if window.load.fills(policy.limits):
        closed.append(_close(item.key, window, "single" if len(window.items) == 1 else "size"))
    elif window.closes_at <= now:
        closed.append(_close(item.key, window, _reason(window)))
    else:
        rest[item.key] = window
    return rest, tuple(closed)


def close_due(windows: Open[T], now: float) -> tuple[Open[T], tuple[Closed[T], ...]]:
    """Close the windows whose time is over; the rest, and what closed, the longest overdue first."""
    due = sorted((key for key in windows if windows[key].closes_at <= now), key=lambda key: windows[key].closes_at)
    rest = {key: window for key, window in windows.items() if window.closes_at > now}
    return rest, tuple(_close(key, windows[key], _reason(windows[key])) for key in due)


def _with(window: Window[T] | None, item: Item[T], now: float, policy: Policy) -> Window[T]:
    if window is None:
        window = Window((), Load(), now + policy.age_seconds[item.key.priority], hurried=False)
    hurried = item.leave_by is not None and item.leave_by < window.closes_at
    closes_at = item.leave_by if hurried and item.leave_by is not None else window.closes_at
    return Window((*window.items, item), window.load + item.load, closes_at, hurried or window.hurried)


def _close(key: GroupKey, window: Window[T], reason: FlushReason) -> Closed[T]:
    return Closed(key, tuple(item.content for item in window.items), reason)


def _reason(window: Window[T]) -> FlushReason:
    return "deadline" if window.hurried else "age"
