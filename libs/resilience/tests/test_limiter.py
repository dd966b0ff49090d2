import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_resilience.limiter import TokenBucket


def test_a_burst_then_the_rate():
    bucket = TokenBucket.full(rate=2, capacity=3, now=0)
    for _ in range(3):
        bucket, wait = bucket.take(0)
        assert wait == 0
    bucket, wait = bucket.take(0)
    assert wait == 0.5
    bucket, wait = bucket.take(0.5)
    assert (wait, bucket.tokens) == (0, 0)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 4)), max_size=60))
def test_never_more_than_the_burst_and_the_rate_allow(steps):
    now, taken = 0.0, 0.0
    bucket = TokenBucket.full(rate=1.5, capacity=4, now=now)
    for pause, wanted in steps:
        now += pause
        bucket, wait = bucket.take(now, wanted)
        assert -1e-9 <= bucket.tokens <= 4
        if wait == 0:
            taken += wanted
        else:
            assert bucket.take(now + wait + 1e-9, wanted)[1] == 0  # the wait that was named is enough
        assert taken <= 4 + 1.5 * now + 1e-6


def test_a_clock_that_goes_back_takes_nothing_away():
    bucket, _ = TokenBucket.full(rate=1, capacity=2, now=10).take(10)
    assert bucket.refilled(5) == bucket


@pytest.mark.parametrize("tokens", [0, -1, 2.5])
def test_what_no_wait_would_give_is_refused(tokens):
    with pytest.raises(ValueError, match="at most 2"):
        TokenBucket.full(rate=1, capacity=2, now=0).take(0, tokens)


@pytest.mark.parametrize(("rate", "capacity"), [(0, 1), (-1, 1), (1, 0.5)])
def test_a_bucket_that_could_never_let_a_call_in_is_refused(rate, capacity):
    with pytest.raises(ValueError, match="rate > 0"):
        TokenBucket.full(rate=rate, capacity=capacity, now=0)
