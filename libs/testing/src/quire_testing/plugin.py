"""The pytest plugin: a ladder of small fixtures from a broker to a connected bus. See the package's docstring."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from quire_bus.bus import Bus
    from quire_bus.connection import BusSettings
    from quire_bus.server import NatsServer
    from quire_service import Service
    from quire_testing.clock import ManualClock
    from quire_testing.otlp_sink import Sink
    from quire_testing.probe import Probe, Recorded
    from quire_testing.spans import Spans


def pytest_configure() -> None:
    """No example of hypothesis is timed: this machine or another is busy now and then, and nothing is wrong then."""
    from hypothesis import settings  # noqa: PLC0415

    settings.register_profile("quire", deadline=None)
    settings.load_profile("quire")


# What a fixture needs is imported in it: the plugin is loaded for every run, also where none of this is used.


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A fresh broker with JetStream for this test; `kill()` and `start()` it as you like, its data stays."""
    from quire_bus.server import NatsServer  # noqa: PLC0415

    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def bus_settings(nats_server: NatsServer) -> Callable[[str], BusSettings]:
    """The `BusSettings` of a service on this test's broker."""
    from quire_bus.connection import BusSettings  # noqa: PLC0415

    def settings(name: str = "test") -> BusSettings:
        return BusSettings(url=nats_server.url, name=name, graceful_seconds=5.0)

    return settings


@pytest_asyncio.fixture
async def provisioned(nats_server: NatsServer, bus_settings: Callable[[str], BusSettings]) -> NatsServer:
    """This test's broker with the whole topology made."""
    from quire_bus.connection import connect  # noqa: PLC0415
    from quire_bus.provision import provision  # noqa: PLC0415

    connection = await connect(bus_settings("provision"), _fatal)
    await provision(connection)
    await connection.close()
    return nats_server


@pytest_asyncio.fixture
async def make_bus(
    provisioned: NatsServer,  # noqa: ARG001 - for its effect
    bus_settings: Callable[[str], BusSettings],
) -> AsyncIterator[Callable[..., Awaitable[Bus]]]:
    """A function of a service's name and of options of `Bus.connect` that connects a bus; closed after the test."""
    from quire_bus.bus import Bus  # noqa: PLC0415

    async with contextlib.AsyncExitStack() as stack:

        async def make(name: str = "test", **options: object) -> Bus:
            options.setdefault("on_fatal", _fatal)
            return await stack.enter_async_context(Bus.connect(bus_settings(name), **options))  # type: ignore[arg-type]

        yield make


@pytest_asyncio.fixture
async def bus(make_bus: Callable[..., Awaitable[Bus]]) -> Bus:
    """A connected bus of a service called `test`."""
    return await make_bus("test")


@pytest_asyncio.fixture
async def probe(provisioned: NatsServer) -> AsyncIterator[Callable[..., Awaitable[Probe]]]:
    """A function of subjects that begins to record what is stored there, from the beginning of the log."""
    from quire_testing.probe import Probe  # noqa: PLC0415

    async with contextlib.AsyncExitStack() as stack:

        async def make(*subjects: str, stream: str = "QUIRE") -> Probe:
            made = Probe(provisioned.url, subjects or (">",), stream)
            await made.start()
            stack.push_async_callback(made.stop)
            return made

        yield make


@pytest_asyncio.fixture
async def deliver_again(provisioned: NatsServer) -> AsyncIterator[Callable[[Recorded], Awaitable[None]]]:
    """Delivers a recorded message once more, under its own id, past the broker's de-duplication."""
    import nats  # noqa: PLC0415

    client = await nats.connect(provisioned.url)

    async def again(recorded: Recorded) -> None:
        headers = {name: value for name, value in recorded.headers.items() if not name.startswith("Nats-")}
        await client.jetstream().publish(recorded.subject, recorded.body, headers=headers)

    yield again
    await client.close()


@pytest_asyncio.fixture
async def serve(make_bus: Callable[..., Awaitable[Bus]], spans: Spans) -> AsyncIterator[Callable[..., Awaitable[Bus]]]:
    """Starts a service's handlers on this test's broker and gives the bus they run on; settings by keyword.

    Nothing else of the process is there: no health, no background tasks; spans are in `spans`.
    """
    import structlog  # noqa: PLC0415

    from quire_resilience.clock import SystemClock  # noqa: PLC0415
    from quire_service import Deps  # noqa: PLC0415

    async with contextlib.AsyncExitStack() as stack:

        async def served(service: Service[Any], **settings: object) -> Bus:
            tracer = spans.tracer(service.name)
            bus = await make_bus(service.name, tracer=tracer)
            deps = Deps(
                settings=service.settings(**settings),
                bus=bus,
                clock=SystemClock(),
                tracer=tracer,
                log=structlog.get_logger(),
                instance="test",
                lifetime=stack,
            )
            for router in (await service.build(deps)).routers:
                bus.include(router)
            await bus.start()
            return bus

        yield served


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test moves."""
    from quire_testing.clock import ManualClock  # noqa: PLC0415

    return ManualClock()


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Spans in memory and the tracers that make them."""
    from quire_testing.spans import Spans  # noqa: PLC0415

    recorded = Spans()
    yield recorded
    recorded.close()


@pytest.fixture
def otlp_sink() -> Iterator[Sink]:
    """An OTLP receiver that answers as Jaeger does, on free ports."""
    from quire_testing.otlp_sink import Sink  # noqa: PLC0415

    with Sink() as sink:
        yield sink


def _fatal(reason: str) -> None:
    """In a test a fatal connection must not end pytest; it is printed, and what the test waits for does not come."""
    print(f"fatal: {reason}")  # noqa: T201
