"""Calls of a provider: what is repeated, what is refused, what is counted; time is moved by hand."""

from __future__ import annotations

import asyncio
import itertools
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from opentelemetry.metrics import NoOpMeter

from quire_contracts.switch import Switch
from quire_plane import Lanes
from quire_quantum_gateway.breakers import Breakers
from quire_quantum_gateway.calls import CallCounts, Calls
from quire_quantum_gateway.limits import Limits, Postponed
from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.error_table import meanings
from quire_quantum_gateway.sites import Site
from quire_resilience.breaker import BreakerPolicy
from quire_resilience.errors import Permanent, Transient
from quire_service.switches import SwitchesUnreadable
from quire_testing import ManualClock, eventually
from quire_testing.switches import ManualSwitches

SITE = Site("aws", "1234", "us-east-1", "Aria-1")


def failing(code, *, applied="no", retry_after=None, known=True):
    meaning = meanings()[code]
    return faults.raised_for(faults.Classified(meaning.class_, meaning.fault, applied, retry_after, known))


class Counter:
    def __init__(self):
        self.total = 0

    def add(self, amount, attributes=None):
        self.total += amount


class Provider:
    """Raises the errors that it is given, in turn, then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def desk(clock):
    lanes, counts = Lanes(1, clock), CallCounts(NoOpMeter("test"))
    for name in vars(counts):
        setattr(counts, name, Counter())
    breakers = Breakers(policy=BreakerPolicy(jitter=0), clock=clock, uniform=lambda: 0.5)
    limits, switches = Limits(clock=clock), ManualSwitches()
    calls = Calls(
        sites=lambda target: Site(SITE.provider, SITE.account, SITE.region, target.partition(":")[2]),
        switches=switches,
        breakers=breakers,
        limits=limits,
        lanes=lanes,
        clock=clock,
        uniform=lambda: 0.5,
        counts=counts,
    )
    yield SimpleNamespace(calls=calls, counts=counts, breakers=breakers, limits=limits, switches=switches)
    await lanes.close()


async def made(desk, clock, provider, operation="find", target="aws:Aria-1", **options):
    """The result of a call, or its error; the clock is moved on whenever it waits."""
    task = asyncio.ensure_future(desk.calls.call(target, operation, provider, **options))
    while not task.done():
        if clock.sleeping:
            clock.advance(0.25)
        await asyncio.sleep(0)
        await asyncio.wait([task], timeout=0.002)
    return task.exception() or task.result()[0]


async def test_a_question_is_asked_again_within_its_tries(desk, clock):
    provider = Provider(*(failing("provider-error") for _ in range(3)))
    assert await made(desk, clock, provider) == "done"
    assert (provider.calls, desk.counts.retries.total, desk.counts.calls.total) == (4, 3, 4)
    assert clock.monotonic() == pytest.approx(0.25 + 0.5 + 1.0, abs=0.75)  # half of 0.5, 1 and 2 seconds
    provider = Provider(*(failing("provider-error") for _ in range(4)))
    assert isinstance(await made(desk, clock, provider), Transient)
    assert provider.calls == 4


async def test_a_poll_is_not_repeated_for_it_comes_again_anyway(desk, clock):
    provider = Provider(failing("provider-error"))
    assert isinstance(await made(desk, clock, provider, "status"), Transient)
    assert provider.calls == 1


@pytest.mark.parametrize("applied", ["no", "maybe"])
async def test_giving_work_is_repeated_only_where_it_carries_a_token(desk, clock, applied):
    provider = Provider(failing("provider-error", applied=applied))
    raised = await made(desk, clock, provider, "create")
    assert isinstance(raised, faults.Ambiguous if applied == "maybe" else Transient)
    assert provider.calls == 1
    provider = Provider(failing("provider-error", applied=applied))
    assert await made(desk, clock, provider, "create", repeatable=True) == "done"
    assert provider.calls == 2


@pytest.mark.parametrize(
    "code", ["program-refused", "target-offline", "spending-limit", "answer-lost", "execution-failed"]
)
async def test_what_does_not_heal_by_itself_is_not_repeated(desk, clock, code):
    provider = Provider(failing(code))
    assert isinstance(await made(desk, clock, provider, "create", repeatable=True), Exception)
    assert provider.calls == 1


async def test_retries_are_a_tenth_of_the_calls_however_bad_it_is(desk, clock):
    desk.breakers.policy = BreakerPolicy(least_calls=10_000)
    tried = 0
    for _ in range(100):
        provider = Provider(*(failing("provider-error") for _ in range(4)))
        await made(desk, clock, provider)
        tried += provider.calls
    assert tried <= 100 + 10 + 10
    assert tried >= 100 + 10


async def test_no_try_begins_after_the_deadline(desk, clock):
    provider = Provider(*(failing("provider-error") for _ in range(3)))
    assert isinstance(await made(desk, clock, provider, deadline=0.6), Transient)
    assert provider.calls == 2


async def test_an_open_breaker_lets_nothing_through_and_says_for_how_long(desk, clock):
    for _ in range(10):
        await made(desk, clock, Provider(failing("provider-error")), "create")
    provider = Provider()
    raised = await made(desk, clock, provider, "create")
    assert isinstance(raised, Postponed)
    assert (raised.retry_after, raised.fault.kind, raised.fault.code) == (33, "offline", "target-failing")
    assert provider.calls == 0
    with pytest.raises(Postponed):
        await desk.calls.ready("aws:Aria-1", "create")
    assert await made(desk, clock, provider, "status") == "done"
    assert await made(desk, clock, provider, "create", target="aws:Forte-1") == "done"


async def test_what_waited_for_a_thread_while_the_breaker_opened_is_not_made(desk, clock):
    import threading

    gate, provider = threading.Event(), Provider()
    first = asyncio.ensure_future(desk.calls.call("aws:Aria-1", "create", gate.wait))
    second = asyncio.ensure_future(desk.calls.call("aws:Aria-1", "create", provider))
    await eventually(lambda: desk.counts.calls.total == 1)
    meaning = meanings()["target-offline"]
    desk.breakers.failed(SITE, "status", faults.Classified(meaning.class_, meaning.fault))
    gate.set()
    await first
    with pytest.raises(Postponed):
        await second
    assert provider.calls == 0


async def test_a_sick_target_takes_no_thread_of_another(desk, clock):
    import threading

    gate = threading.Event()
    stuck = [asyncio.ensure_future(desk.calls.call("aws:Aria-1", "create", gate.wait)) for _ in range(20)]
    assert await made(desk, clock, Provider(), "create", target="aws:Forte-1") == "done"
    assert await made(desk, clock, Provider(), "status") == "done"  # questions have threads of their own
    gate.set()
    await asyncio.gather(*stuck)


async def test_being_told_to_slow_down_silences_the_target_and_its_siblings(desk, clock):
    desk.limits.call_rates = {"aws:*": 100.0}
    provider = Provider(failing("throttled", retry_after=20))
    raised = await made(desk, clock, provider, "create", repeatable=True)
    assert isinstance(raised, Postponed)
    assert raised.retry_after >= 20
    assert (provider.calls, raised.fault.kind) == (1, "transient")
    sibling = Provider()
    assert isinstance(await made(desk, clock, sibling, target="aws:Forte-1"), Postponed)
    assert sibling.calls == 0
    clock.advance(21)
    assert await made(desk, clock, sibling, target="aws:Forte-1") == "done"
    assert desk.breakers.refusal(SITE, "create") is None


async def test_a_short_wait_is_waited_out(desk, clock):
    provider = Provider(failing("throttled", retry_after=1.5))
    assert await made(desk, clock, provider) == "done"
    assert clock.monotonic() >= 1.5


async def test_no_room_at_the_provider_is_waited_for_outside(desk, clock):
    raised = await made(desk, clock, Provider(failing("too-many-jobs")), "create")
    assert isinstance(raised, Postponed)
    assert (raised.fault.kind, raised.retry_after >= 30) == ("capacity", True)


async def test_work_for_a_device_that_is_offline_waits_until_it_was_asked_again(desk, clock):
    raised = await made(desk, clock, Provider(failing("target-offline")), "create", repeatable=True)
    assert isinstance(raised, Postponed)
    assert (raised.fault.code, raised.retry_after) == ("target-offline", 33)
    assert isinstance(await made(desk, clock, Provider(failing("target-retired")), target="aws:Forte-1"), Permanent)


async def test_rates_are_kept_for_the_provider_and_for_each_device(desk, clock):
    desk.limits.call_rates, desk.limits.create_rates = {"aws:*": 4.0}, {"aws:Aria-1": 1.0}
    for _ in range(4):
        assert await made(desk, clock, Provider()) == "done"
    assert clock.monotonic() == 0
    assert await made(desk, clock, Provider(), target="aws:Forte-1") == "done"
    assert 0.25 <= clock.monotonic() <= 0.5
    clock.advance(10)
    began = clock.monotonic()
    for _ in range(3):
        assert await made(desk, clock, Provider(), "create") == "done"
    assert clock.monotonic() - began >= 2.0


async def test_a_turn_that_is_too_far_away_is_postponed(desk, clock):
    desk.limits.create_rates = {"*": 0.1}
    assert await made(desk, clock, Provider(), "create") == "done"
    raised = await made(desk, clock, Provider(), "create")
    assert isinstance(raised, Postponed)
    assert raised.retry_after == 10


async def test_so_many_jobs_at_once_and_no_more(desk):
    desk.limits.jobs_at_once = {"aws:*": 2, "aws:Aria-1": 1}
    async with desk.calls.job("aws:Aria-1"):
        with pytest.raises(Postponed):
            async with desk.calls.job("aws:Aria-1"):
                pytest.fail("one too many")
        async with desk.calls.job("aws:Forte-1"), desk.calls.job("qiskit:aer"):
            with pytest.raises(Postponed):
                async with desk.calls.job("aws:Garnet"):
                    pytest.fail("one too many")
    async with desk.calls.job("aws:Aria-1"), desk.calls.job("aws:Forte-1"):
        pass


async def test_unknown_errors_are_counted_and_known_ones_by_class(desk, clock):
    await made(desk, clock, Provider(failing("unclassified", known=False)), "create")
    await made(desk, clock, Provider(RuntimeError("a bug")), "create")
    assert desk.counts.unclassified.total == 2
    await made(desk, clock, Provider(failing("program-refused")), "create")
    await made(desk, clock, Provider(Permanent("cancelled", "ours")), "create")
    assert (desk.counts.unclassified.total, desk.counts.errors.total) == (2, 2)


async def test_a_job_that_the_device_cannot_run_counts_against_giving_it_more(desk, clock):
    for code in itertools.repeat("execution-failed", 10):
        await made(desk, clock, Provider(failing(code)), "fetch")
    assert desk.breakers.refusal(SITE, "create") is not None
    assert desk.breakers.refusal(SITE, "fetch") is None


OFF = Switch("provider", "aws", "off", "the bill is too high", "ann", datetime(2026, 1, 1, tzinfo=UTC))
MINE = Switch("tenant", "acme", "off", "asked for", "ann", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("operation", ["create", "run"])
async def test_what_is_switched_off_is_not_called_and_says_why(desk, clock, operation):
    desk.switches.off.append(OFF)
    provider = Provider()
    with pytest.raises(Postponed, match="too high"):
        await desk.calls.ready("aws:Aria-1", operation)
    raised = await made(desk, clock, provider, operation)
    assert (raised.fault.kind, raised.fault.code, provider.calls) == ("offline", "switched-off", 0)
    assert "the bill is too high" in raised.fault.reason
    desk.switches.off.clear()
    assert await made(desk, clock, provider, operation) == "done"


@pytest.mark.parametrize("operation", ["status", "fetch", "cancel", "find", "describe"])
async def test_what_is_at_a_provider_is_looked_after_however_the_switches_stand(desk, clock, operation):
    desk.switches.off.append(OFF)
    desk.switches.error = SwitchesUnreadable()
    assert await made(desk, clock, Provider(), operation) == "done"


async def test_a_tenant_that_is_switched_off_stops_the_work_that_it_is_in(desk, clock):
    desk.switches.off.append(MINE)
    provider = Provider()
    raised = await made(desk, clock, provider, "create", tenants={"beta", "acme"})
    assert "tenant acme" in raised.fault.reason
    assert await made(desk, clock, provider, "create", tenants={"beta"}) == "done"
    assert provider.calls == 1


async def test_where_nobody_knows_the_switches_nothing_begins(desk, clock):
    desk.switches.error = SwitchesUnreadable()
    provider = Provider()
    raised = await made(desk, clock, provider, "create")
    assert (raised.fault.code, raised.fault.retryable, provider.calls) == ("switches-unreadable", True, 0)


async def test_what_was_known_before_a_long_wait_for_a_thread_is_asked_anew(desk):
    """The first work holds the only thread; meanwhile what is known grows old, and the switch is turned."""
    free, begun = threading.Event(), threading.Event()

    def hold():
        begun.set()
        free.wait(5)

    holding = asyncio.ensure_future(desk.calls.call("aws:Aria-1", "create", hold))
    await eventually(begun.is_set)
    provider = Provider()
    waiting = asyncio.ensure_future(desk.calls.call("aws:Aria-1", "create", provider))
    await eventually(lambda: desk.switches.asks == 2)
    desk.switches.is_fresh = False
    desk.switches.off.append(OFF)
    free.set()
    await holding
    with pytest.raises(Postponed, match="switched off"):
        await waiting
    assert (provider.calls, desk.switches.asks) == (0, 3)
