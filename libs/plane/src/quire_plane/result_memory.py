"""Answers of this process, kept by full content: bounded by bytes and by age."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from quire_contracts.value import Execution
    from quire_quantum.executor import MemberOutcome
    from quire_resilience.clock import Clock

_ENTRY_BYTES: Final = 2_048
"""Of an entry's key, its execution and Python's objects around its arrays, generously."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A member's answer and the execution that it came from."""

    outcome: MemberOutcome
    execution: Execution


class ResultMemory:
    """Answers by content, least recently used out first; for one event loop.

    max_bytes: of all answers together; an answer larger than an eighth of it is not kept.
    max_age: seconds after which an answer is forgotten.
    """

    def __init__(self, clock: Clock, *, max_bytes: int = 64 * 1024 * 1024, max_age: float = 3_600.0) -> None:
        """Empty."""
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._entries: OrderedDict[str, tuple[Kept, int, float]] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> Kept | None:
        """The answer of this content, if it is still kept."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock.monotonic() - entry[2] > self._max_age:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer."""
        size = size_of(kept.outcome) + _ENTRY_BYTES
        if key in self._entries:
            self._drop(key)
        if size > self._max_bytes // 8:
            return
        self._entries[key] = (kept, size, self._clock.monotonic())
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        self._bytes -= self._entries.pop(key)[1]

    @property
    def bytes(self) -> int:
        """What is kept, in bytes."""
        return self._bytes

    def __len__(self) -> int:
        """Answers kept."""
        return len(self._entries)


def size_of(outcome: MemberOutcome) -> int:
    """Bytes of an answer's arrays."""
    counts = outcome.counts
    if counts is not None:
        return counts.offsets.nbytes + counts.tallies.nbytes + counts.outcomes.nbytes
    return sum(array.nbytes for array in (outcome.values, outcome.std_errors) if array is not None)
