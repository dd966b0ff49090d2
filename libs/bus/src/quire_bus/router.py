"""What a service consumes, follows and answers: a table of plain functions, nothing connected.

::

    def build(executor: Executor) -> Router:
        router = Router("gpu-simulation")

        @router.consume(SimulateBatch, workers=2, failed=batch_failed)
        async def do_simulate(message: SimulateBatch, delivery: Delivery[SimulateBatch]) -> None:
            await delivery.commit(executed(await executor.run(message.batch)))

        return router
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from quire_bus.delivery import Delivery, Inbox, Logged
from quire_bus.envelope import Meta, Outgoing
from quire_contracts.registry import Entry, entry_of
from quire_contracts.topology import CONSUMERS, Consumer, consumer_of
from quire_contracts.value import Fault, Value

M = TypeVar("M", bound=Value)
Q = TypeVar("Q", bound=msgspec.Struct)
A = TypeVar("A", bound=msgspec.Struct)

Handler = Callable[[M, Delivery[M]], Awaitable[None]]
"""Translates one message into effects. It must be safe to run twice: at-least-once is the law."""

Failed = Callable[[M, Meta, Fault], Sequence[Value | Outgoing]]
"""The events that tell the rest of the house that a message could not be done. Pure."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """One row of a router: which durable, which message, which handler, and how."""

    entry: Entry
    consumer: Consumer
    handler: Handler[Any]
    workers: int
    inbox: Inbox
    attempts: int
    failed: Failed[Any] | None
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Following:
    """One durable over many types, read in order and in batches."""

    consumer: Consumer
    handler: Callable[[Sequence[Logged]], Awaitable[None]]
    batch: int


@dataclass(frozen=True, slots=True)
class Answering:
    """One question that this service answers."""

    name: str
    question: type[msgspec.Struct]
    handler: Callable[[Any], Awaitable[msgspec.Struct]]


@dataclass(slots=True)
class Router:
    """The handlers of one service; `Bus.include` mounts it.

    service: the service's name as in the topology, such as `quantum-gateway`.
    """

    service: str
    consumptions: list[Consumption] = field(default_factory=list)
    followings: list[Following] = field(default_factory=list)
    answerings: list[Answering] = field(default_factory=list)

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """The durables that this router needs on the broker."""
        rows: list[Consumption | Following] = [*self.consumptions, *self.followings]
        return tuple(row.consumer for row in rows)

    def consume(
        self,
        message: type[M],
        *,
        workers: int = 1,
        ahead: int = 0,
        inbox: Inbox = "strict",
        attempts: int = 6,
        failed: Failed[M] | None = None,
    ) -> Callable[[Handler[M]], Handler[M]]:
        """Handle every `message` of every tenant by the decorated `async def (message, delivery) -> None`.

        workers: handlers that run at the same time in this process; messages beyond that wait at the broker.
        ahead: of those, how many wait in this process instead, so that tenants take turns under a backlog; each
            tenant's own keep their order. The broker gives no more than the topology's `max_ack_pending` to all
            replicas together.
        inbox: how a repetition is known. "strict": a message that was committed before is acknowledged without calling
            the handler, and `delivery.commit` writes the mark in the same atomic batch as its messages and records; a
            handler that returns without a commit gets its mark written then. "light": for a handler that changes
            nothing but by its commit, and may run again for little; see `Inbox`. "none": there is no mark: the
            handler's own record must absorb repetitions.
        attempts: failures before the message is given up; must stay under the topology's `max_deliver`. A delivery
            whose process was ended is no failure: see `quire_bus.trials`.
        failed: pure function of (message, meta, fault) that gives the failure events. They are committed (with the
            inbox mark) when the handler raises Permanent, and when the message is given up. Without it, a Permanent
            is dead-lettered.

        What the handler may raise: `Permanent` ends it with `failed`; `Transient` has it delivered again after a
        full-jitter delay (at least `retry_after`); `Conflict` runs it again at once, a few times. Anything else is a
        bug: delivered again until `attempts`, then dead-lettered with its reason (and `failed`).

        Raises:
            LookupError: if the topology gives this service no consumer of that message.
            ValueError: for a limit that cannot hold.
        """
        consumer = consumer_of(self.service, message)
        if workers < 1 or ahead < 0 or not 1 <= attempts < consumer.max_deliver:
            needs = f"{consumer.durable}: needs workers >= 1, ahead >= 0 and 1 <= attempts < max_deliver"
            detail = f"workers={workers}, ahead={ahead}, attempts={attempts}, max_deliver={consumer.max_deliver}"
            raise ValueError(f"{needs}, got {detail}")

        def register(handler: Handler[M]) -> Handler[M]:
            row = Consumption(entry_of(message), consumer, handler, workers, inbox, attempts, failed, ahead)
            self.consumptions.append(row)
            return handler

        return register

    def follow(
        self, durable: str, *, batch: int = 256
    ) -> Callable[[Callable[[Sequence[Logged]], Awaitable[None]]], Callable[[Sequence[Logged]], Awaitable[None]]]:
        """Read the durable's messages in log order by the decorated `async def (entries) -> None`.

        The handler gets 1 to `batch` entries in rising `stream_sequence`; they are acknowledged when it returns, so it
        commits its own effects first. If it raises, the same entries come again, in order, after a pause; after a
        crash the unacknowledged ones do, so that entries it has seen can come again and must change nothing.

        Raises:
            LookupError: if the topology has no such durable for this service.
        """
        rows = [row for row in CONSUMERS if row.durable == durable and row.service == self.service]
        if not rows:
            raise LookupError(f"topology.py gives {self.service} no consumer named {durable}")

        def register(
            handler: Callable[[Sequence[Logged]], Awaitable[None]],
        ) -> Callable[[Sequence[Logged]], Awaitable[None]]:
            self.followings.append(Following(rows[0], handler, batch))
            return handler

        return register

    def answer(
        self, name: str, question: type[Q]
    ) -> Callable[[Callable[[Q], Awaitable[A]]], Callable[[Q], Awaitable[A]]]:
        """Answer requests on `quire.query.<service>.<name>` by the decorated `async def (question) -> answer`.

        One of the service's replicas gets each request. A raised Permanent or Transient travels back as its fault.
        """

        def register(handler: Callable[[Q], Awaitable[A]]) -> Callable[[Q], Awaitable[A]]:
            self.answerings.append(Answering(name, question, handler))
            return handler

        return register
