from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quire_resilience.breaker import Breaker, BreakerPolicy

POLICY = BreakerPolicy(window_seconds=10, least_calls=4, failure_rate=0.5, open_seconds=5, probes=2, probe_seconds=3)


def test_it_opens_at_the_failure_rate_and_not_before():
    breaker = Breaker(POLICY)
    for ok in (True, True, False):
        breaker = breaker.record(0, ok=ok)
    assert breaker.state == "closed"
    assert breaker.record(0, ok=False).state == "open"  # 2 of 4
    assert breaker.record(0, ok=True).state == "closed"  # 1 of 4


def test_too_few_calls_say_nothing():
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker = breaker.record(0, ok=False)
    assert breaker.state == "closed"


def test_failures_age_out_of_the_window():
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker = breaker.record(0, ok=False)
    breaker = breaker.record(11, ok=False)
    assert (breaker.state, len(breaker.outcomes)) == ("closed", 1)


def test_open_refuses_and_says_how_long():
    breaker = Breaker(POLICY).tripped(100)
    assert breaker.allow(102) == (breaker, 3.0)


def test_half_open_lets_one_probe_through_and_needs_two_to_close():
    breaker, wait = Breaker(POLICY).tripped(100).allow(105)
    assert (breaker.state, wait) == ("half-open", 0.0)
    assert breaker.allow(106) == (breaker, 2.0)
    breaker = breaker.record(106, ok=True)
    assert breaker.state == "half-open"
    breaker, wait = breaker.allow(106)
    assert wait == 0.0
    assert breaker.record(107, ok=True) == Breaker(POLICY)


def test_a_failed_probe_opens_it_again_for_the_whole_time():
    breaker, _ = Breaker(POLICY).tripped(100).allow(105)
    assert breaker.record(106, ok=False).allow(107)[1] == 4.0


def test_a_probe_whose_caller_died_is_given_up():
    breaker, _ = Breaker(POLICY).tripped(100).allow(105)
    assert breaker.allow(107)[1] == 1.0
    assert breaker.allow(108)[1] == 0.0


class BreakerMachine(RuleBasedStateMachine):
    """Against a model that keeps every outcome: what is let through, and when it opens."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(POLICY)
        self.outcomes = []
        self.opened_at = None
        self.probe_at = None

    @rule(seconds=st.floats(min_value=0, max_value=12))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.breaker.state == "closed")
    @rule(ok=st.booleans())
    def a_call_ends(self, ok):
        self.outcomes = [(at, good) for at, good in self.outcomes if at > self.now - POLICY.window_seconds]
        self.outcomes.append((self.now, ok))
        failures = sum(not good for _, good in self.outcomes)
        expected = len(self.outcomes) >= 4 and failures / len(self.outcomes) >= 0.5
        self.breaker = self.breaker.record(self.now, ok=ok)
        assert (self.breaker.state == "open") is expected
        if expected:
            self.opened_at, self.outcomes = self.now, []

    @precondition(lambda self: self.breaker.state != "closed")
    @rule()
    def somebody_asks(self):
        before = self.breaker
        self.breaker, wait = self.breaker.allow(self.now)
        if wait:
            assert self.breaker == before
            blocked_until = self.opened_at + 5 if before.state == "open" else self.probe_at + 3
            assert abs(self.now + wait - blocked_until) < 1e-6
        else:
            assert self.breaker.state == "half-open"
            self.probe_at = self.now

    @precondition(lambda self: self.breaker.state == "half-open" and self.breaker.probe_started is not None)
    @rule(ok=st.booleans())
    def a_probe_ends(self, ok):
        passed = self.breaker.probes_passed
        self.breaker = self.breaker.record(self.now, ok=ok)
        if not ok:
            self.opened_at = self.now
            assert self.breaker.state == "open"
        else:
            assert self.breaker.state == ("closed" if passed + 1 == POLICY.probes else "half-open")

    @rule(ok=st.booleans())
    def a_late_outcome_while_open_changes_nothing(self, ok):
        if self.breaker.state == "open":
            assert self.breaker.record(self.now, ok=ok) == self.breaker

    @invariant()
    def closed_lets_everything_through(self):
        if self.breaker.state == "closed":
            assert self.breaker.allow(self.now) == (self.breaker, 0.0)


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
