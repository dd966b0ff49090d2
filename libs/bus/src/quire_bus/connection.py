"""The one connection of a service: it reconnects for ever, and where it cannot, it ends the process.

A client that has become *closed* is worse than a dead process: every call fails at once and loops spin. So a closed
connection, and a permissions violation (which otherwise shows only as a time-out), are fatal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import ssl
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import nats
import nats.errors

from quire_bus.store import Store
from quire_bus.wire import Wire
from quire_resilience.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.client import Client

    from quire_resilience.backoff import Uniform

_LOG = logging.getLogger("quire.bus")

EXIT_CONNECTION_LOST: Final = 69
"""EX_UNAVAILABLE of sysexits.h."""


@dataclass(frozen=True, slots=True)
class BusSettings:
    """How a service reaches the broker.

    url: one or more comma-separated `nats://host:port`.
    name: the service's name; it is the source of its messages (`/quire/<name>`), its connection's name, and part of
        its private inbox prefix.
    nkeys_seed: path of a file with the service's nkey seed, or None for a broker without users.
    tls_ca: path of the certificate authority's file, or None for a connection without TLS.
    timeout_seconds: for one answer of the broker; an election can take several seconds.
    connect_seconds: for the first connection; afterwards it reconnects for ever.
    graceful_seconds: how long `Bus.stop` waits for running handlers.
    """

    url: str
    name: str
    nkeys_seed: str | None = None
    tls_ca: str | None = None
    timeout_seconds: float = 5.0
    connect_seconds: float = 30.0
    graceful_seconds: float = 15.0


def end_process(reason: str) -> None:
    """End this process at once with exit code 69; its supervisor starts it again."""
    _LOG.critical("ending the process: %s", reason)
    logging.shutdown()
    os._exit(EXIT_CONNECTION_LOST)


@dataclass(slots=True)
class Connection:
    """A connected client and what is told about it.

    wire: the hot path over it.
    reconnected: callbacks for when it is connected again; requests in flight at the broker are lost by then.
    store: the log over it.
    """

    client: Client
    settings: BusSettings
    wire: Wire
    reconnected: set[Callable[[], None]] = field(default_factory=set)
    closing: bool = False
    store: Store = field(init=False)
    _give_back: Callable[[], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        """The store is made with the connection, so that whoever shares it shares what waits in it."""
        self.store = Store(self)

    @property
    def is_connected(self) -> bool:
        """Whether the client has a live connection at this moment."""
        return bool(self.client.is_connected)

    def share(self, settings: BusSettings, give_back: Callable[[], Awaitable[None]]) -> Connection:
        """This connection for another service of the process; `give_back` is called instead of closing it."""
        shared = replace(self, settings=settings, _give_back=give_back)
        shared.store = self.store
        return shared

    async def flush(self) -> None:
        """Wait until the broker has what was said, as long as it answers."""
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            await self.client.flush()

    async def close(self) -> None:
        """Flush what was said, then close; not fatal, because it was asked for."""
        if self._give_back is not None:
            await self._give_back()
            return
        self.closing = True
        try:
            await asyncio.wait_for(self.client.drain(), self.settings.timeout_seconds)
        except (nats.errors.Error, TimeoutError):
            await self.client.close()


async def connect(
    settings: BusSettings, on_fatal: Callable[[str], None] = end_process, *, uniform: Uniform = random.random
) -> Connection:
    """Connect to the broker.

    on_fatal: called with the reason when the connection is closed for good or the broker forbids something.
    uniform: the source of this client's jitter.

    Raises:
        Transient: if there is no connection within `connect_seconds`.
    """
    holder: list[Connection] = []

    async def on_error(error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            on_fatal(f"the broker forbids what {settings.name} does: {error}")
        else:
            _LOG.warning("broker connection: %s", repr(error))

    async def on_closed() -> None:
        if holder and not holder[0].closing:
            on_fatal(f"the connection to the broker is closed: {holder[0].client.last_error}")

    async def on_reconnected() -> None:
        _LOG.warning("connected to the broker again")
        for callback in tuple(holder[0].reconnected) if holder else ():
            callback()

    async def on_disconnected() -> None:
        if holder and not holder[0].closing:
            _LOG.warning("the connection to the broker is lost; reconnecting")

    connecting = nats.connect(
        servers=[url.strip() for url in settings.url.split(",")],
        name=settings.name,
        error_cb=on_error,
        closed_cb=on_closed,
        reconnected_cb=on_reconnected,
        disconnected_cb=on_disconnected,
        max_reconnect_attempts=-1,
        # Not the same for every client, or a restarted broker is stormed in step.
        reconnect_time_wait=0.05 + 0.2 * uniform(),
        ping_interval=2,  # with two unanswered pings allowed a dead link is noticed after about six seconds
        max_outstanding_pings=2,
        inbox_prefix=f"_INBOX.{settings.name}".encode(),
        **_security(settings),
    )
    try:
        client = await asyncio.wait_for(connecting, settings.connect_seconds)
    except TimeoutError:
        raise Transient(
            f"no broker at {settings.url} within {settings.connect_seconds:g} s", code="no-broker"
        ) from None
    except (nats.errors.Error, OSError) as error:
        raise Transient(f"cannot connect to {settings.url}: {error}", code="no-broker") from error
    wire = Wire(client, settings.timeout_seconds)
    await wire.open()
    holder.append(Connection(client, settings, wire, reconnected={wire.on_reconnected}))
    return holder[0]


def _security(settings: BusSettings) -> dict[str, object]:
    options: dict[str, object] = {}
    if settings.nkeys_seed:
        options["nkeys_seed"] = settings.nkeys_seed
    if settings.tls_ca:
        options["tls"] = ssl.create_default_context(cafile=settings.tls_ca)
    return options
