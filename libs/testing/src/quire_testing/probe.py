"""A probe on the log: records every message stored on some subjects, in log order.

It reads the stream, not the wire: a core subscription would also see the parts of an atomic batch that was refused,
and would not see what the broker's scheduler stores.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import nats
import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from quire_bus.codec import Opened, decode_any, open_envelope
from quire_bus.errors import DecodeError
from quire_bus.process import arrived_of
from quire_testing.waiting import eventually

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from quire_bus.envelope import Meta
    from quire_contracts.value import Value

M = TypeVar("M")


@dataclass(frozen=True)
class Recorded:
    """A stored message; `meta` and `message` are None where it has no envelope or no registered type."""

    sequence: int
    subject: str
    headers: dict[str, str]
    body: bytes
    meta: Meta | None
    message: Value | None


class Probe:
    """Records what is stored on `subjects` of `stream`, from the beginning of the log."""

    def __init__(self, url: str, subjects: Sequence[str], stream: str = "QUIRE") -> None:
        self.recorded: list[Recorded] = []
        self._url = url
        self._subjects = list(subjects)
        self._stream = stream
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to record; from now on nothing is missed, also if the broker is killed."""
        self._client = await nats.connect(self._url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)
        self._task = asyncio.create_task(self._record(self._client, await self._subscribed(self._client)))

    async def stop(self) -> None:
        """Stop recording and close the connection."""
        while self._task is not None and not self._task.done():
            # Again and again: before Python 3.12 `asyncio.wait_for`, which nats-py fetches with, can swallow it.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=0.2)
        if self._client is not None:
            await self._client.close()

    @property
    def subjects(self) -> list[str]:
        """The subjects of what was recorded."""
        return [one.subject for one in self.recorded]

    def of(self, type_: type[M]) -> list[M]:
        """The recorded messages of one class."""
        return [one.message for one in self.recorded if isinstance(one.message, type_)]

    async def wait(self, type_: type[M], count: int = 1, *, within: float = 10.0) -> list[M]:
        """The recorded messages of one class, once there are `count` of them.

        Raises:
            AssertionError: if there are fewer within `within` seconds, with the subjects that were recorded.
        """

        def enough() -> list[M]:
            found = self.of(type_)
            assert len(found) >= count, f"{len(found)} of {count} {type_.__name__}; recorded: {self.subjects}"
            return found

        return await eventually(enough, within=within)

    async def _subscribed(self, client: Client) -> JetStreamContext.PullSubscription:
        """A consumer of its own that begins behind what was recorded."""
        config = ConsumerConfig(
            filter_subjects=self._subjects,
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self.recorded[-1].sequence + 1 if self.recorded else 1,
            ack_wait=1.0,  # what was on its way when the broker died comes again soon
            inactive_threshold=300,
        )
        return await client.jetstream().pull_subscribe("", stream=self._stream, config=config)

    async def _record(self, client: Client, subscription: JetStreamContext.PullSubscription) -> None:
        while True:
            try:
                for message in await subscription.fetch(64, timeout=1.0):
                    if message.metadata.sequence.stream not in {one.sequence for one in self.recorded[-1_000:]}:
                        bisect.insort(self.recorded, _recorded(message), key=lambda one: one.sequence)
                    await message.ack()
            except (nats.errors.TimeoutError, TimeoutError):
                continue
            except nats.errors.Error:  # the consumer is gone, or the connection for now
                await asyncio.sleep(0.05)
                with contextlib.suppress(nats.errors.Error, TimeoutError):
                    subscription = await self._subscribed(client)


def _recorded(message: Msg) -> Recorded:
    meta: Meta | None = None
    decoded: Value | None = None
    with contextlib.suppress(DecodeError):
        opened: Opened = open_envelope(arrived_of(message))
        meta = opened.meta
        decoded = decode_any(opened)
    sequence = message.metadata.sequence.stream
    return Recorded(sequence, message.subject, dict(message.headers or {}), message.data, meta, decoded)
