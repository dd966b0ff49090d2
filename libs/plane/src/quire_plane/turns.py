"""One run at a time for each batch: a message that comes twice at once waits, and then finds the first one's answer."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Turns:
    """Locks by batch id, held for this process only; another replica is held off by the records' compare-and-swap."""

    def __init__(self) -> None:
        """Nobody has a turn."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, batch_id: str) -> AsyncIterator[None]:
        """Hold the batch's turn for the block."""
        lock = self._locks.setdefault(batch_id, asyncio.Lock())
        async with lock:
            yield
