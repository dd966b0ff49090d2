"""Lanes keep targets apart; turns keep one batch's runs apart."""

from __future__ import annotations

import asyncio
import threading

import pytest

from quire_plane import Lanes, Turns
from quire_resilience.clock import SystemClock
from quire_testing import eventually


async def test_two_targets_do_not_wait_for_each_other():
    lanes, gate = Lanes(1, SystemClock()), threading.Event()
    slow = asyncio.create_task(lanes.run("slow", lambda: gate.wait(10)))
    behind = asyncio.create_task(lanes.run("slow", lambda: "behind"))
    assert (await lanes.run("quick", lambda: "quick"))[0] == "quick"
    assert not behind.done()
    gate.set()
    assert await slow == (True, pytest.approx(0, abs=1))
    assert (await behind)[0] == "behind"
    await lanes.close()


async def test_the_time_spent_waiting_for_a_thread_is_told(clock):
    lanes, gate, begun = Lanes(1, clock), threading.Event(), threading.Event()
    first = asyncio.create_task(lanes.run("t", lambda: begun.set() or gate.wait(10)))
    second = asyncio.create_task(lanes.run("t", lambda: "done"))
    await eventually(begun.is_set)
    clock.advance(7.0)
    gate.set()
    assert (await first)[1] == 0.0
    assert await second == ("done", 7.0)
    await lanes.close()


async def test_a_lane_that_is_closed_drops_what_has_not_begun():
    lanes, gate, ran = Lanes(1, SystemClock()), threading.Event(), []
    running = asyncio.create_task(lanes.run("t", lambda: gate.wait(10)))
    waiting = asyncio.create_task(lanes.run("t", lambda: ran.append(1)))
    await asyncio.sleep(0)
    await lanes.close()
    gate.set()
    assert (await running)[0] is True
    assert (await asyncio.wait([waiting]))[0].pop().cancelled()
    assert ran == []


async def test_one_batch_runs_one_at_a_time_and_two_side_by_side():
    turns, order = Turns(), []

    async def run(batch, name, gate):
        async with turns.of(batch):
            order.append(f"{name} begins")
            await gate.wait()
            order.append(f"{name} ends")

    first, other = asyncio.Event(), asyncio.Event()
    tasks = [
        asyncio.create_task(run("b1", "first", first)),
        asyncio.create_task(run("b1", "second", first)),
        asyncio.create_task(run("b2", "other", other)),
    ]
    await eventually(lambda: order == ["first begins", "other begins"])
    first.set()
    other.set()
    await asyncio.gather(*tasks)
    assert order.index("first ends") < order.index("second begins")


async def test_a_turn_is_given_back_when_a_run_fails():
    turns = Turns()
    with pytest.raises(KeyError):
        async with turns.of("b1"):
            raise KeyError
    async with turns.of("b1"):
        pass
