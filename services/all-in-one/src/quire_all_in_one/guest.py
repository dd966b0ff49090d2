"""What the house keeps alive, whether it lives in this event loop or in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from quire_resilience.backoff import Backoff, Uniform
from quire_resilience.clock import Clock
from quire_service import Exit
from quire_service.hosting import Ended, ServiceFailed

PAUSES: Final = Backoff(base=0.1, cap=5.0)
_STEADY_SECONDS: Final = 10.0
"""A guest that lived this long starts with a clean sheet."""


class Guest(Protocol):
    """A service that was started; `quire_service.Running` is one, `process.Process` the other."""

    name: str

    async def started(self) -> None:
        """Wait until it consumes.

        Raises:
            ServiceFailed: it ended instead.
        """

    async def faults(self) -> dict[str, str]:
        """What its `/readyz` says; empty when it is ready."""

    def end(self, code: Exit, reason: str) -> None:
        """Ask it to stop; returns at once."""

    async def ended(self) -> Ended:
        """Wait until it is over, and say why."""


class Keeper:
    """Keeps one service alive: a new guest for each that ends before the house closes.

    The first start is different: a service that does not come up at all is a fault of the house.
    """

    def __init__(
        self, name: str, invite: Callable[[], Guest], *, clock: Clock, uniform: Uniform, log: FilteringBoundLogger
    ) -> None:
        self.name = name
        self._invite = invite
        self._clock = clock
        self._uniform = uniform
        self._log = log
        self._closing = asyncio.Event()
        self._guest: Guest = invite()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Wait until the service is ready for the first time, and keep it so from then on.

        Raises:
            ServiceFailed: it ended instead.
        """
        await self._guest.started()
        while await self._guest.faults():
            await self._clock.sleep(0.05)
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def close(self) -> None:
        """Stop the service and wait for its end. After this no other guest comes."""
        self._closing.set()
        self._guest.end(Exit.OK, "the house closes")
        if self._task is not None:
            await self._task
        await self._guest.ended()

    async def _keep(self) -> None:
        failures = 0
        while True:
            born = self._clock.monotonic()
            ended = await self._guest.ended()
            if self._closing.is_set():
                return
            failures = 1 if self._clock.monotonic() - born > _STEADY_SECONDS else failures + 1
            pause = 0.0 if failures == 1 else PAUSES.delay(failures - 1, self._uniform)
            self._log.warning("starting again", guest=self.name, reason=ended.reason, pause_seconds=round(pause, 3))
            await self._clock.sleep(pause)
            if self._closing.is_set():
                return
            self._guest = self._invite()


async def open_all(keepers: list[Keeper], *, seconds: float) -> None:
    """Open all side by side.

    Raises:
        ServiceFailed: the first one that did not come up, or that was not ready in time.
    """
    opening = {asyncio.create_task(keeper.open(), name=keeper.name): keeper for keeper in keepers}
    try:
        done, waiting = await asyncio.wait(opening, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        if waiting:
            names = ", ".join(sorted(task.get_name() for task in waiting))
            raise ServiceFailed(names, Ended(Exit.BROKER, f"not ready within {seconds:g} s"))
    finally:
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
