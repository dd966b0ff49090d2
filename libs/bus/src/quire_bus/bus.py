"""One connection to the broker with everything on it: consume, follow, publish, records, blobs, queries."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

import msgspec
import nats.errors

from quire_bus import query, watch
from quire_bus.blobs import Blobs
from quire_bus.buckets import Bucket
from quire_bus.connection import EXIT_CONNECTION_LOST, BusSettings, Connection, connect, end_process
from quire_bus.dead_letters import DeadLetters
from quire_bus.delivery import Sender
from quire_bus.publisher import Publisher
from quire_bus.records import Records
from quire_bus.store import Store
from quire_contracts.topology import STREAM
from quire_resilience.clock import Clock, SystemClock
from quire_resilience.errors import Transient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from quire_bus.consume import SharedConnectionBroker
    from quire_bus.envelope import Meta
    from quire_bus.follow import Follower
    from quire_bus.pull import Puller
    from quire_bus.router import Router
    from quire_contracts.control import Progress
    from quire_contracts.topology import Consumer

__all__ = ["EXIT_CONNECTION_LOST", "Bus", "BusSettings"]

T = TypeVar("T", bound=msgspec.Struct)


class Bus:
    """Made by `Bus.connect`; one for each service of a process.

    publisher, blobs, dead_letters, connection: see their classes.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self.connection = connection
        self._clock = clock
        self._store = Store(connection)
        self.publisher = Publisher(connection, self._store, clock)
        self.blobs = Blobs(self._store, clock)
        self.dead_letters = DeadLetters(self._store, clock)
        self._routers: list[Router] = []
        self._pullers: list[Puller] = []
        self._followers: list[Follower] = []
        self._answerers: list[query.Answerer] = []
        self._broker: SharedConnectionBroker | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls,
        settings: BusSettings,
        *,
        on_fatal: Callable[[str], None] = end_process,
        clock: Clock | None = None,
    ) -> AsyncIterator[Bus]:
        """Connect, give the bus, and stop it gracefully at the end.

        on_fatal: called with the reason when the connection is closed for good or the broker forbids something; by
            default the process ends with exit code 69.

        Raises:
            Transient: if there is no broker within `connect_seconds`.
        """
        bus = cls(await connect(settings, on_fatal), clock or SystemClock())
        try:
            yield bus
        finally:
            await bus.stop()
            await bus.connection.close()

    def include(self, router: Router) -> None:
        """Mount a service's handlers; before `start`."""
        self._routers.append(router)

    async def start(self) -> None:
        """Begin to consume, follow and answer what the included routers say.

        Raises:
            Transient: if a consumer of theirs is not on the broker, or differs from the topology: provision first.
        """
        for router in self._routers:
            for row in (*router.consumptions, *router.followings):
                await self._check_consumer(row.consumer)
        for router in self._routers:
            await self._start_one(router)

    async def stop(self) -> None:
        """Stop pulling, wait for running handlers up to `graceful_seconds`, and hand back what was not begun."""
        seconds = self.connection.settings.graceful_seconds
        broker, self._broker = self._broker, None
        stopping = [follower.stop(seconds) for follower in self._followers]
        stopping += [answerer.stop(seconds) for answerer in self._answerers]
        if broker is not None:
            stopping += [subscriber.stop() for subscriber in broker.subscribers]
        self._followers, self._answerers, self._pullers = [], [], []
        await asyncio.gather(*stopping)

    @property
    def is_healthy(self) -> bool:
        """Whether it is connected and every durable of its routers can be pulled; asks nobody."""
        return self.connection.is_connected and all(puller.healthy for puller in self._pullers)

    async def check(self) -> None:
        """Ask the broker end to end, for a readiness probe.

        Raises:
            Transient: if it does not answer in time, the log stream is missing, or a durable cannot be pulled.
        """
        if not self.connection.is_connected:
            raise Transient("not connected to the broker", code="not-connected")
        await self._store.last("quire.rec.shared.probe.probe", stream=STREAM.name)
        missing = [puller.consumer.durable for puller in self._pullers if not puller.healthy]
        if missing:
            raise Transient(f"cannot be pulled: {', '.join(missing)}", code="not-pulled")

    def records(self, kind: str, type_: type[T]) -> Records[T]:
        """The typed records of one kind."""
        return Records(self._store, kind, type_)

    def bucket(self, name: str, type_: type[T]) -> Bucket[T]:
        """A typed view of one of the topology's key-value buckets."""
        return Bucket(self._store, name, type_)

    async def ask(
        self, service: str, name: str, question: msgspec.Struct, answer: type[T], *, seconds: float = 2.0
    ) -> T:
        """See `query.ask`."""
        return await query.ask(self.connection, service, name, question, answer, seconds=seconds)

    def watch_job(self, tenant: str, job_id: str, *, after: int = 0) -> AsyncIterator[tuple[int, Meta, bytes]]:
        """See `watch.watch_job`."""
        return watch.watch_job(self.connection, tenant, job_id, after=after)

    def watch_progress(self, tenant: str, job_id: str) -> AsyncIterator[Progress]:
        """See `watch.watch_progress`."""
        return watch.watch_progress(self.connection, tenant, job_id)

    async def _start_one(self, router: Router) -> None:
        if router.consumptions:
            await self._consume(router)
        if router.followings:
            from quire_bus.follow import Follower  # noqa: PLC0415

            for following in router.followings:
                follower = Follower(self.connection, following)
                follower.start()
                self._followers.append(follower)
                self._pullers.append(follower.puller)
        for answering in router.answerings:
            answerer = query.Answerer(self.connection, router.service, answering)
            await answerer.start()
            self._answerers.append(answerer)

    async def _consume(self, router: Router) -> None:
        # Only a process that consumes pays for FastStream's import (about a second).
        from quire_bus.consume import SharedConnectionBroker, mount  # noqa: PLC0415
        from quire_bus.process import Processor  # noqa: PLC0415

        sender = Sender(self._store, f"/quire/{router.service}", self._clock)
        self._broker = self._broker or SharedConnectionBroker(self.connection)
        subscribers = [
            mount(
                self._broker,
                self.connection,
                row.consumer,
                Processor(row, sender, self.dead_letters),
                workers=row.workers,
            )
            for row in router.consumptions
        ]
        self._pullers += [subscriber.puller for subscriber in subscribers]
        await self._broker.connect()
        for subscriber in subscribers:
            await subscriber.start()

    async def _check_consumer(self, consumer: Consumer) -> None:
        """An existing durable keeps its own limits whatever a client asks for, so a difference is found here."""
        js = self.connection.client.jetstream(timeout=self.connection.settings.timeout_seconds)
        try:
            found = (await js.consumer_info(consumer.stream, consumer.durable)).config
        except (nats.errors.Error, TimeoutError) as error:
            reason = f"the consumer {consumer.durable} is not on the broker ({error}); run the provisioning first"
            raise Transient(reason, code="not-provisioned") from error
        if (found.ack_wait, found.max_deliver) != (consumer.ack_wait, consumer.max_deliver):
            reason = f"the consumer {consumer.durable} differs from the topology; run the provisioning again"
            raise Transient(reason, code="not-provisioned")
