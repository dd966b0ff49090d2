"""Breakers shared by gateways, on a real broker; time is moved by hand, so that periods are exact."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from random import Random

import pytest
import pytest_asyncio

from quire_bus.connection import BusSettings
from quire_bus.errors import Unknown
from quire_contracts.breaker import ANY, BreakerState, TargetState, breaker_key, target_key
from quire_quantum_gateway.breaker_fleet import BreakerFleet, Probed
from quire_quantum_gateway.breaker_store import BUCKET, BreakerStore
from quire_quantum_gateway.breakers import Breakers
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.error_table import meanings
from quire_quantum_gateway.sites import Site
from quire_resilience.breaker import BreakerPolicy
from quire_testing import ManualClock, eventually

POLICY = BreakerPolicy(jitter=0.0)
ARIA, FORTE = Site("aws", "1234", "us-east-1", "Aria-1"), Site("aws", "1234", "us-east-1", "Forte-1")
SITES = {"aws:Aria-1": ARIA, "aws:Forte-1": FORTE}


def meaning(code):
    found = meanings()[code]
    return faults.Classified(found.class_, found.fault)


class Gateway:
    """One gateway's breakers, whose probes find what `answer` says, and are counted."""

    def __init__(self, name, bus, clock):
        self.probes = []
        self.answer = Probed(ok=False)
        self.breakers = Breakers(policy=POLICY, clock=clock, uniform=Random(1).random)
        self.fleet = BreakerFleet(
            breakers=self.breakers,
            store=BreakerStore(bus.bucket(BUCKET, BreakerState), bus.bucket(BUCKET, TargetState), bus.publisher),
            sites=SITES,
            site_of=SITES.__getitem__,
            probe=self._probe,
            instance=name,
        )
        self.clock = clock

    async def _probe(self, site):
        self.probes.append((self.clock.monotonic(), site.device))
        return self.answer

    def fail(self, times=10, operation="create", code="provider-error", site=ARIA):
        for _ in range(times):
            self.breakers.failed(site, operation, meaning(code))

    def is_refused(self, operation="create", site=ARIA):
        return self.breakers.refusal(site, operation) is not None


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def bus_settings(nats_server):
    """With little patience, for the test without a broker."""
    return lambda name="test": BusSettings(url=nats_server.url, name=name, timeout_seconds=0.5, graceful_seconds=5.0)


@pytest_asyncio.fixture
async def gateways(make_bus, clock):
    return [Gateway(name, await make_bus(name), clock) for name in ("one", "two")]


async def step(*gateways):
    """All of them at the same time, and the probes that they begin."""
    await asyncio.gather(*(each.fleet.step() for each in gateways))
    await asyncio.gather(*(each.fleet.settled() for each in gateways))


async def events_of(bus):
    return [(entry.message, entry.meta) async for entry in bus.read_log(filter_="quire.evt.shared.breaker.>")]


async def test_what_one_gateway_finds_refuses_the_calls_of_all(gateways):
    one, two = gateways
    one.fail(times=9)
    assert not one.is_refused()
    one.fail(times=1)
    assert one.is_refused()
    await step(one)
    await step(two)
    refusal = two.breakers.refusal(ARIA, "create")
    assert (refusal.reason, refusal.seconds) == ("target-failing", 30)
    assert not two.is_refused("status")
    assert not two.is_refused(site=FORTE)


async def test_there_is_one_probe_a_period_for_all_gateways(gateways, clock):
    one, two = gateways
    one.fail()
    await step(one, two)
    started, periods = clock.monotonic(), (30, 60, 120, 240, 480, 600, 600)
    for period in periods:
        before = len(one.probes) + len(two.probes)
        clock.advance(period - 1)
        await step(one, two)
        await step(two, one)
        assert len(one.probes) + len(two.probes) == before
        clock.advance(1)
        for _ in range(3):
            await step(one, two)
        assert len(one.probes) + len(two.probes) == before + 1
    assert clock.monotonic() - started == sum(periods)
    one.answer = two.answer = Probed(ok=True)
    clock.advance(600)
    for _ in range(3):
        await step(one, two)
    assert not one.is_refused()
    assert not two.is_refused()
    assert len(one.probes) + len(two.probes) == len(periods) + 1


async def test_a_prober_that_dies_holds_nothing_up(gateways, clock):
    one, two = gateways
    one.fail()
    await step(one, two)
    clock.advance(30)
    started = asyncio.Event()

    async def hang(site):
        started.set()
        await asyncio.Event().wait()

    one.fleet.probe = hang
    await one.fleet.step()
    await started.wait()
    for probe in one.fleet._probes.values():
        probe.cancel()
    two.answer = Probed(ok=True)
    await step(two)
    clock.advance(29)
    await step(two)
    assert two.probes == []
    clock.advance(1)
    await step(two)
    assert len(two.probes) == 1
    assert not two.is_refused()


async def test_a_provider_that_does_not_answer_the_probe_is_not_back(gateways, clock):
    one, _ = gateways
    one.fail()
    await step(one)
    clock.advance(30)
    one.fleet.probe = lambda site: asyncio.Event().wait()
    await one.fleet.step()
    await eventually(lambda: clock.sleeping)
    clock.advance(30)
    await one.fleet.settled()
    assert one.breakers.refusal(ARIA, "create").seconds == 60


