"""One connection to the broker with everything on it: consume, follow, publish, records, blobs, queries."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import msgspec
import nats.errors
from opentelemetry import trace

from quire_bus import overhear, query, watch
from quire_bus.blobs import Blobs
from quire_bus.buckets import Bucket
from quire_bus.codec import Arrived, open_envelope
from quire_bus.compose import Sender
from quire_bus.connection import EXIT_CONNECTION_LOST, BusSettings, Connection, connect, end_process
from quire_bus.dead_letters import DeadLetters
from quire_bus.delivery import Logged
from quire_bus.follow import Follower
from quire_bus.process import Processor
from quire_bus.publisher import Publisher
from quire_bus.records import Records
from quire_bus.subjects import token
from quire_bus.trials import Trials
from quire_contracts.registry import entry_of
from quire_resilience.clock import Clock, SystemClock
from quire_resilience.errors import Transient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from opentelemetry.trace import Tracer

    from quire_bus.consume import SharedConnectionBroker
    from quire_bus.envelope import Meta
    from quire_bus.pull import Puller
    from quire_bus.router import Router
    from quire_contracts.control import Progress
    from quire_contracts.topology import Consumer
    from quire_contracts.value import Value

__all__ = ["EXIT_CONNECTION_LOST", "Bus", "BusSettings"]

T = TypeVar("T", bound=msgspec.Struct)

_CHECK_SECONDS = 2.0

Connecting = Callable[[BusSettings, Callable[[str], None]], Awaitable[Connection]]
"""Connects a service; told whom to tell when the connection is closed for good."""


class Bus:
    """Made by `Bus.connect`; one for each service of a process.

    publisher, blobs, dead_letters, connection: see their classes.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        tracer: Tracer,
        around: Callable[[Meta], AbstractContextManager[object]],
    ) -> None:
        self.connection = connection
        self.stopping = asyncio.Event()
        """Set when `stop` begins: handlers that wait for more to come should not."""

        self._around = around
        self._store = connection.store
        self._sender = Sender(self._store, f"/quire/{connection.settings.name}", clock, tracer)
        self.publisher = Publisher(connection, self._sender)
        self.blobs = Blobs(self._store, clock)
        self.dead_letters = DeadLetters(self._store, clock)
        self._trials = Trials(self._store, clock)
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
        tracer: Tracer | None = None,
        on_fatal: Callable[[str], None] = end_process,
        around: Callable[[Meta], AbstractContextManager[object]] = contextlib.nullcontext,
        clock: Clock | None = None,
        connecting: Connecting = connect,
    ) -> AsyncIterator[Bus]:
        """Connect, give the bus, and at the end stop it gracefully and close the connection.

        tracer: makes the spans of messages; by default the global provider's.
        on_fatal: called with the reason when the connection is closed for good or the broker forbids something; by
            default the process ends with exit code 69.
        around: a context for each run of a handler, given the message's envelope, so that logs carry its ids.
        connecting: makes the connection; `SharedConnections.connect` where services share a process.

        Raises:
            Transient: if there is no broker within `connect_seconds`.
        """
        connection = await connecting(settings, on_fatal)
        bus = cls(connection, clock or SystemClock(), tracer or trace.get_tracer("quire.bus"), around)
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
            for consumer in router.consumers:
                await self._check_consumer(consumer)
        for router in self._routers:
            await self._start_one(router)

    async def stop(self, grace: float | None = None) -> None:
        """Stop pulling, wait for running handlers up to `grace` seconds, and hand back what was not begun.

        grace: by default the settings' `graceful_seconds`. The connection stays open: publishing still works until the
            `connect` block ends.
        """
        self.stopping.set()
        seconds = self.connection.settings.graceful_seconds if grace is None else grace
        broker, self._broker = self._broker, None
        stopping = [follower.stop(seconds) for follower in self._followers]
        stopping += [answerer.stop(seconds) for answerer in self._answerers]
        if broker is not None:
            stopping.append(broker.stop_within(seconds))
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
        try:
            await asyncio.wait_for(self._store.last("quire.rec.shared.probe.probe"), _CHECK_SECONDS)
        except TimeoutError:
            reason = f"the broker does not answer within {_CHECK_SECONDS:g} s"
            raise Transient(reason, code="no-answer") from None
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

    async def last(self, message: type[Value], tenant: str, key: str) -> Logged | None:
        """The newest stored message of a class for a tenant and a key, or None.

        Raises:
            Unknown: if the broker does not answer in time.
            DecodeError: if it has no readable envelope.
            ValueError: if tenant or key cannot stand in a subject.
        """
        kept = await self._store.last(entry_of(message).subject_for(token(tenant, "tenant"), token(key, "key")))
        if kept is None:
            return None
        arrived = Arrived(kept.subject, kept.headers, kept.body, kept.time, stream_sequence=kept.sequence)
        return Logged(open_envelope(arrived))

    def read_log(self, *, after: int = 0, filter_: str = "quire.evt.>") -> AsyncIterator[Logged]:
        """See `watch.read_log`."""
        return watch.read_log(self.connection, after=after, filter_=filter_)

    async def bounds(self) -> tuple[int, int]:
        """The first and the last sequence of the log; see `watch.bounds`."""
        return await watch.bounds(self.connection)

    def watch_job(self, tenant: str, job_id: str, *, after: int = 0) -> AsyncIterator[tuple[int, Meta, bytes]]:
        """See `watch.watch_job`."""
        return watch.watch_job(self.connection, tenant, job_id, after=after)

    def overhear(self, subject: str, heard: overhear.Heard) -> AbstractAsyncContextManager[None]:
        """See `overhear.overhear`."""
        return overhear.overhear(self.connection, subject, heard)

    def watch_progress(self, tenant: str, job_id: str) -> AsyncIterator[Progress]:
        """See `watch.watch_progress`."""
        return watch.watch_progress(self.connection, tenant, job_id)

    async def _start_one(self, router: Router) -> None:
        if router.consumptions:
            await self._consume(router)
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

        sender = replace(self._sender, source=f"/quire/{router.service}")
        self._broker = self._broker or SharedConnectionBroker(self.connection)
        subscribers = [
            mount(
                self._broker,
                self.connection,
                row.consumer,
                Processor(row, sender, self.dead_letters, self._trials, self._around),
                workers=row.workers,
                ahead=row.ahead,
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
