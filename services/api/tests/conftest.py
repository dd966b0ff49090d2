"""The door on a real broker."""

from __future__ import annotations

import sys
import uuid
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import structlog

from quire_api.application import application
from quire_api.door import Door
from quire_api.gate import Gate
from quire_api.intake import Intake
from quire_api.settings import Settings
from quire_policy import default_rules
from quire_resilience.clock import SystemClock
from quire_service import http_server
from quire_service.health import Health

sys.path.append(str(Path(__file__).parent))  # --import-mode=importlib finds no neighbours: `api_house` is one


@pytest.fixture
def settings():
    return Settings(keep_alive_seconds=0.2, body_seconds=1.0, answer_seconds=2.0, ledger_seconds=0.5, streams=4)


@pytest.fixture
async def house(make_bus, settings, spans):
    from api_house import House

    bus, helper = await make_bus("api", tracer=spans.tracer("api")), await make_bus("helper")
    door = Door(
        settings=settings,
        bus=bus,
        clock=SystemClock(),
        tracer=spans.tracer("api"),
        log=structlog.get_logger(),
        gate=Gate(rate=settings.writes_per_second, burst=settings.writes_burst),
        intake=Intake(default_rules(), dict),
        new_id=lambda: str(uuid.uuid4()),
    )
    health = Health(service="api", version="0", instance="test", environment="test", clock=SystemClock())
    health.watch({"broker": bus.check})
    health.state = "running"
    app = application(door, health, "0")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(base_url="http://quire", transport=transport, timeout=10) as client:
        yield House(helper, door, app, client)
        door.stopping.set()


@pytest.fixture
async def served(house):
    """The same on a real port, for what only a real connection shows; a third of a second dearer."""
    async with (
        http_server(house.app, host="127.0.0.1", port=0, graceful_seconds=1.0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client,
    ):
        yield replace(house, client=client)
        house.door.stopping.set()
