"""Time as an argument: what waits or expires takes a `Clock`, and a test gives it one that it moves by hand."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The three things that code asks of time."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; never goes back. For durations and deadlines inside one process."""
        ...

    def now(self) -> datetime:
        """The wall-clock time, aware and in UTC. For what is written down or compared across processes."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once (but through the event loop) when they are not positive."""
        ...


class SystemClock:
    """The clock of the machine."""

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(max(0.0, seconds))
