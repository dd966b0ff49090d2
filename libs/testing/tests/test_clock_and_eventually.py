"""Time that moves by hand, and waiting that says what it last saw."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from quire_testing import eventually


async def test_a_manual_clock_wakes_sleepers_in_order_and_none_too_early(clock):
    woken = []

    async def sleeper(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
    await eventually(lambda: clock.sleeping == 3)
    clock.advance(0.5)
    await asyncio.sleep(0)
    assert woken == []
    clock.advance(1.5)
    await eventually(lambda: len(woken) == 2)
    assert woken == [(1, 2.0), (2, 2.0)]
    clock.advance(1)
    await asyncio.gather(*tasks)
    assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=3)


async def test_no_sleep_is_no_wait(clock):
    await clock.sleep(0)
    await clock.sleep(-1)
    assert clock.sleeping == 0


async def test_eventually_gives_the_first_true_value():
    values = iter([0, None, "", "now", "later"])
    assert await eventually(lambda: next(values)) == "now"


async def test_eventually_takes_coroutines_and_assertions():
    calls = []

    async def condition():
        calls.append(1)
        assert len(calls) > 2, "not yet"
        return len(calls)

    assert await eventually(condition) == 3


async def test_eventually_says_what_it_last_saw():
    with pytest.raises(AssertionError, match=r"not within 0.05 s; the last value was 0"):
        await eventually(lambda: 0, within=0.05)

    def never():
        raise AssertionError("three of four")

    with pytest.raises(AssertionError, match="three of four"):
        await eventually(never, within=0.05)
