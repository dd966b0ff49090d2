"""The composition of the service: the application, served for as long as the service runs."""

from __future__ import annotations

import asyncio
import uuid
from importlib.metadata import version

from quire_api.answering import answering
from quire_api.application import application
from quire_api.door import Door
from quire_api.gate import Gate
from quire_api.intake import Intake
from quire_api.settings import Settings
from quire_policy import default_rules, load_rules
from quire_service import Deps, Parts, http_server
from quire_service.health import Health
from quire_service.loads import loads_of


async def build(deps: Deps[Settings]) -> Parts:
    """The api's parts: it consumes nothing, answers one question, and has one background task that serves."""
    settings, release = deps.settings, version("quire-api")
    rules = default_rules() if settings.rules_file is None else load_rules(settings.rules_file)
    loads = await deps.lifetime.enter_async_context(loads_of(deps.bus, deps.clock))
    door = Door(
        settings=settings,
        bus=deps.bus,
        clock=deps.clock,
        tracer=deps.tracer,
        log=deps.log,
        gate=Gate(rate=settings.writes_per_second, burst=settings.writes_burst),
        intake=Intake(rules, loads.current),
        new_id=lambda: str(uuid.uuid4()),
    )
    health = Health(
        service="api", version=release, instance=deps.instance, environment=settings.environment, clock=deps.clock
    )
    health.watch({"broker": deps.bus.check})
    app = application(door, health, release)

    async def serve(stopping: asyncio.Event) -> None:
        door.stopping = stopping
        server = http_server(app, host=settings.host, port=settings.port, graceful_seconds=settings.graceful_seconds)
        async with server as port:
            health.state = "running"
            deps.log.info("listening", host=settings.host, port=port)
            await stopping.wait()
            health.state = "stopping"

    return Parts(routers=(answering(door),), background={"http": serve})
