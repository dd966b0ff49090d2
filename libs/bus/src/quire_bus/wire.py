"""The hot path over nats-py's connection: writes joined by turn of the event loop, one inbox for all answers.

nats-py keeps the connection (servers, security, pings, reconnection, what is buffered while there is none). Per message
it costs more than the broker does: a queue, a task and a flush for each, headers read whether needed or not (200 us for
a request and its answer, measured; here 20). What is used of its inside is pinned by the version range in
pyproject.toml and by the tests of this package.
"""

# ruff: noqa: SLF001 - what nats-py keeps to itself is what this module is about
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import nats.errors

from quire_bus.parser import Sink, SinkParser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nats.aio.client import Client
    from nats.aio.subscription import Subscription

_LOG = logging.getLogger("quire.bus")
_LOOK_SECONDS: Final = 0.1
_LATE_SECONDS: Final = 0.5
"""After a reconnection, how long an answer may still come: a request that was only buffered is answered at once, one
that was on the old connection never."""

_SOON_SECONDS: Final = 0.002
"""How long an acknowledgement waits for something to leave with: a write of its own costs as much as a message's."""

_STATUS: Final = b"NATS/1.0 "

Answer = tuple[bytes, bytes]
"""Header block and body."""


class NoAnswer(Exception):
    """No answer in time; `swallowed` says that the connection was lost meanwhile."""

    def __init__(self, *, swallowed: bool) -> None:
        super().__init__("swallowed" if swallowed else "late")
        self.swallowed = swallowed


class _Waiting:
    """One request under way."""

    __slots__ = ("deadline", "future", "many", "parts", "swallowed")

    def __init__(self, future: asyncio.Future[list[Answer]], deadline: float, *, many: bool) -> None:
        self.future = future
        self.deadline = deadline
        self.many = many
        self.parts: list[Answer] = []
        self.swallowed = False


class Wire:
    """What the bus writes to and reads from one connection; made by `connect`.

    timeout: seconds in which an answer must come.
    """

    def __init__(self, client: Client, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._parser = SinkParser(client)
        self._parser.buf = client._ps.buf
        client._ps = self._parser
        self._flushing = False
        self._later: asyncio.TimerHandle | None = None
        self._waiting: dict[bytes, _Waiting] = {}
        self._asked = 0
        self._prefix = ""
        self._watch: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Listen for answers."""
        self._prefix = f"{self._client.new_inbox()}."
        await self.subscribe(f"{self._prefix}*", self._on_answer)

    async def subscribe(self, subject: str, sink: Sink) -> Subscription:
        """Give every message of a subject to `sink` as it is read; again after each reconnection."""
        subscription = await self._client.subscribe(subject, cb=_never)
        self._parser.sinks[str(subscription._id).encode()] = sink
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription of `subscribe`."""
        try:
            if not self._client.is_closed:
                await subscription.unsubscribe()
        finally:
            self._parser.sinks.pop(str(subscription._id).encode(), None)

    def send(self, subject: str, body: bytes, reply: str = "", head: bytes = b"") -> None:
        """Write a message; what is written in one turn of the event loop leaves together.

        head: a whole header block, as of `headers.block`.

        Raises:
            nats.errors.Error: if the connection is closed, or it is away and what it may buffer is full.
        """
        self.write(self.command(subject, body, reply, head))

    def send_soon(self, subject: str, body: bytes) -> None:
        """As `send`, for what may wait up to 2 ms for the next that leaves; the order stays."""
        self.write(self.command(subject, body, "", b""), soon=True)

    @staticmethod
    def command(subject: str, body: bytes, reply: str, head: bytes) -> tuple[bytes, ...]:
        """The protocol command that publishes a message, in pieces."""
        if head:
            return (f"HPUB {subject} {reply} {len(head)} {len(head) + len(body)}\r\n".encode(), head, body, b"\r\n")
        return f"PUB {subject} {reply} {len(body)}\r\n".encode(), body, b"\r\n"

    def write(self, pieces: Iterable[bytes], *, soon: bool = False) -> None:
        """Write whole commands of `command`; see `send`."""
        client = self._client
        command = b"".join(pieces)
        if client.is_closed:
            raise nats.errors.ConnectionClosedError
        if client.is_draining_pubs:
            raise nats.errors.ConnectionDrainingError
        if not client.is_connected and client._pending_data_size + len(command) > client._max_pending_size:
            raise nats.errors.OutboundBufferLimitError
        client._pending.append(command)
        client._pending_data_size += len(command)
        if self._flushing:
            return
        if not soon:
            self._flushing = True
            self._loop.call_soon(self._flush)
        elif self._later is None:
            self._later = self._loop.call_later(_SOON_SECONDS, self._flush)

    async def ask(self, subject: str, body: bytes, head: bytes = b"") -> Answer:
        """One request and its answer.

        Raises:
            NoAnswer: none in time; soon after a reconnection, because a lost request has none.
            nats.errors.Error: as for `send`.
        """
        return (await self._ask(subject, body, head, many=False))[0]

    async def ask_many(self, subject: str, body: bytes) -> list[Answer]:
        """One request and its answers, in order; the last one is that with a status.

        Raises:
            NoAnswer, nats.errors.Error: as for `ask`.
        """
        return await self._ask(subject, body, b"", many=True)

    def on_reconnected(self) -> None:
        """Requests that were on the old connection have no answer any more; those that were buffered have one soon."""
        limit = self._loop.time() + _LATE_SECONDS
        for waiting in self._waiting.values():
            waiting.swallowed = True
            waiting.deadline = min(waiting.deadline, limit)

    async def _ask(self, subject: str, body: bytes, head: bytes, *, many: bool) -> list[Answer]:
        self._asked += 1
        token = b"%d" % self._asked
        future: asyncio.Future[list[Answer]] = self._loop.create_future()
        self._waiting[token] = _Waiting(future, self._loop.time() + self._timeout, many=many)
        try:
            self.send(subject, body, f"{self._prefix}{self._asked}", head)
            if self._watch is None:
                self._watch = self._loop.call_later(_LOOK_SECONDS, self._look)
            return await future
        finally:
            self._waiting.pop(token, None)

    def _on_answer(self, subject: bytes, _reply: bytes, head: bytes, body: bytes) -> None:
        waiting = self._waiting.get(subject[len(self._prefix) :])
        if waiting is None or waiting.future.done():
            return
        waiting.parts.append((head, body))
        if not waiting.many or head.startswith(_STATUS):
            waiting.future.set_result(waiting.parts)

    def _look(self) -> None:
        """Give up what is too late; looks again as long as anything is under way."""
        now = self._loop.time()
        for waiting in self._waiting.values():
            if waiting.deadline <= now and not waiting.future.done():
                waiting.future.set_exception(NoAnswer(swallowed=waiting.swallowed))
        self._watch = self._loop.call_later(_LOOK_SECONDS, self._look) if self._waiting else None

    def _flush(self) -> None:
        """Hand what was written to the socket, without the turn that nats-py's flusher takes."""
        self._flushing = False
        if self._later is not None:
            self._later.cancel()
            self._later = None
        client = self._client
        if not client.is_connected or not client._pending or client._transport is None:
            return
        pending, client._pending = client._pending, []
        client._pending_data_size = 0
        try:
            client._transport.write(b"".join(pending))
        except (OSError, RuntimeError) as error:  # the reading side finds it too, and reconnects
            _LOG.warning("the connection does not take what is written: %r", error)


async def _never(_: object) -> None:
    """nats-py wants a callback; the parser's sink is there before it."""
