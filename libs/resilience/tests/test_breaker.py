from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quire_resilience.breaker import Breaker, BreakerPolicy, Circuit, worst

POLICY = BreakerPolicy(
    window_seconds=12,
    least_calls=4,
    failure_rate=0.5,
    open_seconds=5,
    longest_seconds=20,
    jitter=0.2,
    relapse_seconds=30,
    probe_seconds=3,
)


def middle():
    return 0.5  # no jitter up or down


def recorded(breaker, *outcomes, at=0.0):
    for ok in outcomes:
        breaker = breaker.record(at, middle, ok=ok)
    return breaker


def test_the_rule_of_the_house_is_the_default():
    policy = BreakerPolicy()
    assert (policy.window_seconds, policy.least_calls, policy.failure_rate) == (60, 10, 0.5)
    assert (policy.open_seconds, policy.longest_seconds, policy.jitter) == (30, 600, 0.2)


def test_it_opens_at_the_failure_rate_and_not_before():
    breaker = recorded(Breaker(POLICY), True, True, False)
    assert breaker.circuit.state == "closed"
    assert recorded(breaker, False).circuit == Circuit("open", 0.0, 5.0, 1, "failure-rate")  # 2 of 4
    assert recorded(breaker, True).circuit.state == "closed"  # 1 of 4


def test_too_few_calls_say_nothing():
    assert recorded(Breaker(POLICY), False, False, False).circuit.state == "closed"


def test_a_success_never_opens_it():
    assert recorded(Breaker(POLICY), False, False, False, True).circuit.state == "closed"


def test_failures_age_out_of_the_window():
    breaker = recorded(Breaker(POLICY), False, False, False)
    breaker = recorded(breaker, False, at=12)
    assert (breaker.circuit.state, breaker.window.calls) == ("closed", 1)


def test_open_refuses_and_says_how_long():
    breaker = Breaker(POLICY).tripped(100, "target-offline", middle)
    assert breaker.circuit.wait(102) == 3.0
    assert breaker.circuit.wait(106) == 1.0  # a probe is due, but a call is none
    assert breaker.circuit.reason == "target-offline"


def test_who_says_how_long_is_believed():
    assert Breaker(POLICY).tripped(100, "maintenance", middle, until=4_000).circuit.until == 4_000
    longer = Circuit("open", 100, 200, 1, "x").opened(POLICY, 110, "maintenance", middle, until=300)
    assert (longer.until, longer.since, longer.spell) == (300, 100, 1)
    assert longer.opened(POLICY, 120, "again", middle) == longer


def test_one_probe_when_its_time_is_over():
    circuit = Circuit().opened(POLICY, 100, "x", middle)
    assert circuit.probe(POLICY, 104.9) is None
    claimed = circuit.probe(POLICY, 105)
    assert (claimed.state, claimed.wait(106)) == ("half-open", 2.0)
    assert claimed.probe(POLICY, 107) is None
    assert claimed.probe(POLICY, 108).since == 108  # whoever held it is gone


def test_a_good_probe_closes_it_and_a_relapse_lasts_twice_as_long():
    circuit = Circuit().opened(POLICY, 100, "x", middle).probe(POLICY, 105)
    closed = circuit.probed(POLICY, 106, middle, ok=True)
    assert (closed.state, closed.wait(106)) == ("closed", 0.0)
    assert closed.opened(POLICY, 110, "x", middle).until == 120  # twice 5
    assert closed.opened(POLICY, 136, "x", middle).until == 141  # not a relapse any more


def test_bad_probes_double_the_time_up_to_the_longest():
    circuit, now, lasted = Circuit().opened(POLICY, 0, "x", middle), 0.0, []
    for _ in range(5):
        lasted.append(circuit.until - now)
        now = circuit.until
        circuit = circuit.probe(POLICY, now).probed(POLICY, now, middle, ok=False)
    assert lasted == [5, 10, 20, 20, 20]


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 10_000))
def test_jitter_is_a_fifth_up_and_down(unit, spell):
    planned = min(20.0, 5 * 2.0 ** min(spell - 1, 30))
    assert planned * 0.8 <= POLICY.opening(spell, lambda: unit) <= planned * 1.2


