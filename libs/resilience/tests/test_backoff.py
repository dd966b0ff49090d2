from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_resilience.backoff import Backoff

attempts = st.integers(min_value=-3, max_value=10_000)
units = st.floats(min_value=0, max_value=1, exclude_max=True)


def test_the_ceiling_doubles_until_the_cap():
    assert [Backoff(base=0.5, cap=5.0).ceiling(n) for n in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


@given(attempts, units)
def test_full_jitter_is_uniform_between_nothing_and_the_ceiling(attempt, unit):
    backoff = Backoff(base=0.25, cap=20.0)
    assert backoff.delay(attempt, lambda: unit) == pytest.approx(backoff.ceiling(attempt) * unit)
    assert 0.25 <= backoff.ceiling(attempt) <= 20.0


@given(attempts, units, st.floats(min_value=-5, max_value=1e6))
def test_what_the_other_side_asked_for_is_the_least(attempt, unit, retry_after):
    delay = Backoff().delay(attempt, lambda: unit, retry_after=retry_after)
    assert delay >= max(0.0, retry_after)


def test_the_same_seed_gives_the_same_waits():
    waits = [[Backoff().delay(n, random.random) for n in range(1, 6)] for random in (Random(7), Random(7), Random(8))]
    assert waits[0] == waits[1] != waits[2]


@pytest.mark.parametrize(("base", "cap"), [(0, 1), (-1, 1), (2, 1)])
def test_a_backoff_that_cannot_be_is_refused(base, cap):
    with pytest.raises(ValueError, match="0 < base <= cap"):
        Backoff(base=base, cap=cap)
