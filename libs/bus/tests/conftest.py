"""A router with a durable of the test's own, where the topology's five seconds would make a test slow."""

from __future__ import annotations

import dataclasses

import nats
import pytest
import pytest_asyncio

from quire_bus.broker_config import consumer_config
from quire_bus.router import Router
from quire_contracts.job import CancelJob, JobRejected


@pytest.fixture
def rejected():
    """A small event."""

    def make(job_id: str = "j1", code: str = "x", tenant: str = "acme") -> JobRejected:
        return JobRejected(job_id=job_id, tenant=tenant, code=code, reason="because", next_step="none")

    return make


@pytest.fixture
def cancel():
    """A small command; the control plane consumes it."""

    def make(job_id: str = "j1", tenant: str = "acme", reason: str = "") -> CancelJob:
        return CancelJob(job_id=job_id, tenant=tenant, reason=reason)

    return make


@pytest.fixture
def publish_again(js):
    """`await publish_again(published_headers...)`: the same message once more, past the broker's own de-duplication."""

    async def again(recorded) -> None:
        headers = {name: value for name, value in recorded.headers.items() if not name.startswith("Nats-")}
        await js.publish(recorded.subject, recorded.body, headers=headers)

    return again


@pytest_asyncio.fixture
async def js(provisioned):
    client = await nats.connect(provisioned.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)
    yield client.jetstream()
    await client.close()


@pytest.fixture
def quick(js):
    """`await quick(router, ack_wait=0.6)` moves the router's first consumption to a durable with those limits."""

    async def make(router: Router, **limits: object) -> None:
        row = router.consumptions[0]
        consumer = dataclasses.replace(row.consumer, durable=f"{row.consumer.durable}-quick", **limits)
        await js.add_consumer(consumer.stream, consumer_config(consumer))
        router.consumptions[0] = dataclasses.replace(row, consumer=consumer)

    return make


@pytest.fixture
def patience_ends(js):
    """`await patience_ends(consumer)` until the broker gives again what a durable like it took after now, and left."""

    async def wait(consumer) -> None:
        await js.add_consumer(consumer.stream, consumer_config(dataclasses.replace(consumer, durable="unkept")))
        unkept = await js.pull_subscribe_bind("unkept", stream=consumer.stream)
        while (await unkept.fetch(1, timeout=5))[0].metadata.num_delivered == 1:
            pass
        await unkept.unsubscribe()

    return wait
