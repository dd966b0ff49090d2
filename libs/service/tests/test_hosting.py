import asyncio
import contextlib
import io
import json
import logging
import socket

import httpx
import pytest
import structlog

from quire_bus.router import Router
from quire_contracts.job import CancelJob
from quire_service import Exit, Parts, Service, ServiceFailed, ServiceSettings, hosted, logs
from quire_service.hosting import Running
from quire_testing.waiting import eventually


@pytest.fixture
def settings(provisioned):
    def make(**values):
        return ServiceSettings(nats_url=provisioned.url, graceful_seconds=2, **values)

    return make


@pytest.fixture
def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


async def test_a_hosted_service_works_until_the_block_ends(echo, story, settings, ask):
    async with hosted(echo(story), settings(instance="echo-7")) as running:
        assert running.state == "running"
        assert await ask("echo", 41) == (42, "echo-7")
        assert await running.faults() == {}
    assert running.state == "stopped"
    assert story.events == ["background finished", "lifetime closed"]
    assert (await running.ended()).exit is Exit.OK


async def test_probes_over_http(echo, story, settings, free_port):
    async with hosted(echo(story), settings(health_port=free_port)), httpx.AsyncClient() as client:
        base = f"http://127.0.0.1:{free_port}"
        assert (await client.get(f"{base}/livez")).status_code == 200
        assert (await client.get(f"{base}/readyz")).json() == {"ready": True, "faults": {}}
        assert (await client.get(f"{base}/info")).json()["service"] == "echo"
        story.deps.meter.create_counter("quire.lamps").add(3)
        assert "quire_lamps_total 3" in (await client.get(f"{base}/metrics")).text.splitlines()
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{base}/livez")


async def test_readiness_follows_the_broker_end_to_end(echo, story, settings, provisioned):
    async with hosted(echo(story), settings()) as running:
        provisioned.kill()
        faults = await eventually(running.faults)
        assert set(faults) == {"broker"}
        provisioned.start()
        await eventually(lambda: _ready(running))


async def _ready(running):
    return not await running.faults()


async def test_a_services_own_check_counts_for_readiness(echo, story, settings):
    async with hosted(echo(story), settings()) as running:
        story.sick = "the lamp is out"
        assert await eventually(running.faults) == {"luck": "the lamp is out"}


async def test_a_background_task_that_fails_ends_the_service(echo, story, settings):
    async with hosted(echo(story), settings()) as running:
        story.fail.set()
        ended = await asyncio.wait_for(running.ended(), 5)
    assert ended.exit is Exit.CRASH
    assert ended.reason == "background task wait failed: RuntimeError: out of luck"
    assert story.events == ["lifetime closed"]


async def test_a_background_task_that_does_not_stop_is_cancelled_in_bounded_time(echo, story, settings):
    story.stubborn = True
    loop = asyncio.get_running_loop()
    async with hosted(echo(story), settings()):
        begun = loop.time()
    assert 1.5 < loop.time() - begun < 5
    assert story.events == ["lifetime closed"]


async def test_a_build_that_fails_is_a_crash_with_its_reason(story, settings):
    async def build(deps):
        raise ValueError("rules.toml: no such rule")

    broken = Service(name="echo", version="1", settings=ServiceSettings, build=build)
    with pytest.raises(ServiceFailed, match=r"ValueError: rules\.toml: no such rule") as caught:
        async with hosted(broken, settings()):
            pass
    assert caught.value.ended.exit is Exit.CRASH


async def test_no_broker_ends_the_start_with_its_own_exit_code(echo, story, free_port):
    nowhere = ServiceSettings(nats_url=f"nats://127.0.0.1:{free_port}", start_seconds=0.5)
    with pytest.raises(ServiceFailed, match=r"broker was not ready within 0\.5 s") as caught:
        async with hosted(echo(story), nowhere):
            pass
    assert caught.value.ended.exit is Exit.BROKER