circuits = st.builds(
    Circuit,
    st.sampled_from(["closed", "open", "half-open"]),
    st.floats(0, 9),
    st.floats(0, 9),
    st.integers(0, 3),
    st.sampled_from(["", "a", "b"]),
)


@given(circuits, circuits, circuits)
def test_the_worst_is_the_same_in_any_order(first, second, third):
    assert worst(first, second) == worst(second, first)
    assert worst(first, worst(second, third)) == worst(worst(first, second), third)
    assert worst(first, first) == first


@pytest.mark.parametrize("state", ["open", "half-open"])
def test_the_worst_is_never_better_than_either(state):
    assert worst(Circuit(), Circuit(state)).state == state


class BreakerMachine(RuleBasedStateMachine):
    """Against a model that keeps every outcome: what is let through, when it opens, and how many probes there are."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(POLICY)
        self.outcomes = []
        self.probes = []

    @property
    def state(self):
        return self.breaker.circuit.state

    @rule(seconds=st.integers(min_value=0, max_value=14))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.state == "closed")
    @rule(ok=st.booleans())
    def a_call_ends(self, ok):
        # with whole seconds and parts of one second, the window is exact
        self.outcomes = [(at, good) for at, good in self.outcomes if at > self.now - POLICY.window_seconds]
        self.outcomes.append((self.now, ok))
        failures = sum(not good for _, good in self.outcomes)
        expected = not ok and len(self.outcomes) >= 4 and failures / len(self.outcomes) >= 0.5
        before = self.breaker.circuit
        self.breaker = self.breaker.record(self.now, middle, ok=ok)
        assert (self.state == "open") is expected
        if expected:
            self.outcomes = []
            relapse = before.spell > 0 and self.now - before.since < 30
            assert self.breaker.circuit.spell == (before.spell + 1 if relapse else 1)

    @precondition(lambda self: self.state != "closed")
    @rule(ok=st.booleans())
    def a_late_outcome_changes_nothing(self, ok):
        assert self.breaker.record(self.now, middle, ok=ok) == self.breaker

    @rule()
    def it_says_that_it_is_offline(self):
        before = self.breaker.circuit
        self.breaker = self.breaker.tripped(self.now, "target-offline", middle)
        self.outcomes = []
        assert self.state == "open"
        if before.state == "open":
            assert self.breaker.circuit == before

    @rule()
    def somebody_wants_to_probe(self):
        before = self.breaker.circuit
        claimed = before.probe(POLICY, self.now)
        assert (claimed is not None) is (before.state != "closed" and self.now >= before.until)
        if claimed is not None:
            self.breaker = self.breaker.moved(claimed)
            self.probes.append(self.now)

    @precondition(lambda self: self.state == "half-open")
    @rule(ok=st.booleans())
    def a_probe_ends(self, ok):
        before = self.breaker.circuit
        after = before.probed(POLICY, self.now, middle, ok=ok, reason="probe-failed")
        self.breaker = self.breaker.moved(after)
        if ok:
            assert after.state == "closed"
            assert after.wait(self.now) == 0.0
        else:
            planned = min(20.0, 5 * 2.0**before.spell)
            assert (after.state, after.until) == ("open", self.now + planned)

    @invariant()
    def only_closed_lets_calls_through(self):
        assert (self.breaker.circuit.wait(self.now) == 0.0) is (self.state == "closed")

    @invariant()
    def there_is_one_probe_a_period(self):
        assert all(later - earlier >= POLICY.probe_seconds for earlier, later in pairwise(self.probes))

    @invariant()
    def the_window_is_small(self):
        assert len(self.breaker.window.parts) <= 12
        assert self.breaker.window.calls <= len(self.outcomes)


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=200, stateful_step_count=40)
