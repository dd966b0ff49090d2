"""Fixtures of the gateway's tests: batches, gateways, and what the emulated clouds share."""

from __future__ import annotations

import contextlib
import itertools
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog

from quire_quantum_gateway.failpoints import NoFailpoints
from quire_quantum_gateway.handlers import compose
from quire_quantum_gateway.settings import Settings
from quire_resilience.clock import SystemClock
from quire_service import Deps
from quire_service.background import Watched
from quire_testing.batches import make_batch, make_slice
from quire_testing.clouds import NOBODY

sys.path.append(str(Path(__file__).parent))  # --import-mode=importlib finds no neighbours: `gateway_house` is one


@pytest.fixture
def make():
    """`make.slice(name, rows, seed=, traceparent=)` and `make.batch(structure, members, target=, shots=)`."""
    return SimpleNamespace(slice=make_slice, batch=partial(make_batch, target="qiskit:aer"))


@pytest.fixture
def remote():
    """`House`, `Bomb`, `Killed`, `FakeRemote`: what is needed to be cruel to gateways."""
    from gateway_house import Bomb, FakeRemote, House, Killed

    return SimpleNamespace(House=House, Bomb=Bomb, Killed=Killed, FakeRemote=FakeRemote)


@pytest.fixture
async def gateway(make_bus, spans):
    """`await gateway(provider, background=, **settings)`: a whole gateway of one provider on this test's broker.

    Gives its bus. It looks at remote jobs often and, with `background`, does what a gateway does unasked, too.
    """
    async with contextlib.AsyncExitStack() as lifetime:

        async def start(provider, *, background=False, **settings):
            tracer = spans.tracer("quantum-gateway")
            bus = await make_bus("quantum-gateway", tracer=tracer)
            deps = Deps(
                settings=Settings(**{"poll_seconds": 0.01, "warm_targets": (), **settings}),
                bus=bus,
                clock=SystemClock(),
                tracer=tracer,
                log=structlog.get_logger(),
                instance="test",
                lifetime=lifetime,
            )
            parts = compose(deps, {provider.name: provider}, NoFailpoints())
            for each in parts.routers:
                bus.include(each)
            if background:
                watched = Watched(parts.background, service="quantum-gateway", log=deps.log, fail=pytest.fail)
                lifetime.push_async_callback(watched.stop, 5.0)
                lifetime.push_async_callback(bus.stop)
            await bus.start()
            return bus

        yield start


TOKENS = itertools.count()


@pytest.fixture
def emulator(cloud):
    """The module's cloud, without the faults of the test before."""
    cloud.disarm()
    yield cloud
    cloud.disarm()


@pytest.fixture
def token():
    """Nobody else's, in the cloud's life."""
    return f"batch-{next(TOKENS)}-abc"


@pytest.fixture(scope="module")
def account():
    """Credentials that are none, and nothing of this machine's."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in NOBODY.items():
            environment.setenv(name, value)
        yield
