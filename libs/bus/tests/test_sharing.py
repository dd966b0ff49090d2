import asyncio
from contextlib import AsyncExitStack

import pytest

from quire_bus.bus import Bus
from quire_bus.router import Router
from quire_bus.sharing import SharedConnections
from quire_contracts.job import CancelJob, ExpireJob, JobRejected


@pytest.fixture
def shared():
    return SharedConnections("house")


async def open_bus(stack, settings, shared, told=None):
    told = [] if told is None else told
    return await stack.enter_async_context(Bus.connect(settings, on_fatal=told.append, connecting=shared.connect))


async def test_services_of_one_process_share_a_connection_and_speak_in_their_own_names(
    provisioned, bus_settings, shared, probe, rejected
):
    log = await probe("quire.evt.>")
    async with AsyncExitStack() as stack:
        first = await open_bus(stack, bus_settings("ledger"), shared)
        second = await open_bus(stack, bus_settings("batching"), shared)
        assert first.connection.client is second.connection.client
        await asyncio.gather(first.publisher.publish(rejected("j1")), second.publisher.publish(rejected("j2")))
        await log.wait(JobRejected, 2)
    sources = {message.subject.rsplit(".", 1)[1]: message.headers["ce-source"] for message in log.recorded}
    assert sources == {"j1": "/quire/ledger", "j2": "/quire/batching"}


async def test_a_service_that_ends_leaves_the_connection_to_the_others(
    provisioned, bus_settings, shared, probe, rejected
):
    log = await probe("quire.evt.>")
    told = []
    async with AsyncExitStack() as stack:
        staying = await open_bus(stack, bus_settings("batching"), shared, told)
        async with AsyncExitStack() as brief:
            leaving = await open_bus(brief, bus_settings("ledger"), shared, told)
            await leaving.publisher.publish(rejected("j1"))
        await staying.publisher.publish(rejected("j2"))
        assert [message.job_id for message in await log.wait(JobRejected, 2)] == ["j1", "j2"]
        client = staying.connection.client
    assert client.is_closed
    assert told == []
    async with AsyncExitStack() as stack:
        again = await open_bus(stack, bus_settings("ledger"), shared)
        assert again.connection.client is not client
        await again.check()


async def test_everybody_is_told_when_the_connection_is_closed_for_good(provisioned, bus_settings, shared):
    told = {"ledger": asyncio.Queue(), "batching": asyncio.Queue()}
    async with AsyncExitStack() as stack:
        for name, queue in told.items():
            connecting = Bus.connect(bus_settings(name), on_fatal=queue.put_nowait, connecting=shared.connect)
            bus = await stack.enter_async_context(connecting)
        await bus.connection.client.close()
        reasons = [await asyncio.wait_for(queue.get(), 10) for queue in told.values()]
        again = await open_bus(stack, bus_settings("aggregation"), shared)
        await again.check()
    assert all("closed" in reason for reason in reasons)


async def test_what_two_services_commit_at_the_same_time_is_one_atomic_batch(
    provisioned, bus_settings, shared, probe, cancel
):
    both = asyncio.Barrier(2)
    log = await probe("quire.evt.>")
    async with AsyncExitStack() as stack:
        for message, name in ((CancelJob, "first"), (ExpireJob, "second")):
            router = Router("control-plane")

            @router.consume(message)
            async def answer(_, delivery, name=name):
                async with asyncio.timeout(10):
                    await both.wait()
                rejected = JobRejected(job_id=name, tenant="acme", code="x", reason="because", next_step="none")
                await delivery.commit(rejected)

            bus = await open_bus(stack, bus_settings("control-plane"), shared)
            bus.include(router)
            await bus.start()
        await bus.publisher.publish(cancel())
        await bus.publisher.publish(ExpireJob(job_id="j1", tenant="acme"))
        await log.wait(JobRejected, 2)
    assert len({message.headers["Nats-Batch-Id"] for message in log.recorded}) == 1
