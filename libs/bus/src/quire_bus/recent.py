"""What a process has done lately, for consumers that do not write all of it on the log."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from quire_bus.errors import AlreadyDone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_MOST: Final = 16_384
"""Marks remembered: some seconds at full load, 4 MiB."""


class RecentMarks:
    """The inbox marks of the last deliveries that this process has done; the oldest are forgotten."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._done: dict[str, None] = {}
        self._under_way: dict[str, asyncio.Event] = {}

    def __contains__(self, mark: str | None) -> bool:
        """Whether it is remembered as done; what is under way is not, for it may yet fail."""
        return mark in self._done

    @asynccontextmanager
    async def doing(self, mark: str) -> AsyncIterator[None]:
        """Do what a mark stands for, after whoever is doing it already; remember it unless that raises.

        Raises:
            AlreadyDone: it is remembered.
        """
        while (other := self._under_way.get(mark)) is not None:
            await other.wait()
        if mark in self._done:
            raise AlreadyDone([mark])
        ended = self._under_way[mark] = asyncio.Event()
        try:
            yield
            self._done[mark] = None
            if len(self._done) > self._most:
                del self._done[next(iter(self._done))]
        finally:
            del self._under_way[mark]
            ended.set()
