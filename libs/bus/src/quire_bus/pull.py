"""The pull loop: keeps a durable's messages flowing to this process, never more than it has hands for.

FastStream's own loop, and nats-py's `fetch` under it, swallow "no such consumer" and "connection closed" without a
pause (measured: 4,000 requests a second, or an event loop that never runs again) and prefetch while the acknowledgement
clock runs. This one asks for exactly as many messages as there are free slots, asks again at once after a
reconnection, notices a lost request by missing idle heartbeats, and pauses with jittered backoff on every refusal.

Source of the protocol: NATS ADR-13 (pull subscribe internals) and ADR-37 (the client's pull loop).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors

from quire_resilience.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from quire_bus.connection import Connection
    from quire_contracts.topology import Consumer

_LOG = logging.getLogger("quire.bus")
_NANOSECONDS = 1_000_000_000
_EXPIRES_SECONDS: Final = 20.0
_HEARTBEAT_SECONDS: Final = 3.0
_SILENCE_SECONDS: Final = 2 * _HEARTBEAT_SECONDS + 0.5
_BACKOFF: Final = Backoff(base=0.05, cap=2.0)
_IDLE_HEARTBEAT, _NO_RESPONDERS = "100", "503"


class Puller:
    """Pulls one durable.

    capacity: messages in this process's hands at one time.
    deliver: takes one message and returns when it is settled; must not raise.

    `healthy` is False while the broker refuses: no such consumer or stream, no leader.
    """

    def __init__(
        self, connection: Connection, consumer: Consumer, capacity: int, deliver: Callable[[Msg], Awaitable[object]]
    ) -> None:
        self.consumer = consumer
        self.healthy = True
        self._connection = connection
        self._client = connection.client
        self._capacity = capacity
        self._deliver = deliver
        self._heartbeat = Heartbeat(consumer.ack_wait / 3)
        self._running: set[asyncio.Task[None]] = set()
        self._asked = 0
        self._wake = asyncio.Event()
        self._heard = 0.0
        self._refusals = 0
        self._stopping = False
        self._inbox = self._client.new_inbox()
        self._subscription: Subscription | None = None

    @property
    def in_hand(self) -> int:
        """Messages that were delivered to this process and are not settled yet."""
        return len(self._running)

    async def run(self) -> None:
        """Pull until `stop`, then wait for what is in hand; to be run as a task. Never raises for the broker's sake."""
        self._connection.reconnected.add(self._on_reconnected)
        beating = asyncio.create_task(self._heartbeat.run())
        try:
            self._subscription = await self._client.subscribe(self._inbox, cb=self._on_message)
            while not self._stopping:
                pause = await self._step()
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):  # not wait_for: in Python 3.11 it can swallow a cancellation
                        await self._wake.wait()
            if self._running:
                await asyncio.wait(self._running)
        finally:
            self._connection.reconnected.discard(self._on_reconnected)
            beating.cancel()

    async def stop(self) -> None:
        """Stop asking. What arrives from now on is handed back; what is running goes on and `run` waits for it."""
        self._stopping = True
        self._wake.set()
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def give_up(self) -> None:
        """Cancel what is still in hand; its messages are handed back for somebody else."""
        for task in self._running:
            task.cancel()

    async def _step(self) -> float:
        """Ask for what there is room for; the seconds after which to look again if nothing happens before."""
        now = asyncio.get_running_loop().time()
        if self._refusals:
            # One request at a time while refused, so that a refusal is counted once.
            pause = _BACKOFF.delay(self._refusals, random.random)
            await asyncio.sleep(pause + 0.01)
            self._asked = 0
        elif self._asked and now - self._heard > _SILENCE_SECONDS:
            _LOG.warning(
                "%s: no word from the broker for %.0f s, asking again", self.consumer.durable, now - self._heard
            )
            self._asked = 0
        room = self._capacity - len(self._running) - self._asked
        if room > 0 and not self._stopping:
            await self._ask(room)
        return _HEARTBEAT_SECONDS

    async def _ask(self, batch: int) -> None:
        request = {
            "batch": batch,
            "expires": int(_EXPIRES_SECONDS * _NANOSECONDS),
            "idle_heartbeat": int(_HEARTBEAT_SECONDS * _NANOSECONDS),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.consumer.stream}.{self.consumer.durable}"
        if not self._connection.is_connected:
            return  # the reconnection asks again; a buffered request would only be asked twice
        try:
            await self._client.publish(subject, msgspec.json.encode(request), reply=self._inbox)
        except nats.errors.Error as error:
            self._refused(str(error))
            return
        self._asked += batch
        self._heard = asyncio.get_running_loop().time()

    async def _on_message(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        status = (message.headers or {}).get("Status")
        if status is not None and not message.data and not message.reply.startswith("$JS.ACK"):
            self._on_status(status, message.headers or {})
            return
        self.healthy, self._refusals = True, 0
        self._asked = max(0, self._asked - 1)
        if self._stopping:
            with contextlib.suppress(nats.errors.Error):
                await message.nak()
            return
        task = asyncio.create_task(self._handle(message))
        self._running.add(task)
        task.add_done_callback(self._settled)

    def _on_status(self, status: str, headers: dict[str, str]) -> None:
        if status == _IDLE_HEARTBEAT:
            self.healthy, self._refusals = True, 0
            return
        description = headers.get("Description", "")
        left = headers.get("Nats-Pending-Messages")
        if status == "408":  # the request expired: that much less is coming
            self.healthy, self._refusals = True, 0
            self._asked = max(0, self._asked - int(left or self._asked))
            self._wake.set()
            return
        if left is not None and status == "409" and "batch completed" in description.lower():
            self._asked = 0
            self._wake.set()
            return
        self._refused("there is no such stream or consumer" if status == _NO_RESPONDERS else f"{status} {description}")

    def _refused(self, reason: str) -> None:
        if not self._refusals or self._refusals % 50 == 0:
            _LOG.error("%s cannot be pulled from %s: %s", self.consumer.durable, self.consumer.stream, reason)
        self.healthy = False
        self._refusals += 1
        self._wake.set()

    async def _handle(self, message: Msg) -> None:
        try:
            with self._heartbeat.keeping(message):
                await self._deliver(message)
        except asyncio.CancelledError:
            if not message.is_acked:
                with contextlib.suppress(nats.errors.Error):
                    await message.nak()  # somebody else shall have it now, not when its time has run out
            raise

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.critical("a delivery raised, which it must not", exc_info=error)

    def _on_reconnected(self) -> None:
        self._asked = 0
        self._wake.set()


class Heartbeat:
    """Tells the broker every `seconds` that the messages in hand are still worked on, with one task for all of them.

    It runs on the event loop: a handler that blocks the loop stops it, and its message is delivered again.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._messages: dict[int, Msg] = {}

    @contextlib.contextmanager
    def keeping(self, message: Msg) -> Iterator[None]:
        """Keep a message alive inside."""
        self._messages[id(message)] = message
        try:
            yield
        finally:
            del self._messages[id(message)]

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            for message in tuple(self._messages.values()):
                if not message.is_acked:
                    with contextlib.suppress(nats.errors.Error):
                        await message.in_progress()
