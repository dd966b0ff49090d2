"""The control law in virtual time: against every fixed window, over load steps, and where waiting would be in vain."""

from __future__ import annotations

import heapq
import random
from dataclasses import replace

import pytest
from virtual_time import LIMITS, Run, arrivals

from quire_batching.control import GRID, Size, narrowed, places_for, window_for
from quire_batching.group import Item
from quire_batching.grouping import GroupKey
from quire_batching.load import Load
from quire_batching.measures import Company, Service
from quire_batching.policy import Bounds, Policy
from quire_batching.target_queue import TargetQueue

POLICY = Policy({"*": LIMITS}, {"*": 8}, {"research": Bounds(window=0.1, hold=20.0)})
FIXED = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
PHASES = ((10.0, 6.0), (100.0, 6.0), (400.0, 6.0), (10.0, 8.0))
"""Tasks a second, for so many seconds."""

SETTLED = 2.0
"""Seconds after a step in which the window may still be on its way; five are allowed."""


def play(policy: Policy, came: list[float], *, overhead: float, structures: int = 5, latency: float = 0.003) -> Run:
    """One server that takes batches in order, `overhead` seconds each and 0.3 ms a task; answers travel `latency`."""
    draw, queue = random.Random(7), TargetQueue("simulation", policy, 0.0)
    run = Run(came, {}, [], [])
    events: list[tuple[float, int, tuple[int, ...] | None]] = [(at, -1 - place, None) for place, at in enumerate(came)]
    heapq.heapify(events)
    free = 0.0
    while events or queue.depth.members:
        now = queue.next_due()
        if events and events[0][0] <= now:
            now, ticket, members = heapq.heappop(events)
            if members is None:
                key = GroupKey("simulation", str(draw.randrange(structures)), None, 1, "research")
                load = Load(1, 1, 1, 300, 0.0003, 1)
                queue.admit(Item(key, f"tenant-{draw.randrange(20)}", load, -1 - ticket), now)
            else:
                run.answered.update(dict.fromkeys(members, now))
                queue.over(ticket, now)
        for batch in queue.take(now):
            free = max(free, now + latency / 2) + overhead + batch.load.seconds
            run.batches.append((now, len(batch.contents)))
            heapq.heappush(events, (free + latency / 2, batch.ticket, batch.contents))
        run.windows.append((now, queue.window))
    return run


@pytest.mark.parametrize("overhead", [0.003, 0.005, 0.01])
def test_adaptive_window_is_as_good_as_the_best_fixed_one_in_every_phase(overhead):
    came = arrivals(PHASES, seed=1)
    adaptive = play(POLICY, came, overhead=overhead)
    fixed = [play(replace(POLICY, fixed_window=window), came, overhead=overhead) for window in FIXED]
    start = 0.0
    for _, seconds in PHASES:
        begin, end = start + SETTLED, start + seconds
        best = min(run.p99(begin, end) for run in fixed)
        assert adaptive.p99(begin, end) <= 1.1 * best + 0.001
        start = end
    assert max(adaptive.answered.values()) <= min(max(run.answered.values()) for run in fixed) + 0.2


def test_new_setting_is_reached_within_five_seconds_up_and_down():
    phases = ((10.0, 5.0), (400.0, 10.0), (10.0, 20.0))
    run = play(POLICY, arrivals(phases, seed=2), overhead=0.005)
    assert run.window(0.0, 5.0) == 0.0
    assert run.window(6.0, 7.0) == run.window(10.0, 15.0) > 0.0
    assert run.window(20.0, 35.0) == 0.0


def test_overload_is_met_by_batches_instead_of_a_queue_without_end():
    run = play(POLICY, arrivals(((400.0, 5.0),), seed=3), overhead=0.02)
    assert 400 * 0.02 > 1  # one by one the server would need eight seconds for each second's tasks
    assert run.p99(2.0, 5.0) < 0.4


def test_loop_that_sends_a_round_after_each_answer_never_waits():
    queue, now = TargetQueue("simulation", POLICY, 0.0), 0.0
    key = GroupKey("simulation", "loop", None, 1, "research")
    for _ in range(500):
        queue.admit(Item(key, "acme", Load(1, 1, 1, 300, 0.0003, 1), None), now)
        (batch,) = queue.take(now)
        now += 0.005
        queue.over(batch.ticket, now)
        now += 0.002
    assert queue.window == 0.0


