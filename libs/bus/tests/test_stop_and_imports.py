import asyncio
import subprocess
import sys

import pytest

from quire_bus.router import Router
from quire_contracts.job import CancelJob, JobRejected
from quire_contracts.topology import durable_name
from quire_testing import eventually

DURABLE = durable_name("control-plane", CancelJob)


async def test_a_graceful_stop_finishes_what_runs_and_begins_nothing(make_bus, bus, probe, cancel, rejected):
    control, events = await make_bus("control-plane"), await probe("quire.evt.>")
    router, begun = Router("control-plane"), []

    @router.consume(CancelJob, workers=2)
    async def do_cancel(message, delivery):
        begun.append(message.job_id)
        await asyncio.sleep(0.5)
        await delivery.commit(rejected(message.job_id))

    for number in range(6):
        await bus.publisher.publish(cancel(f"j{number}"))
    control.include(router)
    await control.start()
    await eventually(lambda: len(begun) == 2)
    await control.stop(5.0)
    assert len(begun) == 2
    await events.wait(JobRejected, 2)
    js = bus.connection.client.jetstream()

    async def left_over():
        info = await js.consumer_info("QUIRE", DURABLE)
        return (info.num_ack_pending, info.num_pending) == (0, 4)

    await eventually(left_over)
    await control.publisher.publish(cancel("after"))  # the connection is still there for a last word
    assert len(events.recorded) == 2


async def test_a_handler_beyond_the_grace_period_is_left_and_its_message_comes_again(make_bus, bus, quick, cancel):
    begun = []
    for process in range(2):
        control, router = await make_bus("control-plane"), Router("control-plane")

        @router.consume(CancelJob)
        async def do_cancel(message, delivery, process=process):
            begun.append((process, delivery.meta.attempt))
            if process == 0:
                await asyncio.sleep(60)

        await quick(router, ack_wait=0.5)
        control.include(router)
        await control.start()
        if process == 0:
            await bus.publisher.publish(cancel("j1"))
            await eventually(lambda: begun)
            started = asyncio.get_running_loop().time()
            await control.stop(0.2)
            assert asyncio.get_running_loop().time() - started < 3
    await eventually(lambda: len(begun) == 2)
    assert begun == [(0, 1), (1, 2)]


async def test_stopping_what_never_started_and_twice(make_bus):
    bus = await make_bus("control-plane")
    bus.include(Router("control-plane"))
    await bus.stop()
    await bus.start()
    await bus.stop()
    await bus.stop()


def test_a_router_takes_only_what_the_topology_gives():
    router = Router("batching")
    with pytest.raises(LookupError, match="gives batching no consumer of CancelJob"):
        router.consume(CancelJob)
    with pytest.raises(LookupError, match="no consumer named"):
        router.follow("ledger-log")
    with pytest.raises(ValueError, match="attempts"):
        Router("control-plane").consume(CancelJob, attempts=20)
    with pytest.raises(ValueError, match="workers"):
        Router("control-plane").consume(CancelJob, workers=0)


@pytest.mark.parametrize(
    "module",
    ["quire_bus", "quire_bus.router", "quire_bus.delivery", "quire_bus.bus", "quire_bus.server", "quire_bus.provision"],
)
def test_faststream_is_imported_by_consumers_alone(module):
    program = (
        f"import sys, {module}; sys.exit(any(name.startswith(('faststream', 'pydantic')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_package_itself_imports_nothing():
    heavy = ("nats", "msgspec", "opentelemetry")
    program = f"import sys, quire_bus; sys.exit(any(name.startswith({heavy}) for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
