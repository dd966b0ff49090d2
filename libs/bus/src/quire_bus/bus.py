"""One connection to the broker with everything on it: consume, publish, records, blobs, queries."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from quire_bus.blobs import Blobs
    from quire_bus.buckets import Bucket
    from quire_bus.dead_letters import DeadLetters
    from quire_bus.publisher import Publisher
    from quire_bus.records import Records
    from quire_bus.router import Router

T = TypeVar("T", bound=msgspec.Struct)

EXIT_CONNECTION_LOST = 69
"""EX_UNAVAILABLE of sysexits.h: the connection is closed for good, or the broker forbade something."""


@dataclass(frozen=True, slots=True)
class BusSettings:
    """How a service reaches the broker.

    url: one or more comma-separated `nats://host:port`.
    name: the service's name; it is the source of its messages (`/quire/<name>`) and the connection's name.
    nkeys_seed: path of a file with the service's nkey seed, or None for a broker without users.
    tls_ca: path of the certificate authority's file, or None for a connection without TLS.
    timeout_seconds: for one answer of the broker; an election can take several seconds.
    graceful_seconds: how long `stop` waits for running handlers.
    """

    url: str
    name: str
    nkeys_seed: str | None = None
    tls_ca: str | None = None
    timeout_seconds: float = 5.0
    graceful_seconds: float = 15.0


class Bus:
    """Made by `Bus.connect`; one for each service of a process.

    publisher, blobs, dead_letters: see their classes.
    """

    publisher: Publisher
    blobs: Blobs
    dead_letters: DeadLetters

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, settings: BusSettings, *, on_fatal: Callable[[str], None] | None = None
    ) -> AsyncIterator[Bus]:
        """Connect, give the bus, and stop it gracefully at the end.

        on_fatal: called once with the reason when the connection is closed for good or the broker forbids something;
            by default the process ends with exit code 69.
        """
        yield cls()

    def include(self, router: Router) -> None:
        """Mount a service's handlers; before `start`."""

    async def start(self) -> None:
        """Begin to consume, follow and answer what the included routers say.

        Raises:
            Transient: if a stream or consumer is not there yet (`NotProvisioned`): provision first, or try again.
        """

    async def stop(self) -> None:
        """Stop pulling, wait for running handlers up to `graceful_seconds`, hand back what was not begun, and drain."""

    async def check(self) -> None:
        """Ask the broker end to end, for a readiness probe.

        Raises:
            Transient: if it does not answer in time, the log stream is missing, or a consumer cannot be pulled.
        """

    def records(self, kind: str, type_: type[T]) -> Records[T]:
        """The typed records of one kind."""
        ...

    def bucket(self, name: str, type_: type[T]) -> Bucket[T]:
        """A typed view of one of the topology's key-value buckets."""
        ...

    async def ask(self, service: str, name: str, question: msgspec.Struct, answer: type[T], *, seconds: float = 2.0) -> T:
        """Ask a service and wait for its answer.

        Raises:
            Unanswered: nobody answers that question, or not in time.
            QueryFailed: the service answered with a permanent fault; a transient one raises Transient.
        """
        ...
