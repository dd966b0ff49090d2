from hypothesis import given
from hypothesis import strategies as st

from quire_resilience.backoff import Backoff
from quire_resilience.limiter import Pace, TokenBucket
from quire_resilience.retry import RetryBudget, RetryPolicy

POLICY = RetryPolicy(tries=4, seconds=60, backoff=Backoff(base=1.0, cap=20.0))


def most():
    return 1.0


def test_so_many_tries_and_no_more():
    assert [POLICY.pause(attempt, 0, 100, most) for attempt in range(1, 6)] == [1.0, 2.0, 4.0, None, None]


def test_the_time_of_all_tries_is_bounded():
    assert POLICY.pause(1, 59.0, 100, most) == 1.0
    assert POLICY.pause(1, 59.1, 100, most) is None


def test_a_try_that_would_come_too_late_is_none():
    assert POLICY.pause(1, 0, 1.0, most) is None
    assert POLICY.pause(1, 0, 1.1, most) == 1.0


def test_what_the_other_side_asks_for_is_waited_for_or_there_is_no_try():
    assert POLICY.pause(1, 0, 100, lambda: 0.0, retry_after=7) == 7
    assert POLICY.pause(1, 0, 100, most, retry_after=61) is None


@given(st.lists(st.booleans(), max_size=400))
def test_retries_are_a_tenth_of_the_calls_and_a_few(steps):
    budget, calls, retries = RetryBudget(), 0, 0
    for is_retry in steps:
        if is_retry:
            after = budget.spent()
            assert (after is None) is (budget.tokens < 1)
            budget, retries = after or budget, retries + (after is not None)
        else:
            budget, calls = budget.called(), calls + 1
    assert retries <= 10 + 0.1 * calls + 1e-9


@given(st.floats(0.1, 30), st.floats(0, 40))
def test_silence_is_kept_and_no_burst_follows(asked, later):
    pace = Pace(TokenBucket.full(rate=2, capacity=5, now=100)).silenced(100, asked)
    pace, wait = pace.take(100 + later)
    if later < asked:
        assert abs(wait - (asked - later)) < 1e-6
    else:
        held = min(5, 2 * (later - asked))
        assert (wait == 0) is (held >= 1) or abs(held - 1) < 1e-6


def test_a_pace_without_silence_is_its_bucket():
    pace, wait = Pace(TokenBucket.full(rate=2, capacity=1, now=0)).take(0)
    assert wait == 0
    assert pace.take(0)[1] == 0.5
