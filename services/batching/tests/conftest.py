"""Tasks to batch."""

from __future__ import annotations

import hashlib
import struct
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
import structlog

from quire_batching.handlers import build
from quire_batching.settings import Settings
from quire_bus.bus import Bus
from quire_contracts.task import Task
from quire_contracts.value import BlobRef, Matrix
from quire_resilience.clock import SystemClock
from quire_service import Deps
from quire_service.background import Watched
from quire_testing import jobs

sys.path.append(str(Path(__file__).parent))

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def blob(data: bytes, media_type: str) -> BlobRef:
    return BlobRef(hashlib.sha256(data).hexdigest(), len(data), media_type, data)


@pytest.fixture
def make_task():
    def make(task_id: str = "task-1", *, rows: int = 1, structure: str = "qubit[1] q;", **changes) -> Task:
        angles = struct.pack(f"<{rows}d", *range(rows))
        task = jobs.make_task(
            task_id=task_id,
            job_id=f"job-of-{task_id}",
            structure=blob(structure.encode(), "application/vnd.quire.structure+qasm"),
            parameters=Matrix(rows, 1, blob(angles, "application/vnd.quire.float64")),
            priority="customer-facing",
        )
        return msgspec.structs.replace(task, **changes)

    return make


@pytest_asyncio.fixture
async def replica(provisioned, bus_settings, spans):
    """`await replica(**settings)`: the service's handlers on the test's broker; the bus they run on."""
    async with AsyncExitStack() as stack:

        async def started(answer_seconds=5.0, **settings):
            connection = replace(bus_settings("batching"), timeout_seconds=answer_seconds)
            tracer = spans.tracer("batching")
            bus = await stack.enter_async_context(Bus.connect(connection, tracer=tracer, on_fatal=print))
            deps = Deps(
                settings=Settings(**settings),
                bus=bus,
                clock=SystemClock(),
                tracer=tracer,
                log=structlog.get_logger(),
                instance="test",
                lifetime=stack,
            )
            parts = await build(deps)
            for router in parts.routers:
                bus.include(router)
            background = Watched(parts.background, service="batching", log=deps.log, fail=pytest.fail)
            stack.push_async_callback(background.stop, 5.0)
            stack.push_async_callback(bus.stop)
            await bus.start()
            return bus

        yield started
