"""The tasks that run beside a service's handlers, watched: one that ends too early ends the service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from structlog.typing import FilteringBoundLogger

from quire_service.composition import Background


class Watched:
    """The background tasks of one service, running from construction on.

    fail: called with a reason for each task that raises, or returns before it was told to stop.
    """

    def __init__(
        self, tasks: Mapping[str, Background], *, service: str, log: FilteringBoundLogger, fail: Callable[[str], None]
    ) -> None:
        self._log = log
        self._fail = fail
        self._stopping = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._watch(name, task), name=f"{service}:{name}") for name, task in tasks.items()
        ]

    async def stop(self, seconds: float) -> None:
        """Tell all tasks to finish, wait at most `seconds`, and cancel those that have not."""
        self._stopping.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            self._log.warning("background task cancelled", task=task.get_name(), seconds=seconds)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self, name: str, task: Background) -> None:
        try:
            await task(self._stopping)
        except Exception as error:  # noqa: BLE001 - whatever it was, the service must not live on without this task
            self._log.exception("background task failed", task=name)
            self._fail(f"background task {name} failed: {type(error).__name__}: {error}")
        else:
            if not self._stopping.is_set():
                self._fail(f"background task {name} ended before it was told to")
