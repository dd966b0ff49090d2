import asyncio

import httpx
import pytest

from quire_service.health import Health
from quire_testing.clock import ManualClock


@pytest.fixture
def health(clock: ManualClock) -> Health:
    return Health(service="batching", version="1.2.3", instance="b-1", environment="test", clock=clock)


@pytest.fixture
async def get(health):
    transport = httpx.ASGITransport(app=health.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://health") as client:
        yield client.get


async def test_a_starting_service_lives_and_is_not_ready(get):
    assert (await get("/livez")).json() == {"live": True, "state": "starting"}
    ready = await get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "faults": {"state": "starting"}})


async def test_ready_when_every_check_passes(health, get):
    async def passes() -> None:
        return

    health.watch({"broker": passes, "database": passes})
    health.state = "running"
    ready = await get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "faults": {}})


async def test_not_ready_says_which_check_failed_and_why(health, get, monkeypatch):
    async def passes() -> None:
        return

    async def fails() -> None:
        raise ConnectionError("no route")

    async def hangs() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("quire_service.health.CHECK_SECONDS", 0.05)
    health.watch({"broker": passes, "database": fails, "provider": hangs})
    health.state = "running"
    ready = await get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["faults"] == {"database": "no route", "provider": "no answer within 0.05 s"}
    assert (await get("/livez")).status_code == 200


async def test_eager_probes_share_one_round_of_checks(health, get, clock):
    calls = []

    async def counted() -> None:
        calls.append(1)

    health.watch({"broker": counted})
    health.state = "running"
    await asyncio.gather(*(get("/readyz") for _ in range(10)))
    assert len(calls) == 1
    clock.advance(0.6)
    await get("/readyz")
    assert len(calls) == 2


async def test_a_stopping_service_is_not_ready_at_once(health, get):
    async def passes() -> None:
        return

    health.watch({"broker": passes})
    health.state = "running"
    assert (await get("/readyz")).status_code == 200
    health.state = "stopping"
    assert (await get("/readyz")).json()["faults"] == {"state": "stopping"}


async def test_info_says_what_it_is_and_since_when(get, clock):
    clock.advance(90)
    info = (await get("/info")).json()
    assert (info["service"], info["version"], info["instance"]) == ("batching", "1.2.3", "b-1")
    assert info["uptime_seconds"] == 90
    assert info["started_at"] == "2026-01-01T00:00:00+00:00"


async def test_another_path_is_not_found(get):
    assert (await get("/metrics")).status_code == 404
