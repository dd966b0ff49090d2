"""What happens when the broker dies, hangs up, forbids, or loses a consumer."""

import asyncio
import sys
import time

import pytest

from quire_bus.broker_config import consumer_config
from quire_bus.bus import Bus
from quire_bus.connection import BusSettings
from quire_bus.router import Router
from quire_bus.server import NatsServer
from quire_contracts.job import CancelJob, JobRejected
from quire_contracts.topology import consumer_of, durable_name
from quire_resilience.errors import Transient
from quire_testing import eventually

DURABLE = durable_name("control-plane", CancelJob)


async def test_a_killed_broker_comes_back_and_nobody_needs_a_restart(provisioned, make_bus, probe, cancel, rejected):
    control, bus = await make_bus("control-plane"), await make_bus("test")
    log, router = await probe("quire.evt.>"), Router("control-plane")

    @router.consume(CancelJob, workers=4)
    async def do_cancel(message, delivery):
        await delivery.commit(rejected(message.job_id))

    control.include(router)
    await control.start()
    watched = []

    async def watch():
        async for sequence, meta, _ in bus.watch_job("acme", "j1"):
            watched.append((sequence, meta.type))

    watching = asyncio.create_task(watch())
    await bus.publisher.publish(cancel("j1"))
    await eventually(lambda: watched)
    for round_ in range(3):
        provisioned.kill()
        publishing = asyncio.create_task(bus.publisher.publish(cancel(f"k{round_}")))
        await asyncio.sleep(0.2)
        provisioned.start()
        back = time.monotonic()
        await publishing
        await eventually(lambda n=round_: any(one.meta.key == f"k{n}" for one in log.recorded), within=15)
        assert time.monotonic() - back < 5.0
    assert bus.is_healthy
    await eventually(lambda: control.is_healthy)
    await bus.publisher.publish(cancel("j1"), id_="5a1f1b8e-7a3c-4c0e-9d6b-000000000002")
    await eventually(lambda: len(watched) == 2, within=15)
    watching.cancel()
    assert len(log.of(JobRejected)) == 5
    assert len({one.meta.id for one in log.recorded}) == 5


async def test_a_repetition_is_known_after_a_crash_of_the_broker(provisioned, bus, cancel):
    """On a stream with limits retention the broker rebuilds what it has seen; other retentions forget it."""
    first = await bus.publisher.publish(cancel("j1"))
    provisioned.kill()
    provisioned.start()
    again = await bus.publisher.publish(cancel("j1"))
    assert (again.sequence, again.duplicate) == (first.sequence, True)


async def test_a_message_said_while_the_broker_is_away_is_stored_once(provisioned, bus, probe, cancel):
    """A time-out is not a failure: what the client has buffered is sent after the reconnection all the same."""
    log = await probe("quire.cmd.>")
    await bus.publisher.publish(cancel("before"))
    provisioned.kill()
    await eventually(lambda: not bus.connection.is_connected)
    saying = [asyncio.create_task(bus.publisher.publish(cancel("during"))) for _ in range(3)]
    await asyncio.sleep(0.1)
    provisioned.start()
    published = await asyncio.gather(*saying)
    assert {one.sequence for one in published} == {2}
    await log.wait(CancelJob, 2)
    assert [one.meta.key for one in log.recorded] == ["before", "during"]


async def test_a_lost_consumer_does_not_spin_and_is_found_again(provisioned, make_bus, js, probe, cancel, rejected):
    """The trap: FastStream's own loop takes 70 to 87 % of a core here, in silence, for ever."""
    control = await make_bus("control-plane")
    log, router = await probe("quire.evt.>"), Router("control-plane")

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        await delivery.commit(rejected(message.job_id))

    control.include(router)
    await control.start()
    await control.check()
    await js.delete_consumer("QUIRE", DURABLE)
    await eventually(lambda: not control.is_healthy)
    with pytest.raises(Transient, match=DURABLE):
        await control.check()
    cpu, start, ticks = time.process_time(), time.monotonic(), 0
    while time.monotonic() - start < 2.0:
        await asyncio.sleep(0.01)
        ticks += 1
    assert (time.process_time() - cpu) / 2.0 < 0.2  # this loop's own ticks included
    assert ticks > 100  # the event loop is alive
    varz = await _requests(js)
    assert varz < 200
    await js.add_consumer("QUIRE", consumer_config(consumer_of("control-plane", CancelJob)))
    await control.publisher.publish(cancel("j1"))
    await log.wait(JobRejected)
    await control.check()


