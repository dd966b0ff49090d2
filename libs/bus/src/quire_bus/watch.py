"""Reading the life of one job as it grows, and its live progress: for a page, a stream of events, a command line."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from typing import TYPE_CHECKING, Final

import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from quire_bus import codec
from quire_bus.delivery import Logged
from quire_bus.errors import DecodeError
from quire_bus.follow import logged
from quire_bus.pull import Puller
from quire_bus.subjects import token
from quire_contracts.control import Progress
from quire_contracts.registry import job_life, progress_subject
from quire_contracts.topology import STREAM, Consumer
from quire_resilience.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from quire_bus.connection import Connection
    from quire_bus.envelope import Meta
    from quire_bus.message import Message

_LOG = logging.getLogger("quire.bus")
_BACKOFF: Final = Backoff(base=0.05, cap=2.0)
_AHEAD: Final = 64
_LOOK_SECONDS: Final = 0.5
_FORGOTTEN_SECONDS: Final = 30.0


async def watch_job(
    connection: Connection, tenant: str, job_id: str, *, after: int = 0
) -> AsyncIterator[tuple[int, Meta, bytes]]:
    """The events of one job behind stream sequence `after`, in log order, then each new one as it is stored.

    Yields (stream sequence, envelope, body as JSON bytes), without end: stop reading when the job's last event has
    come. Goes on where it was when the broker comes back. What has no readable envelope is left out.

    Raises:
        ValueError: if tenant or job id cannot stand in a subject.
    """
    subject = job_life(token(tenant, "tenant"), token(job_id, "job id"))
    position = after
    attempt = 0
    while True:
        reading = _Reading(connection, subject, position + 1)
        try:
            await reading.open()
            attempt = 0
            async for message in reading.messages():
                position = message.sequence
                try:
                    opened = codec.open_envelope(message.arrived())
                except DecodeError as error:
                    _LOG.warning("message %d has no readable envelope: %s", position, error)
                    continue
                yield position, opened.meta, opened.body
        except (nats.errors.Error, TimeoutError) as error:
            attempt += 1
            _LOG.warning("watching %s: %s", subject, repr(error))
            await asyncio.sleep(_BACKOFF.delay(attempt, random.random) + 0.01)
        finally:
            await reading.close()


async def read_log(connection: Connection, *, after: int = 0, filter_: str = "quire.evt.>") -> AsyncIterator[Logged]:
    """Everything that is stored now under a subject filter behind stream sequence `after`, in log order; then it ends.

    What is stored while it reads may or may not be among it. What has no readable envelope is left out.
    """
    _, last = await bounds(connection)
    position = after
    while position < last:
        reading = _Reading(connection, filter_, position + 1)
        try:
            if not await reading.open():
                return
            async for message in reading.messages():
                position = message.sequence
                entry = logged(message)
                if entry is not None:
                    yield entry
                if position >= last or not message.pending:
                    return
        finally:
            await reading.close()


async def bounds(connection: Connection) -> tuple[int, int]:
    """The first and the last sequence of the log; (first, first - 1) where nothing is kept.

    Raises:
        NotStored, Unknown: if the log cannot be asked.
    """
    return await connection.store.bounds(STREAM.name)


async def watch_progress(connection: Connection, tenant: str, job_id: str) -> AsyncIterator[Progress]:
    """A job's live remarks as they are said; what was said before, or while the broker was away, is gone.

    Raises:
        ValueError: if tenant or job id cannot stand in a subject.
    """
    subject = progress_subject(token(tenant, "tenant"), token(job_id, "job id"))
    subscription = await connection.client.subscribe(subject)
    try:
        async for message in subscription.messages:
            with contextlib.suppress(DecodeError):
                yield codec.decode_as(Progress, message.data)
    finally:
        if not connection.client.is_closed:
            await subscription.unsubscribe()


class _Reading:
    """An ephemeral consumer from one place on the log on, for as long as nothing of it can have been lost."""

    def __init__(self, connection: Connection, subject: str, start: int) -> None:
        self._connection = connection
        self._config = ConsumerConfig(
            name=f"watch-{secrets.token_hex(8)}",
            filter_subject=subject,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=start,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=_FORGOTTEN_SECONDS,
            mem_storage=True,
            num_replicas=1,
        )
        self._queue: asyncio.Queue[tuple[Message, asyncio.Event]] = asyncio.Queue()
        self._lost = False
        self._puller: Puller | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> bool:
        """Make the consumer and begin; whether anything waits for it already."""
        info = await self._connection.client.jetstream().add_consumer(STREAM.name, self._config)
        name = str(self._config.name)
        self._puller = Puller(self._connection, Consumer("", name, (), STREAM.name), _AHEAD, self._take)
        self._connection.reconnected.add(self._on_reconnected)
        self._task = asyncio.create_task(self._puller.run())
        return bool(info.num_pending)

    async def messages(self) -> AsyncIterator[Message]:
        """In order, without a gap; ends where a gap may follow, because nothing here is acknowledged."""
        expected = 1
        while self._puller is not None and self._puller.healthy and not self._lost:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    message, taken = await self._queue.get()
            except TimeoutError:
                continue
            taken.set()
            if message.consumer_sequence != expected:
                return
            expected += 1
            yield message

    async def close(self) -> None:
        self._connection.reconnected.discard(self._on_reconnected)
        if self._puller is None or self._task is None:
            return
        await self._puller.stop()
        self._puller.give_up()
        await asyncio.wait([self._task])
        if not self._lost and self._connection.is_connected:
            with contextlib.suppress(nats.errors.Error, TimeoutError):
                await self._connection.client.jetstream().delete_consumer(STREAM.name, str(self._config.name))

    async def _take(self, message: Message) -> None:
        """Hold a message until its reader has come to it, so that no more than `_AHEAD` are here at a time."""
        taken = asyncio.Event()
        self._queue.put_nowait((message, taken))
        await taken.wait()

    def _on_reconnected(self) -> None:
        self._lost = True
