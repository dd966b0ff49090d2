"""The pull loop: keeps a durable's messages flowing to this process, never more than it has hands for.

FastStream's own loop, and nats-py's `fetch` under it, swallow "no such consumer" and "connection closed" without a
pause (measured: 4,000 requests a second, or an event loop that never runs again) and prefetch while the acknowledgement
clock runs. This one never asks for more messages than there are free slots, asks for many at a time, asks again at once
after a reconnection, notices a lost request by missing idle heartbeats, and pauses with jittered backoff on every
refusal. Slots may be more than hands: what waits in them is kept alive, and tenants take turns at the hands.

Source of the protocol: NATS ADR-13 (pull subscribe internals) and ADR-37 (the client's pull loop).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import nats.errors

from quire_bus.message import Message
from quire_bus.subjects import tenant_of
from quire_bus.turns import Turns
from quire_resilience.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nats.aio.subscription import Subscription

    from quire_bus.connection import Connection
    from quire_contracts.topology import Consumer

_LOG = logging.getLogger("quire.bus")
_NANOSECONDS = 1_000_000_000
_EXPIRES_SECONDS: Final = 20.0
_HEARTBEAT_SECONDS: Final = 3.0
_SILENCE_SECONDS: Final = 2 * _HEARTBEAT_SECONDS + 0.5
_BACKOFF: Final = Backoff(base=0.05, cap=2.0)
_IDLE_HEARTBEAT, _NO_RESPONDERS, _EXPIRED, _CONFLICT = "100", "503", "408", "409"
_TOO_LARGE: Final = "Message Size Exceeds MaxBytes"
_STATUS: Final = b"NATS/1.0 "
_GATHER_SECONDS: Final = 0.002
"""How long a few free slots wait for more before they are asked for: asking costs the broker as much as a message."""

_AHEAD_BYTES: Final = 16 * 1024 * 1024
"""Nothing more is asked for to wait here while so much is in hand; a request stops the broker there too."""

_LEAST_BYTES: Final = 1024 * 1024
"""No request allows less: each message must fit one."""


class Puller:
    """Pulls one durable.

    capacity: messages that are delivered at one time.
    deliver: takes one message; what it returns is done when that is settled: a coroutine, which is run as a task, or a
        future, where nothing is to be run for each message. Neither must raise.
    ahead: messages that wait here beyond those. Their tenants take turns, each tenant's keep their order: the log is in
        order of arrival, and who was a moment late with it would else wait for all that came at once before.

    `healthy` is False while the broker refuses: no such consumer or stream, no leader.
    """

    def __init__(
        self,
        connection: Connection,
        consumer: Consumer,
        capacity: int,
        deliver: Callable[[Message], Coroutine[Any, Any, object] | asyncio.Future[None]],
        *,
        ahead: int = 0,
    ) -> None:
        self.consumer = consumer
        self.healthy = True
        self._connection = connection
        self._wire = connection.wire
        self._capacity = capacity
        self._ahead = ahead
        self._deliver = deliver
        self._heartbeat = Heartbeat(consumer.ack_wait / 3)
        self._running: dict[Message, asyncio.Future[Any]] = {}
        self._waiting: Turns[Message] = Turns()
        self._bytes = 0
        self._asked = 0
        self._loop = asyncio.get_running_loop()
        self._planned: asyncio.Handle | None = None
        self._wake = asyncio.Event()
        self._heard = 0.0
        self._refusals = 0
        self._stopping = False
        self._inbox = connection.client.new_inbox()
        self._subscription: Subscription | None = None

    @property
    def in_hand(self) -> int:
        """Messages that were delivered to this process and are not settled yet."""
        return len(self._running) + len(self._waiting)

    async def run(self) -> None:
        """Pull until `stop`, then wait for what is in hand; to be run as a task. Never raises for the broker's sake."""
        self._connection.reconnected.add(self._on_reconnected)
        beating = asyncio.create_task(self._heartbeat.run())
        try:
            self._subscription = await self._wire.subscribe(self._inbox, self._on_message)
            while not self._stopping:
                await self._step()
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):  # not wait_for: 3.11's can swallow a cancellation
                        await self._wake.wait()
            if self._running:
                await asyncio.wait(self._running.values())
        finally:
            self._connection.reconnected.discard(self._on_reconnected)
            beating.cancel()

    async def stop(self) -> None:
        """Stop asking. What waits or arrives is handed back; what is running goes on and `run` waits for it."""
        self._stopping = True
        self._wake.set()
        while self._waiting:
            message = self._waiting.take()
            self._let_go(message)
            with contextlib.suppress(nats.errors.Error):
                message.nak()
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await self._wire.unsubscribe(subscription)

    def give_up(self) -> None:
        """Cancel what is still in hand; its messages are handed back for somebody else."""
        for handling in self._running.values():
            handling.cancel()

    async def _step(self) -> None:
        """What time brings: a pause after a refusal, and a lost request that is asked again."""
        now = self._loop.time()
        if self._refusals:
            # One request at a time while refused, so that a refusal is counted once.
            await asyncio.sleep(_BACKOFF.delay(self._refusals, random.random) + 0.01)
            self._asked = 0
        elif self._asked and now - self._heard > _SILENCE_SECONDS:
            durable = self.consumer.durable
            _LOG.warning("%s: no word from the broker for %.0f s, asking again", durable, now - self._heard)
            self._asked = 0
        self._ask()

    def _plan(self) -> None:
        """Ask soon for what there is room for, with few requests: many slots at once, a few when they are needed."""
        slots = self._capacity + self._ahead
        if self._planned is not None or self._refusals or 2 * self._asked >= slots:
            return
        room = self._room()
        if room <= 0:
            return
        if 4 * room >= slots:
            self._planned = self._loop.call_soon(self._ask)
        else:
            self._planned = self._loop.call_later(_GATHER_SECONDS, self._ask)

    def _room(self) -> int:
        ahead = self._ahead if self._bytes < _AHEAD_BYTES else 0
        return self._capacity + ahead - self.in_hand - self._asked

    def _ask(self) -> None:
        self._planned = None
        batch = self._room()
        # Without a connection the reconnection asks again; a buffered request would only be asked twice.
        if batch <= 0 or self._stopping or not self._connection.is_connected:
            return
        request = {
            "batch": batch,
            "expires": int(_EXPIRES_SECONDS * _NANOSECONDS),
            "idle_heartbeat": int(_HEARTBEAT_SECONDS * _NANOSECONDS),
        }
        if self._ahead:
            request["max_bytes"] = max(_AHEAD_BYTES - self._bytes, _LEAST_BYTES)
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.consumer.stream}.{self.consumer.durable}"
        try:
            self._wire.send(subject, msgspec.json.encode(request), self._inbox)
        except nats.errors.Error as error:
            self._refused(str(error))
            return
        self._asked += batch
        self._heard = self._loop.time()

    def _on_message(self, subject: bytes, reply: bytes, head: bytes, body: bytes) -> None:
        self._heard = self._loop.time()
        message = Message(subject.decode(), reply.decode(), head, body, self._wire.send_soon)
        if not body and head.startswith(_STATUS) and not reply.startswith(b"$JS.ACK"):
            self._on_status(message.headers)
            return
        self.healthy, self._refusals = True, 0
        if self._asked:
            self._asked -= 1
        if self._stopping:
            with contextlib.suppress(nats.errors.Error):
                message.nak()
            return
        self._heartbeat.keep(message, self._heard)
        self._bytes += len(head) + len(body)
        if self._ahead:
            self._waiting.put(tenant_of(message.subject), message)
            self._deal()
        else:
            self._begin(message)
        self._plan()

    def _deal(self) -> None:
        while self._waiting and len(self._running) < self._capacity:
            self._begin(self._waiting.take())

    def _begin(self, message: Message) -> None:
        delivered = self._deliver(message)
        handling = delivered if isinstance(delivered, asyncio.Future) else self._loop.create_task(delivered)
        self._running[message] = handling
        handling.add_done_callback(partial(self._ended, message))

    def _let_go(self, message: Message) -> None:
        self._heartbeat.let_go(message)
        self._bytes -= len(message.head) + len(message.body)

    def _on_status(self, headers: dict[str, str]) -> None:
        status = headers.get("Status", "")
        if status == _IDLE_HEARTBEAT:
            self.healthy, self._refusals = True, 0
            return
        description = headers.get("Description", "")
        left = headers.get("Nats-Pending-Messages")
        if status == _EXPIRED or (status == _CONFLICT and _TOO_LARGE in description):  # that much less is coming
            self.healthy, self._refusals = True, 0
            self._asked = max(0, self._asked - int(left or self._asked))
            self._plan()
            return
        if left is not None and status == _CONFLICT and "batch completed" in description.lower():
            self._asked = 0
            self._plan()
            return
        self._refused("there is no such stream or consumer" if status == _NO_RESPONDERS else f"{status} {description}")

    def _refused(self, reason: str) -> None:
        if not self._refusals or self._refusals % 50 == 0:
            _LOG.error("%s cannot be pulled from %s: %s", self.consumer.durable, self.consumer.stream, reason)
        self.healthy = False
        self._refusals += 1
        self._wake.set()

    def _ended(self, message: Message, handling: asyncio.Future[Any]) -> None:
        self._let_go(message)
        del self._running[message]
        if handling.cancelled():
            with contextlib.suppress(nats.errors.Error):
                message.nak()  # somebody else shall have it now, not when its time has run out
        elif (error := handling.exception()) is not None:  # one message's bug does not end the loop
            _LOG.critical("a delivery raised, which it must not", exc_info=error)
        if self._ahead:
            self._waiting.let_go(tenant_of(message.subject))
            self._deal()
        self._plan()

    def _on_reconnected(self) -> None:
        self._asked = 0
        self._plan()


class Heartbeat:
    """Tells the broker every `seconds` that the messages in hand are still worked on, with one task for all of them.

    A message is spoken of from the age of `seconds` on: most are settled long before. It runs on the event loop: a
    handler that blocks the loop stops it, and its message is delivered again.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[Message, float] = {}

    def keep(self, message: Message, since: float) -> None:
        """Keep a message alive that arrived at `since`, by the event loop's clock; later ones later."""
        self._since[message] = since

    def let_go(self, message: Message) -> None:
        """It is settled, or given up."""
        del self._since[message]

    async def run(self) -> None:
        """Beat until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._seconds)
            now = loop.time()
            for message, since in tuple(self._since.items()):
                if now - since < self._seconds:
                    break
                with contextlib.suppress(nats.errors.Error):
                    message.in_progress()
