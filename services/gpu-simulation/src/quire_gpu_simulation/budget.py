"""The plane's memory as something to be leased, so that batches side by side stay inside one budget."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class MemoryBudget:
    """So many bytes for states and probabilities; who finds too few free waits for his turn. Thread-safe."""

    def __init__(self, total_bytes: int) -> None:
        """All of it is free."""
        self.total_bytes = total_bytes
        self._free = total_bytes
        self._changed = Condition()
        self._waiting: list[object] = []

    @contextmanager
    def lease(self, least_bytes: int, wanted_bytes: int) -> Iterator[int]:
        """Memory until the block ends: as much of `wanted_bytes` as is free, and `least_bytes` in any case.

        Waits until `least_bytes` (of the whole budget, if they are more than it) are free.
        """
        least = min(least_bytes, self.total_bytes)
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._waiting[0] is ticket and self._free >= least)
            granted = max(least, min(wanted_bytes, self._free))
            self._free -= granted
            self._waiting.remove(ticket)
            self._changed.notify_all()
        try:
            yield granted
        finally:
            with self._changed:
                self._free += granted
                self._changed.notify_all()
