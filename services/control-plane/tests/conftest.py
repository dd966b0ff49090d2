"""Fixtures of the control plane's tests; `control_plane_cases` beside this file has what they are made of."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog

from quire_control_plane.__main__ import SERVICE
from quire_control_plane.settings import Settings
from quire_resilience.clock import SystemClock
from quire_service import Deps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quire_bus.bus import Bus

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def sample_body() -> bytes:
    """A sampling job with everything but the essentials left out."""
    return b'{"kind": "sample", "program": "OPENQASM 3.0;", "shots": 100, "seed": 5}'


@pytest.fixture
def optimize_body() -> bytes:
    """A loop of four rounds."""
    return (
        b'{"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}, "seed": 5, "shots": 100,'
        b' "algorithm": {"name": "qaoa", "layers": 1, "optimizer": {"name": "spsa", "rounds": 4}}}'
    )


@pytest_asyncio.fixture
async def house(serve):
    """The control plane's handlers on the test's broker."""
    return await serve(SERVICE)


@pytest_asyncio.fixture
async def whole(make_bus, spans):
    """A function that starts the control plane with its background tasks; it gives the bus, and what stops it."""
    async with AsyncExitStack() as stack:

        async def start() -> tuple[Bus, Callable[[], Awaitable[None]]]:
            bus, lifetime, stopping = await make_bus(SERVICE.name), AsyncExitStack(), asyncio.Event()
            deps = Deps(
                settings=Settings(),
                bus=bus,
                clock=SystemClock(),
                tracer=spans.tracer(SERVICE.name),
                log=structlog.get_logger(),
                instance=f"control-plane-{id(bus)}",
                lifetime=lifetime,
            )
            parts = await SERVICE.build(deps)
            for router in parts.routers:
                bus.include(router)
            await bus.start()
            running = [asyncio.create_task(each(stopping)) for each in parts.background.values()]

            async def stop() -> None:
                stopping.set()
                await asyncio.gather(*running)
                await bus.stop()
                await lifetime.aclose()

            stack.push_async_callback(stop)
            return bus, stop

        yield start
