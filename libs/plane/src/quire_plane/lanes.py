"""A few threads for each target, so that a slow one takes none from the others."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from quire_resilience.clock import Clock

T = TypeVar("T")


class Lanes:
    """Bulkheads for blocking calls.

    threads: how many calls of one target run at the same time; more wait, in the order in which they came.
    """

    def __init__(self, threads: int, clock: Clock) -> None:
        """No thread is started before it is needed."""
        self._threads = threads
        self._clock = clock
        self._lanes: dict[str, ThreadPoolExecutor] = {}

    async def run(self, target: str, call: Callable[[], T]) -> tuple[T, float]:
        """Run a blocking call on a thread of the target's lane; its result and the seconds it waited for the thread."""
        lane = self._lanes.get(target)
        if lane is None:
            lane = ThreadPoolExecutor(self._threads, thread_name_prefix=f"lane-{target}")
            self._lanes[target] = lane
        asked = self._clock.monotonic()

        def timed() -> tuple[T, float]:
            waited = self._clock.monotonic() - asked
            return call(), waited

        return await asyncio.get_running_loop().run_in_executor(lane, timed)

    async def close(self) -> None:
        """Drop what has not begun; what runs, runs to its end."""
        for lane in self._lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)