async def test_every_transition_is_one_event_and_a_state_in_the_bucket(gateways, clock, make_bus):
    one, two = gateways
    bus = await make_bus("reader")
    one.fail()
    two.fail()
    await step(one, two)
    await step(one, two)
    scope = ARIA.operation_scope("create")
    state = (await bus.bucket(BUCKET, BreakerState).get(breaker_key(scope))).value
    assert (state.state, state.scope, state.reason) == (
        "open",
        scope,
        "too many of the last calls to the target failed",
    )
    assert state.until - state.since == timedelta(seconds=30)
    one.answer = two.answer = Probed(ok=True)
    clock.advance(30)
    for _ in range(3):
        await step(one, two)
    said = await events_of(bus)
    assert [meta.type.split(".")[3] for _, meta in said] == ["opened", "half-opened", "closed"]
    assert said[2][0].refused_seconds == 30
    assert {message.scope for message, _ in said} == {scope}


async def test_a_target_is_said_to_be_down_and_up_again(gateways, clock, make_bus):
    one, two = gateways
    targets = (await make_bus("reader")).bucket(BUCKET, TargetState)
    await step(one, two)
    assert await targets.get(target_key("aws:Aria-1")) is None
    one.fail(times=1, code="target-offline")
    await step(one, two)
    state = (await targets.get(target_key("aws:Aria-1"))).value
    assert (state.state, state.reason_code, state.until) == (
        "down",
        "target-offline",
        clock.now() + timedelta(seconds=30),
    )
    assert "offline" in state.reason
    assert await targets.get(target_key("aws:Forte-1")) is None
    one.answer = two.answer = Probed(ok=True)
    clock.advance(30)
    await step(one, two)
    await step(one, two)
    state = (await targets.get(target_key("aws:Aria-1"))).value
    assert (state.state, state.until) == ("up", None)


async def test_offline_opens_the_device_at_once_and_a_bad_account_everything(gateways):
    one, two = gateways
    one.fail(times=1, operation="status", code="target-offline")
    assert one.is_refused("create")
    assert one.is_refused("fetch")
    assert not one.is_refused(site=FORTE)
    two.fail(times=1, code="not-authorised")
    await step(one, two)
    await step(one, two)
    assert one.is_refused(site=FORTE)
    assert one.breakers.refusal(FORTE, "create").scope.device == ANY


async def test_what_is_the_user_s_fault_or_the_limiter_s_counts_for_nothing(gateways):
    one, _ = gateways
    for code in (
        "program-refused",
        "unsupported-width",
        "throttled",
        "too-many-jobs",
        "spending-limit",
        "state-changed",
    ):
        one.fail(times=20, code=code)
    assert not one.is_refused()


async def test_a_provider_that_says_when_it_is_back_is_asked_then(gateways, clock):
    one, two = gateways
    one.fail(times=1, code="target-offline")
    await step(one, two)
    one.answer = two.answer = Probed(ok=False, until=clock.now() + timedelta(hours=2))
    clock.advance(30)
    await step(one, two)
    await step(one, two)
    assert one.breakers.refusal(ARIA, "create").seconds == two.breakers.refusal(ARIA, "create").seconds == 7200 - 30


async def test_a_gateway_that_starts_knows_what_is_open(gateways, clock, make_bus):
    one, _ = gateways
    one.fail()
    await step(one)
    clock.advance(12)
    late = Gateway("three", await make_bus("three"), clock)
    await step(late)
    assert late.breakers.refusal(ARIA, "create").seconds == 18


async def test_a_gateway_whose_clock_is_ahead_does_not_probe_early_not_even_after_an_outage(gateways, clock, make_bus):
    one, _ = gateways
    ahead = Gateway("ahead", await make_bus("ahead"), ManualClock(clock.now() + timedelta(hours=1)))
    await step(ahead)
    store, ahead.fleet.store = ahead.fleet.store, Unreachable()
    await step(ahead)
    ahead.fleet.store = store
    one.fail()
    await step(one)
    await step(ahead)
    assert ahead.breakers.refusal(ARIA, "create").seconds == 30
    assert ahead.probes == []


class Unreachable:
    """A store whose broker does not answer."""

    async def read(self):
        raise Unknown("no answer")


async def test_without_the_bucket_a_gateway_goes_by_its_own_calls_and_shares_them_later(gateways, clock, nats_server):
    one, two = gateways
    await step(one, two)
    nats_server.kill()
    one.fail()
    await step(one)
    assert one.is_refused()
    assert not two.is_refused()
    clock.advance(30)
    await step(one)  # a probe for itself alone; the answer is no
    assert len(one.probes) == 1
    assert one.breakers.refusal(ARIA, "create").seconds == 60
    nats_server.start()

    async def shared():
        await step(one, two)
        return two.is_refused()

    await eventually(shared, within=20)
    assert two.breakers.refusal(ARIA, "create").seconds <= 60


async def test_it_keeps_in_step_by_itself(gateways, clock):
    one, two = gateways
    stopping = asyncio.Event()
    running = [asyncio.create_task(each.fleet.watch(stopping)) for each in gateways]
    await eventually(lambda: clock.sleeping == 2)
    one.fail(times=1, code="target-offline")  # wakes its own gateway at once
    await eventually(lambda: one.breakers.known[ARIA.device_scope].shared)
    assert not two.is_refused()
    clock.advance(1)
    await eventually(two.is_refused)
    stopping.set()
    await asyncio.gather(*running)
