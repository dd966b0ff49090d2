"""Any order of calls, outages and steps of three gateways: one probe a period, legal transitions, one view."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from quire_bus.errors import Unknown
from quire_bus.records import Stored
from quire_quantum_gateway.breaker_fleet import BreakerFleet, Probed
from quire_quantum_gateway.breakers import Breakers
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.error_table import meanings
from quire_quantum_gateway.sites import Site
from quire_resilience.breaker import BreakerPolicy
from quire_testing import ManualClock

POLICY = BreakerPolicy(
    window_seconds=12, least_calls=3, open_seconds=5, longest_seconds=20, jitter=0.0, probe_seconds=3, relapse_seconds=9
)
SITE = Site("aws", "1", "us-east-1", "forte")
SCOPE = SITE.operation_scope("create")
STEP = {"closed": {"open"}, "open": {"half-open"}, "half-open": {"open", "closed"}}


@dataclass
class Bucket:
    """The shared bucket, by compare-and-swap; `history` is all that was ever in it."""

    values: dict = field(default_factory=dict)
    targets: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    events: dict = field(default_factory=dict)
    reachable: set = field(default_factory=set)
    revision: int = 0


@dataclass(frozen=True)
class Store:
    """The bucket as one gateway reaches it, or does not."""

    bucket: Bucket
    name: int

    async def read(self):
        await self._reach()
        return dict(self.bucket.values)

    async def write(self, state, revision):
        await self._reach()
        known = self.bucket.values.get(state.scope)
        if (known.revision if known else 0) != revision:
            return None
        self.bucket.revision += 1
        self.bucket.values[state.scope] = Stored(state, self.bucket.revision)
        self.bucket.history.append(state)
        return self.bucket.revision

    async def read_targets(self):
        await self._reach()
        return dict(self.bucket.targets)

    async def write_target(self, state, revision):
        await self._reach()
        known = self.bucket.targets.get(state.target)
        if (known.revision if known else 0) == revision:
            self.bucket.revision += 1
            self.bucket.targets[state.target] = Stored(state, self.bucket.revision)

    async def say(self, event, revision):
        await self._reach()
        self.bucket.events.setdefault(revision, event)

    async def _reach(self):
        await asyncio.sleep(0)  # so that steps of several gateways mix
        if self.name not in self.bucket.reachable:
            raise Unknown("no answer")


class FleetMachine(RuleBasedStateMachine):
    """Three gateways whose clocks differ by hours, and one bucket."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bucket, self.healthy = Bucket(reachable={0, 1, 2}), False
        self.clocks = [ManualClock(ManualClock().now() + timedelta(hours=hours)) for hours in (0, 3, -3)]
        self.probes, self.fleets = [], []
        for name, clock in enumerate(self.clocks):
            fleet = BreakerFleet(
                breakers=Breakers(policy=POLICY, clock=clock, uniform=lambda: 0.5),
                store=Store(self.bucket, name),
                sites={"aws:forte": SITE},
                site_of={}.__getitem__,
                probe=self._probed(name),
                instance=str(name),
            )
            self.fleets.append(fleet)
        self._step(0, 1, 2)

    def teardown(self):
        self.loop.close()

    def _probed(self, name):
        async def probe(site):
            self.probes.append((self.clocks[0].monotonic(), name in self.bucket.reachable))
            await asyncio.sleep(0)
            return Probed(ok=self.healthy)

        return probe

    def _step(self, *names):
        async def steps():
            await asyncio.gather(*(self.fleets[name].step() for name in names))
            await asyncio.gather(*(self.fleets[name].settled() for name in names))

        self.loop.run_until_complete(steps())

    def _state(self, name):
        return self.fleets[name].breakers.circuit(SCOPE).state

    @rule(seconds=st.integers(0, 12))
    def time_passes(self, seconds):
        for clock in self.clocks:
            clock.advance(seconds)

    @rule(name=st.integers(0, 2), times=st.integers(1, 4), ok=st.booleans())
    def calls_end(self, name, times, ok):
        breakers = self.fleets[name].breakers
        for _ in range(times):
            if ok:
                breakers.succeeded(SITE, "create")
            else:
                meaning = meanings()["provider-error"]
                breakers.failed(SITE, "create", faults.Classified(meaning.class_, meaning.fault))

    @rule(names=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True))
    def gateways_step(self, names):
        self._step(*names)

    @rule(healthy=st.booleans())
    def the_provider_changes(self, healthy):
        self.healthy = healthy

    @rule(name=st.integers(0, 2))
    def the_bucket_is_lost_or_found(self, name):
        self.bucket.reachable ^= {name}

    @rule()
    def all_is_quiet(self):
        """After a few steps of all in reach of the bucket, all go by one state, and the target is said to be in it."""
        self.bucket.reachable = {0, 1, 2}
        for _ in range(3):
            self._step(0, 1, 2)
        assert len({self._state(name) for name in range(3)}) == 1
        said = self.bucket.targets.get("aws:forte")
        assert (said is None or said.value.state == "up") is (self._state(0) == "closed")
        stored = self.bucket.values.get(SCOPE)
        assert self._state(0) == (stored.value.state if stored else "closed")
        assert len(self.bucket.events) == len(self.bucket.history)

    @invariant()
    def transitions_in_the_bucket_are_legal(self):
        states = ["closed", *(state.state for state in self.bucket.history)]
        for before, after in pairwise(states):
            assert after in STEP[before] or (before, after) == ("half-open", "half-open"), states

    @invariant()
    def who_reaches_the_bucket_probes_once_a_period_for_all(self):
        shared = [at for at, reaches in self.probes if reaches]
        assert all(later - earlier >= POLICY.probe_seconds for earlier, later in pairwise(shared))

    @invariant()
    def nobody_calls_what_it_found_to_be_open(self):
        for name in range(3):
            refused = self.fleets[name].breakers.refusal(SITE, "create") is not None
            assert refused is (self._state(name) != "closed")


TestFleetMachine = FleetMachine.TestCase
TestFleetMachine.settings = settings(max_examples=60, stateful_step_count=40)