def test_loop_beside_a_crowd_waits_for_nobody_but_now_and_then():
    """Its structure has no company, and that is found out by waiting once in a while."""
    came = arrivals(((400.0, 8.0),), seed=4)
    queue, free, waited = TargetQueue("simulation", POLICY, 0.0), 0.0, []
    events = [(at, place, "came", None) for place, at in enumerate(came)]
    heapq.heapify(events)
    heapq.heappush(events, (1.0, -1, "round", None))
    draw, sent = random.Random(7), 0.0
    while events and events[0][0] < 8.0:
        now = queue.next_due()
        if events[0][0] <= now:
            now, _, what, batch = heapq.heappop(events)
            if what == "over":
                queue.over(batch.ticket, now)
                if "round" in batch.contents:
                    heapq.heappush(events, (now + 0.002, -1, "round", None))
            else:
                structure = "loop" if what == "round" else str(draw.randrange(5))
                sent = now if what == "round" else sent
                key = GroupKey("simulation", structure, None, 1, "research")
                queue.admit(Item(key, "acme", Load(1, 1, 1, 300, 0.0003, 1), what), now)
        for batch in queue.take(now):
            if "round" in batch.contents:
                waited.append(now - sent)
            free = max(free, now + 0.0015) + 0.005 + batch.load.seconds
            heapq.heappush(events, (free + 0.0015, batch.ticket, "over", batch))
    waited.sort()
    assert queue.window > 0.0
    assert waited[len(waited) // 2] < 0.005


def test_window_is_zero_for_a_target_that_is_seldom_busy():
    service = learned(overhead=0.002)
    assert window_for([20.0] * 5, service, 0.0001, 0.1) == 0.0
    assert window_for([200.0] * 5, service, 0.0001, 0.1) > 0.0
    assert window_for([200.0] * 5, service, 0.0001, 0.0) == 0.0


def test_errors_make_the_window_smaller():
    service = learned(overhead=0.01)
    before = narrowed(window_for([80.0] * 5, service, 0.0001, 0.1), service.errors)
    service.finished(10.0, 9.9, 0.001, ok=False)
    assert 0 < narrowed(window_for([80.0] * 5, service, 0.0001, 0.1), service.errors) < before


def test_a_window_that_is_almost_as_good_as_the_best_one_stays():
    service = learned(overhead=0.01)
    best = window_for([80.0] * 5, service, 0.0001, 0.1)
    beside = next(step for step in GRID if step > best)
    assert window_for([80.0] * 5, service, 0.0001, 0.1, present=beside) == beside
    assert window_for([80.0] * 5, service, 0.0001, 0.1, present=0.005) == best
    assert window_for([80.0] * 5, service, 0.0001, best, present=beside) == best


def test_places_keep_the_target_busy_while_answers_travel():
    assert places_for(Service(), 8) == 8
    assert places_for(learned(overhead=0.01, latency=0.001), 8) == 3
    assert places_for(learned(overhead=0.001, latency=0.004), 8) == 6
    assert places_for(learned(overhead=0.001, latency=0.1), 8) == 8


def test_overhead_and_slope_are_learned_from_batches_of_many_sizes():
    service = learned(overhead=0.01, slope=0.25)
    assert service.overhead == pytest.approx(0.01, rel=0.1)
    assert service.slope == pytest.approx(0.25, rel=0.1)
    service.learn(1_000.0)
    assert (service.overhead, service.slope) == (0.0, 1.0)  # forgotten


def learned(*, overhead: float, slope: float = 1.0, latency: float = 0.002) -> Service:
    """What is known after batches of 0 to 90 ms of estimated time that were sent faster than they could be run."""
    service, free = Service(), latency
    for place in range(40):
        estimate = 0.01 * (place % 10)
        free += overhead + slope * estimate
        sent = free - overhead - slope * estimate - latency
        service.finished(free, sent if place else 0.0, estimate, ok=True)
    service.learn(free)
    return service


def test_company_is_counted_only_while_somebody_is_there():
    alone, crowd = Company(0.0), Company(0.0)
    for place in range(1_000):
        alone.came(place / 100)
        alone.left(place / 100 + 0.009)
        crowd.came(place / 100)
        if place >= 5:
            crowd.left(place / 100)
    assert alone.rate(10.0) == 0.0
    assert crowd.rate(10.0) == pytest.approx(100, rel=0.15)
    assert crowd.rate(12.0) == pytest.approx(0, abs=5)


def test_size_follows_the_time_that_batches_take():
    size = Size(0.2)
    for took in (0.3, 0.3):
        size.finished(0.1, took, ok=True, full=True)
    assert size.cap == pytest.approx(0.2 * 0.9**2)
    size.finished(0.1, 0.1, ok=True, full=False)
    assert size.cap == pytest.approx(0.2 * 0.9**2)
    size.finished(0.1, 0.1, ok=True, full=True)
    assert size.cap == pytest.approx(0.2 * (0.9**2 + 0.1))
    size.finished(9.0, 5.0, ok=True, full=True)  # one task, larger than any batch: no reason to make batches smaller
    assert size.cap == pytest.approx(0.2 * (0.9**2 + 0.2))
