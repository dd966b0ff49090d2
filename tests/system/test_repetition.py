"""Everything said twice and out of order: the record is the same, and nothing runs a second time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import nats
import pytest
from jaeger_reading import settled_trace, spans_of, tag
from nats.js.api import ConsumerConfig, DeliverPolicy
from outcome import essence

from quire.client import Client
from quire.errors import ConflictError
from quire_testing import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.msg import Msg

    from quire.embedded import Embedded
    from quire_testing.otlp_sink import Sink

AGAIN = "x-said-again"
BROKERS_OWN = ("Nats-Msg-Id", "Nats-Batch", "Nats-Expected", "Nats-Schedule", "Nats-TTL")


@asynccontextmanager
async def everything_said_twice(url: str, seed: int) -> AsyncIterator[list[str]]:
    """Say each stored command and event again, a little later and in another order, under its own id."""
    connection = await nats.connect(url)
    order = random.Random(seed)
    waiting: list[Msg] = []
    repeated: list[str] = []
    over = asyncio.Event()

    async def hear(message: Msg) -> None:
        if message.headers and AGAIN not in message.headers:
            waiting.append(message)

    async def repeat() -> None:
        while waiting or not over.is_set():
            await asyncio.sleep(0.05)
            batch, waiting[:] = list(waiting), []
            order.shuffle(batch)
            for message in batch:
                kept = {k: v for k, v in (message.headers or {}).items() if not k.startswith(BROKERS_OWN)}
                await connection.publish(message.subject, message.data, headers=kept | {AGAIN: "1"})
                repeated.append(kept["ce-id"])

    # From the stream, not from the wire: there one would also hear the parts of atomic batches that were refused.
    for subject in ("quire.cmd.>", "quire.evt.>"):
        new = ConsumerConfig(deliver_policy=DeliverPolicy.NEW)
        await connection.jetstream().subscribe(subject, cb=hear, ordered_consumer=True, config=new)
    repeating = asyncio.create_task(repeat())
    try:
        yield repeated
    finally:
        over.set()
        await repeating
        await connection.flush()
        await connection.close()


async def everything_heard(url: str) -> None:
    """Wait until every consumer has been given, and has settled, all that is on the log."""
    connection = await nats.connect(url)
    manager = connection.jetstream()

    async def settled() -> bool:
        durables = [info for info in await manager.consumers_info("QUIRE") if info.config.durable_name]
        return len(durables) > 10 and not any(info.num_pending or info.num_ack_pending for info in durables)

    try:
        await eventually(settled, within=20)
    finally:
        await connection.close()


async def test_repeated_and_reordered_messages_change_nothing(
    traced_quire: Embedded, sink: Sink, loop_job: dict[str, object]
) -> None:
    with Client(traced_quire.http) as client:
        clean = await asyncio.to_thread(client.submit(loop_job).wait, 100)
        async with everything_said_twice(traced_quire.nats, seed=3) as repeated:
            job = await asyncio.to_thread(client.submit, loop_job)
            noisy = await asyncio.to_thread(job.wait, 100)
        await everything_heard(traced_quire.nats)
        after = await asyncio.to_thread(job.status)
    assert clean.state == "completed", clean
    assert essence(noisy) == essence(clean)
    assert essence(after) == essence(clean)
    assert len(repeated) > 100

    for view in (clean, noisy):
        await asyncio.to_thread(settled_trace, sink.query_url, view.trace_id)
    ran = [execution.batch_id for view in (clean, noisy) for execution in view.executions]
    planes = ("quantum-gateway", "gpu-simulation")
    spans = [span for plane in planes for span in spans_of(sink.query_url, plane, "quire.batch.execute")]
    runs = Counter(tag(span, "quire.batch.id") for span in spans)
    assert len(ran) == 44
    assert {batch: runs[batch] for batch in ran} == dict.fromkeys(ran, 1)


async def test_one_key_is_one_job_and_other_content_is_refused(
    traced_quire: Embedded, loop_job: dict[str, object]
) -> None:
    def twice() -> None:
        with Client(traced_quire.http) as client:
            first = client.submit(loop_job, idempotency_key="order-7")
            second = client.submit(loop_job, idempotency_key="order-7")
            assert first.id == second.id
            ended = first.wait(100)
            third = client.submit(loop_job, idempotency_key="order-7")
            assert essence(third.wait(5)) == essence(ended)
            with pytest.raises(ConflictError):
                client.submit({**loop_job, "shots": 257}, idempotency_key="order-7")

    await asyncio.to_thread(twice)
