"""The house: a broker, what the topology names on it, and every service, opened, kept and closed in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from typing import Any, Final

import msgspec
from structlog.typing import FilteringBoundLogger

from quire_all_in_one.broker import Broker, HouseTaken, free_port, is_free
from quire_all_in_one.guest import Guest, Keeper, open_all
from quire_all_in_one.process import Process
from quire_all_in_one.settings import Addresses, Plan, environ_of, environ_of_broker, has_collector
from quire_all_in_one.traces import PATH, Collector
from quire_bus.sharing import SharedConnections
from quire_resilience.clock import Clock
from quire_service import Running, Service, http_server, load_settings

SERVICES: Final[Mapping[str, str]] = {
    "control-plane": "quire_control_plane",
    "preprocessing": "quire_preprocessing",
    "batching": "quire_batching",
    "quantum-gateway": "quire_quantum_gateway",
    "gpu-simulation": "quire_gpu_simulation",
    "aggregation": "quire_aggregation",
    "ledger": "quire_ledger",
    "api": "quire_api",
}
"""Name to import package; `python -m <package>` runs one, and `<package>.__main__.SERVICE` is it."""

OPEN_SECONDS: Final = 60.0
"""What a start may take, on a small and busy machine too."""


class House(msgspec.Struct, frozen=True):
    """An open house, as it is written to stdout and to `house.json` in the data folder."""

    http: str
    nats: str
    pid: int
    processes: bool


@contextlib.asynccontextmanager
async def opened(plan: Plan, *, clock: Clock, log: FilteringBoundLogger) -> AsyncIterator[House]:
    """The house, every service ready; closed in order at the end: services first, then the broker.

    Raises:
        HouseTaken: the data folder or a port is in use.
        ServerFailed, ProvisionError: the broker cannot be used.
        ServiceFailed, SettingsError: a service did not come up.
    """
    if plan.http_port > 0 and not is_free(plan.http_port):
        raise HouseTaken(f"port {plan.http_port} is taken; choose another with --http-port")
    if plan.nats_port > 0 and not is_free(plan.nats_port):
        raise HouseTaken(f"port {plan.nats_port} is taken; choose another with --nats-port")
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(Broker(plan.data_dir, plan.nats_port, environ_of_broker(plan)))
        addresses = _addresses(plan, broker.url, await _collect(plan, stack))
        host = _apart(plan, addresses, clock) if plan.processes else await _together(plan, addresses, broker)
        if plan.processes:
            await broker.provision()
        watch = asyncio.create_task(broker.keep(clock=clock, log=log), name="keep the broker")
        stack.callback(watch.cancel)
        keepers = [Keeper(name, partial(host, name), clock=clock, uniform=random.random, log=log) for name in SERVICES]
        stack.push_async_callback(_close_all, keepers)
        await open_all(keepers, seconds=OPEN_SECONDS)
        house = House(http=addresses.http_url, nats=addresses.nats_url, pid=os.getpid(), processes=plan.processes)
        state = plan.data_dir / "house.json"
        state.write_bytes(msgspec.json.encode(house))
        stack.callback(state.unlink, missing_ok=True)
        yield house


async def _collect(plan: Plan, stack: AsyncExitStack) -> str:
    """Take the services' spans, and write them when the services are gone; where to send them, or nothing."""
    if plan.traces is None or has_collector(plan):
        return ""
    collector = Collector()
    stack.callback(collector.write, plan.traces)
    port = await stack.enter_async_context(http_server(collector.app, host="127.0.0.1", port=0, graceful_seconds=1.0))
    return f"http://127.0.0.1:{port}{PATH}"


def _addresses(plan: Plan, nats_url: str, traces_url: str) -> Addresses:
    http_port = plan.http_port if plan.http_port > 0 else free_port()
    health = {name: free_port() for name in SERVICES} if plan.processes else {}
    return Addresses(nats_url=nats_url, http_port=http_port, health_ports=health, traces_url=traces_url)


async def _together(plan: Plan, addresses: Addresses, broker: Broker) -> Callable[[str], Guest]:
    """Guests in this event loop. Importing them takes seconds, so the broker is provisioned meanwhile."""
    imported, _ = await asyncio.gather(asyncio.to_thread(_import_all), broker.provision())
    settings = {
        name: load_settings(service.settings, name, environ_of(name, plan, addresses))
        for name, service in imported.items()
    }
    connections = SharedConnections("all-in-one")
    return lambda name: Running(imported[name], settings[name], connecting=connections.connect)


def _apart(plan: Plan, addresses: Addresses, clock: Clock) -> Callable[[str], Guest]:
    """Guests in processes of their own."""

    def invite(name: str) -> Guest:
        environ = environ_of(name, plan, addresses)
        return Process(
            name,
            SERVICES[name],
            environ=environ,
            health_port=addresses.health_ports[name],
            graceful_seconds=float(environ["QUIRE_GRACEFUL_SECONDS"]),
            clock=clock,
            output=sys.stderr.buffer,
        )

    return invite


def _import_all() -> dict[str, Service[Any]]:
    return {name: import_module(f"{package}.__main__").SERVICE for name, package in SERVICES.items()}


async def _close_all(keepers: list[Keeper]) -> None:
    await asyncio.gather(*(keeper.close() for keeper in keepers))