async def test_a_broker_that_comes_late_is_waited_for(echo, story, provisioned):
    provisioned.kill()
    late = ServiceSettings(nats_url=provisioned.url, start_seconds=20, graceful_seconds=2)
    running = Running(echo(story), late)
    await asyncio.sleep(0)
    assert running.state == "starting"
    provisioned.start()
    await asyncio.wait_for(running.started(), 20)
    running.end(Exit.OK, "done")
    assert (await running.ended()).exit is Exit.OK


async def test_a_start_can_be_called_off(echo, story, free_port):
    running = Running(echo(story), ServiceSettings(nats_url=f"nats://127.0.0.1:{free_port}"))
    await asyncio.sleep(0)
    running.end(Exit.OK, "SIGTERM")
    ended = await asyncio.wait_for(running.ended(), 2)
    assert (ended.exit, ended.reason) == (Exit.OK, "SIGTERM")


@pytest.fixture
def logged():
    """What is logged while the test runs, line by line."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("info", "json", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_neighbours_in_one_process_keep_their_logs_apart(echo, story, settings, ask, logged):
    neighbour = type(story)()
    async with hosted(echo(story, "first"), settings()), hosted(echo(neighbour, "second"), settings()):
        await ask("first", 1)
        await ask("second", 2)
    said = {(line["service"], line["number"]) for line in logged() if line["event"] == "pinged"}
    assert said == {("first", 1), ("second", 2)}
    assert "service" not in structlog.contextvars.get_contextvars()


async def test_a_message_in_hand_gives_its_ids_to_logs_and_spans(settings, bus, logged, otlp_sink):
    async def build(deps):
        router = Router("control-plane")

        @router.consume(CancelJob)
        async def do_cancel(message, delivery):
            deps.log.info("cancelling")
            logging.getLogger("a.library").warning("deep down")

        return Parts(routers=(router,))

    service = Service(name="control-plane", version="1", settings=ServiceSettings, build=build)
    async with hosted(service, settings(otlp_endpoint=f"{otlp_sink.http_endpoint}/v1/traces")):
        await bus.publisher.publish(CancelJob(tenant="acme", job_id="job-1"))
        await eventually(lambda: "deep down" in {line["event"] for line in logged()})
    ours, foreign = (line for line in logged() if line["event"] in {"cancelling", "deep down"})
    assert (ours["tenant"], ours["job_id"], ours["service"]) == ("acme", "job-1", "control-plane")
    assert (foreign["tenant"], foreign["job_id"], foreign["trace_id"]) == ("acme", "job-1", ours["trace_id"])
    (span,) = [
        span
        for span in otlp_sink.store.trace(ours["trace_id"])["spans"]
        if span["operationName"].startswith("process ")
    ]
    assert span["spanID"] == ours["span_id"]


async def test_neighbours_in_one_process_trace_under_their_own_names(echo, story, settings, otlp_sink):
    chosen = settings(otlp_endpoint=f"{otlp_sink.http_endpoint}/v1/traces", instance="i-1")
    neighbour = type(story)()
    async with hosted(echo(story, "first"), chosen), hosted(echo(neighbour, "second"), chosen):
        outer = story.deps.tracer.start_as_current_span("by the first")
        with outer as span, neighbour.deps.tracer.start_as_current_span("by the second"):
            pass
    # Both have flushed by now: what a service did until its last moment is there.
    assert otlp_sink.store.services() == ["first", "second"]
    trace = otlp_sink.store.trace(f"{span.get_span_context().trace_id:032x}")
    names = {each["operationName"]: trace["processes"][each["processID"]]["serviceName"] for each in trace["spans"]}
    assert names == {"by the first": "first", "by the second": "second"}


async def test_a_collector_that_is_not_there_delays_no_stop(echo, story, settings, free_port):
    loop = asyncio.get_running_loop()
    async with hosted(echo(story), settings(otlp_endpoint=f"http://127.0.0.1:{free_port}/v1/traces")):
        for _ in range(10):
            with story.deps.tracer.start_as_current_span("unseen"):
                pass
        begun = loop.time()
    assert loop.time() - begun < 6
