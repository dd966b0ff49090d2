"""Reading the log as any outsider does: its messages in order, by plain NATS, and how many of a kind there are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from upstreams import steady

ENDS = ("completed", "failed", "cancelled", "rejected")
ENDED = tuple(f"quire.evt.*.job.{end}.v1.*" for end in ENDS)
_MANY = 256
_TRIES = 30


async def stored(url: str, subjects: Sequence[str], *, stream: str = "QUIRE", after: int = 0) -> AsyncIterator[Msg]:
    """Every message that the log holds now on some subjects, in order, those behind a sequence."""
    client = await steady(url)
    try:
        log = client.jetstream(timeout=10)
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            filter_subjects=list(subjects),
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            inactive_threshold=120,
        )
        for patience in range(_TRIES, -1, -1):
            try:
                subscription = await log.pull_subscribe("", stream=stream, config=config)
                about = await subscription.consumer_info()
                waiting = about.num_pending or 0
                break
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError):  # between two leaders
                if not patience:
                    raise
                await asyncio.sleep(1)
        while waiting > 0:
            found: list[Msg] = []
            with contextlib.suppress(nats.errors.TimeoutError, TimeoutError):
                found = await subscription.fetch(min(_MANY, waiting), timeout=10)
            waiting -= len(found)
            for message in found:
                yield message
        await subscription.unsubscribe()
        with contextlib.suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError):
            await log.delete_consumer(stream, about.name)  # who looks again and again would reach the broker's limit
    finally:
        await client.close()


async def how_many(url: str, subjects: Sequence[str] = ENDED, *, stream: str = "QUIRE") -> int:
    """How many messages the log holds on some subjects; it keeps asking while the broker is away."""
    while True:
        client = await steady(url)
        try:
            log = client.jetstream(timeout=3)
            config = ConsumerConfig(
                ack_policy=AckPolicy.NONE,
                filter_subjects=list(subjects),
                inactive_threshold=5,
                headers_only=True,
                mem_storage=True,
            )
            subscription = await log.pull_subscribe("", stream=stream, config=config)
            return (await subscription.consumer_info()).num_pending or 0
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError):
            await asyncio.sleep(0.2)
        finally:
            await client.close()


async def last_sequence(url: str, stream: str = "QUIRE") -> int:
    """The newest place of a stream."""
    client = await steady(url)
    try:
        return int((await client.jetstream(timeout=5).stream_info(stream)).state.last_seq)
    finally:
        await client.close()


async def until_ended(url: str, count: int, *, seconds: float, every: float = 1.0) -> bool:
    """Wait until so many jobs have ended; False if they have not in time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while await how_many(url) < count:
        if loop.time() > until:
            return False
        await asyncio.sleep(every)
    return True
