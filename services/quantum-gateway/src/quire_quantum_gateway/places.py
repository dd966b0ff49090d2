"""How many batches of one target are in hand at once: what waits for a slow one waits outside of the others' places."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from quire_quantum_gateway.limits import FULL_SECONDS, Postponed
from quire_quantum_gateway.providers.error_table import meanings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_FULL: Final = "too-many-jobs"


@dataclass(frozen=True, slots=True)
class Places:
    """The places of one gateway; for one event loop.

    local: batches of one local target that are begun; more wait, in the order in which they came.
    remote: batches of one remote target, which may wait at their provider for hours; more come again later.
    """

    local: int = 16
    remote: int = 128
    _waiting: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    _held: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def of(self, target: str, *, remote: bool) -> AsyncIterator[None]:
        """Hold a place of the target for the block.

        Raises:
            Postponed: a remote target has none left.
        """
        if not remote:
            async with self._waiting.setdefault(target, asyncio.Semaphore(self.local)):
                yield
            return
        if self._held[target] >= self.remote:
            raise Postponed(meanings()[_FULL].fault, FULL_SECONDS)
        self._held[target] += 1
        try:
            yield
        finally:
            self._held[target] -= 1
