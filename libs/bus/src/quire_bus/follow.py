"""Reading a durable in log order and in batches, acknowledged when the reader has committed: the ledger's way in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import TYPE_CHECKING, Final

import nats.errors

from quire_bus import codec
from quire_bus.delivery import Logged
from quire_bus.errors import DecodeError
from quire_bus.pull import Puller
from quire_resilience.backoff import Backoff

if TYPE_CHECKING:
    from quire_bus.connection import Connection
    from quire_bus.message import Message
    from quire_bus.router import Following

_LOG = logging.getLogger("quire.bus")
_LAST_SECONDS: Final = 2.0
_BACKOFF: Final = Backoff(base=0.1, cap=10.0)


class Follower:
    """Feeds one `Following`; runs until stopped."""

    def __init__(self, connection: Connection, following: Following) -> None:
        self._following = following
        self._waiting: dict[int, tuple[Message, asyncio.Future[None]]] = {}
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self.puller = Puller(connection, following.consumer, following.batch, self._take)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to follow."""
        self._tasks = [asyncio.create_task(self.puller.run()), asyncio.create_task(self._feed())]

    async def stop(self, seconds: float) -> None:
        """Stop pulling and wait up to `seconds` for the batch in the reader's hands; the rest comes again later."""
        await self.puller.stop()
        for message, settled in self._waiting.values():
            with contextlib.suppress(nats.errors.Error):
                message.nak()
            _done(settled)
        self._waiting.clear()
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=seconds)
            self._tasks[1].cancel()
            self.puller.give_up()
            await asyncio.wait(self._tasks, timeout=_LAST_SECONDS)

    def _take(self, message: Message) -> asyncio.Future[None]:
        """Hold a message (the puller keeps it alive) until the feed has settled it."""
        settled = self._loop.create_future()
        self._waiting[message.sequence] = (message, settled)
        self._arrived.set()
        return settled

    async def _feed(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                batch = [self._waiting.pop(sequence) for sequence in sorted(self._waiting)[: self._following.batch]]
                await self._hand_over([message for message, _ in batch])
                for message, settled in batch:
                    with contextlib.suppress(nats.errors.Error):
                        message.ack()
                    _done(settled)

    async def _hand_over(self, messages: list[Message]) -> None:
        """Until the reader has taken the batch: the log goes on for nobody who has not committed what came before."""
        entries = [entry for message in messages if (entry := logged(message)) is not None]
        attempt = 0
        while entries:
            try:
                await self._following.handler(entries)
            except Exception:  # noqa: BLE001 - whatever it is, the log must not go on past it
                attempt += 1
                durable = self._following.consumer.durable
                _LOG.exception("%s: the reader failed on a batch, attempt %d", durable, attempt)
                await asyncio.sleep(_BACKOFF.delay(attempt, random.random))
            else:
                return


def _done(settled: asyncio.Future[None]) -> None:
    if not settled.done():  # else the puller has given it up
        settled.set_result(None)


def logged(message: Message) -> Logged | None:
    """The entry, or None for what has no readable envelope: no projection can say anything of it."""
    arrived = message.arrived()
    try:
        opened = codec.open_envelope(arrived)
    except DecodeError as error:
        _LOG.error("message %d of the log has no readable envelope: %s", arrived.stream_sequence, error)
        return None
    return Logged(opened)