async def _requests(js):
    info = await js.account_info()
    return info.api.errors


async def test_a_lost_stream_does_not_spin(provisioned, make_bus, js, cancel):
    control = await make_bus("control-plane")
    router = Router("control-plane")

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        pass

    control.include(router)
    await control.start()
    await js.delete_stream("QUIRE")
    await eventually(lambda: not control.is_healthy)
    cpu = time.process_time()
    await asyncio.sleep(1.0)
    assert time.process_time() - cpu < 0.2
    with pytest.raises(Transient):
        await control.check()


async def test_a_service_does_not_start_without_its_consumers(nats_server, bus_settings, cancel):
    async with Bus.connect(bus_settings("control-plane"), on_fatal=print) as control:
        router = Router("control-plane")
        router.consume(CancelJob)(lambda message, delivery: None)
        control.include(router)
        with pytest.raises(Transient, match="provisioning"):
            await control.start()


async def test_a_service_does_not_start_on_a_consumer_that_differs(js, make_bus):
    """A client that asks for other limits silently gets the existing ones; so we look."""
    config = consumer_config(consumer_of("control-plane", CancelJob))
    config.ack_wait = 30.0
    await js.add_consumer("QUIRE", config)
    control, router = await make_bus("control-plane"), Router("control-plane")
    router.consume(CancelJob)(lambda message, delivery: None)
    control.include(router)
    with pytest.raises(Transient, match="differs from the topology"):
        await control.start()


async def test_a_closed_connection_is_fatal(make_bus):
    reasons = []
    bus = await make_bus("test", on_fatal=reasons.append)
    await bus.connection.client.close()  # as after a protocol error
    await eventually(lambda: reasons)
    assert "closed" in reasons[0]


async def test_an_ordinary_end_is_not_fatal(provisioned, bus_settings):
    reasons = []
    async with Bus.connect(bus_settings("test"), on_fatal=reasons.append) as bus:
        await bus.check()
    assert reasons == []


async def test_the_process_of_a_closed_connection_ends_with_69(provisioned):
    program = (
        "import asyncio, sys\n"
        "from quire_bus.bus import Bus, BusSettings\n"
        "async def main():\n"
        "    async with Bus.connect(BusSettings(url=sys.argv[1], name='victim')) as bus:\n"
        "        await bus.connection.client._process_err(\"'maximum payload violation'\")\n"
        "        await asyncio.sleep(30)\n"
        "asyncio.run(main())\n"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, provisioned.url, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 69
    assert b"closed" in errors


async def test_what_the_broker_forbids_is_fatal_and_not_a_mere_time_out(tmp_path, cancel):
    users = """authorization { users = [
        {user: admin, password: a}
        {user: narrow, password: b, permissions: {publish: ["$JS.API.INFO"], subscribe: ["_INBOX.>"]}} ] }"""
    reasons = []
    with NatsServer(tmp_path / "nats", config=users) as server:
        url = server.url.replace("nats://", "nats://narrow:b@")
        settings = BusSettings(url=url, name="narrow", timeout_seconds=0.3)
        async with Bus.connect(settings, on_fatal=reasons.append) as bus:
            with pytest.raises(Transient):
                await bus.publisher.publish(cancel("j1"))
            await eventually(lambda: reasons)
    assert "ermissions" in reasons[0]
    assert "quire.cmd.acme.job.cancel.v1.j1" in reasons[0]


async def test_no_broker_is_said_in_time(tmp_path):
    started = time.monotonic()
    with pytest.raises(Transient, match="no broker"):
        async with Bus.connect(BusSettings(url="nats://127.0.0.1:9", name="x", connect_seconds=0.5), on_fatal=print):
            pass
    assert time.monotonic() - started < 3


async def test_a_frozen_broker_is_noticed(provisioned, make_bus, cancel):
    """A half-open link: the process is stopped, its socket stays. The defaults would notice after four minutes."""
    import os
    import signal

    bus = await make_bus("test")
    os.kill(provisioned.pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        await eventually(lambda: not bus.connection.is_connected, within=12)
    finally:
        os.kill(provisioned.pid, signal.SIGCONT)
    assert time.monotonic() - started < 10
    await eventually(lambda: bus.connection.is_connected)
    await bus.publisher.publish(cancel("j1"))
