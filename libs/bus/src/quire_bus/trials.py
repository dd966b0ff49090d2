"""Whether a message ends the processes that take it, or was in the hands of processes that others ended.

The broker counts deliveries, and cannot say why one was not answered. So failures are written down, and what was
delivered more often than it failed is suspected. A suspect is tried: it runs with fewer and fewer other suspects beside
it, each trial is written down before it begins, and a message that ends its last trial's process is guilty. Whoever
only was in bad company, or was delivered again because a broker went away, passes its first trial.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import msgspec

from quire_bus.records import Records
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from quire_bus.codec import Arrived
    from quire_bus.records import Stored
    from quire_bus.store import Store
    from quire_resilience.clock import Clock

KIND: Final = "trouble"
KEPT_SECONDS: Final = 24 * 3600
SUSPECT_AFTER: Final = 3
"""Unexplained deliveries, from which on a message is tried."""

UNCOUNTED: Final = 2

ALONE_SECONDS: Final = (0.25, 2.0, 10.0, 30.0, 30.0)
"""How long no other suspect begins beside one, in each of its trials. Five, because a worker that is killed every ten
seconds for other reasons ends many a long trial too: with three, one message in a thousand was condemned for it. One
that does kill its worker comes back every `ack_wait`, and is found out after `SUSPECT_AFTER` + 5 deaths."""

_TENANT: Final = "shared"


class Trouble(msgspec.Struct, frozen=True):
    """What is known of a message that came again: its failures, and its trials that nobody saw the end of.

    The first failures are not written down (`UNCOUNTED`): most messages that fail once or twice succeed then.
    """

    failures: int = 0
    trials: int = 0


class Trials:
    """The troubles of a process's messages; one for each process's connection."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._records = Records(store, KIND, Trouble)
        self._clock = clock
        self._bench = asyncio.Lock()

    async def known(self, durable: str, arrived: Arrived) -> Trouble:
        """What is known of a message.

        Raises:
            QuireError: the broker cannot say.
        """
        stored = await self._stored(durable, arrived)
        return stored.value if stored is not None else Trouble()

    async def failed(self, durable: str, arrived: Arrived) -> int:
        """One more failure: how many there were, at least. Where the broker does not take it, it is not counted."""
        if arrived.attempt <= UNCOUNTED:
            return arrived.attempt
        trouble = Trouble()
        with contextlib.suppress(QuireError):
            trouble = await self.known(durable, arrived)
            trouble = msgspec.structs.replace(trouble, failures=trouble.failures + 1)
            await self._write(durable, arrived, trouble)
        return UNCOUNTED + trouble.failures

    @contextlib.asynccontextmanager
    async def trial(self, durable: str, arrived: Arrived, trouble: Trouble) -> AsyncIterator[None]:
        """Run the block as the message's next trial, which it survives when the block ends, however it does.

        Raises:
            QuireError: the trial could not be written down; it did not begin.
        """
        number = min(trouble.trials, len(ALONE_SECONDS) - 1)
        await self._bench.acquire()
        leaving = None
        try:
            await self._write(durable, arrived, msgspec.structs.replace(trouble, trials=trouble.trials + 1))
            leaving = asyncio.create_task(self._leave(ALONE_SECONDS[number]))
            yield
        finally:
            if leaving is None:
                self._bench.release()
            else:
                if not leaving.done():
                    leaving.cancel()
                    self._bench.release()
                with contextlib.suppress(QuireError):
                    await self._write(durable, arrived, trouble)

    async def _leave(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._bench.release()

    async def _stored(self, durable: str, arrived: Arrived) -> Stored[Trouble] | None:
        return await self._records.get(_TENANT, _name(durable, arrived))

    async def _write(self, durable: str, arrived: Arrived, trouble: Trouble) -> None:
        await self._records.put(self._records.write(_TENANT, _name(durable, arrived), trouble, None, KEPT_SECONDS))


NO_TROUBLE: Final = Trouble()


def may_be_suspect(arrived: Arrived) -> bool:
    """Whether it is worth asking what is known of a message."""
    return arrived.attempt > SUSPECT_AFTER


def is_suspect(arrived: Arrived, trouble: Trouble) -> bool:
    """Whether a message was delivered more often than its failures explain."""
    return arrived.attempt - 1 - trouble.failures >= SUSPECT_AFTER


def is_guilty(trouble: Trouble) -> bool:
    """Whether it ended every process that tried it, the last of them while no other suspect was there."""
    return trouble.trials >= len(ALONE_SECONDS)


def _name(durable: str, arrived: Arrived) -> str:
    return f"{durable}-{arrived.stream_sequence}"
