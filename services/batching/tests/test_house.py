"""What is seen of the house, and windows in virtual time where every service shares one processor."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from dataclasses import replace

import pytest
from virtual_time import LIMITS, Run, arrivals

from quire_batching.control import Surroundings, window_for
from quire_batching.group import Item
from quire_batching.grouping import GroupKey
from quire_batching.house import BATCH_TASKS, HOP_SECONDS, House, Pace
from quire_batching.load import Load
from quire_batching.measures import Service
from quire_batching.policy import Bounds, Policy
from quire_batching.target_queue import TargetQueue

POLICY = Policy({"*": LIMITS}, {"*": 8}, {"research": Bounds(window=0.25, hold=20.0)})
FIXED = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2)
ONE = Load(1, 1, 1, 300, 0.0001, 1)
TASK_SECONDS = 0.0014
"""Of the processor, for each task; a batch takes `BATCH_TASKS` times that: 400 tasks a second need batches of 4."""


def play(policy: Policy, came: list[float], *, skew: float = 0.0) -> Run:
    """A processor that does everything in order: half of a task before it is batched, half after, and its batch.

    Each hop takes `HOP_SECONDS` besides; the clock of who says what there is to do is `skew` seconds ahead.
    """
    draw, house = random.Random(7), House(0.0)
    queue: TargetQueue[int] = TargetQueue("simulation", policy, 0.0, house)
    run = Run(came, {}, [], [])
    order, free = iter(range(10**9)), 0.0
    events: list[tuple[float, int, str, object]] = [(at, next(order), "said", place) for place, at in enumerate(came)]
    heapq.heapify(events)

    def work(now: float, seconds: float, then: str, what: object) -> None:
        nonlocal free
        free = max(free, now) + seconds
        heapq.heappush(events, (free + HOP_SECONDS, next(order), then, what))

    while events or queue.depth.members:
        now = queue.next_due()
        if events and events[0][0] <= now:
            now, _, what, about = heapq.heappop(events)
            if what == "said":
                work(now, TASK_SECONDS / 2, "taken", about)
            elif what == "taken":
                house.took(now, now - came[about] - skew)
                key = GroupKey("simulation", str(draw.randrange(5)), None, 1, "research")
                queue.admit(Item(key, f"tenant-{draw.randrange(20)}", ONE, about), now)
            else:
                queue.over(about.ticket, now)
                for place in about.contents:
                    free = max(free, now) + TASK_SECONDS / 2
                    run.answered[place] = free
        for batch in queue.take(now):
            run.batches.append((now, len(batch.contents)))
            work(now, BATCH_TASKS * TASK_SECONDS, "over", batch)
        run.windows.append((now, queue.window))
    return run


def test_window_relieves_the_house_as_well_as_the_best_fixed_one_in_every_phase():
    phases = ((10.0, 6.0), (100.0, 6.0), (400.0, 8.0), (10.0, 8.0))
    came = arrivals(phases, seed=1)
    adaptive = play(POLICY, came)
    elsewhere = play(POLICY, came, skew=-3.0)
    assert elsewhere.window(15.0, 20.0) == adaptive.window(15.0, 20.0)
    fixed = [play(replace(POLICY, fixed_window=window), came) for window in FIXED]
    start = 0.0
    for _, seconds in phases:
        begin, end = start + 3.0, start + seconds
        assert adaptive.p99(begin, end) <= 1.1 * min(run.p99(begin, end) for run in fixed)
        start = end
    assert adaptive.window(3.0, 6.0) == adaptive.window(22.0, 28.0) == 0.0
    assert 0.075 <= adaptive.window(15.0, 20.0) <= 0.15


def test_window_does_not_swing_about_the_best_one_under_heavy_load():
    shares = []
    for seed in (2, 5, 8):
        came = arrivals(((400.0, 8.0),), seed=seed)
        adaptive = play(POLICY, came)
        fixed = [play(replace(POLICY, fixed_window=window), came).p99(3.0, 8.0) for window in FIXED]
        shares.append(adaptive.p99(3.0, 8.0) / min(fixed))
        chosen = [window for at, window in adaptive.windows if at >= 3.0]
        assert sum(one != other for one, other in itertools.pairwise(chosen)) <= 5
    assert sum(shares) / len(shares) <= 1.1


@pytest.mark.parametrize(("answer", "leaving"), [(0.0005, 2), (0.05, 1)])
def test_lone_tasks_of_many_groups_do_not_leave_all_together(answer, leaving, monkeypatch):
    """Two where an answer comes before more company does, else one."""
    monkeypatch.setattr(Service, "learn", lambda self, _: setattr(self, "turnaround", answer))
    queue: TargetQueue[int] = TargetQueue("simulation", POLICY, 0.0)

    def come(place: int, now: float) -> None:
        queue.admit(Item(GroupKey("simulation", str(place % 5), None, 1, "research"), "tenant", ONE, place), now)

    under_way: list[int] = []
    for place in range(200):  # so that company is expected: each task meets some others
        come(place, 0.001 * place)
        under_way += [batch.ticket for batch in queue.take(0.001 * place)]
        if len(under_way) > 4:
            queue.over(under_way.pop(0), 0.001 * place)
    under_way += [batch.ticket for batch in queue.flush(0.2)]
    for ticket in under_way:
        queue.over(ticket, 0.2)
    for place in range(5):
        come(place, 0.2)
    left = queue.take(0.2)
    assert len(left) == leaving
    queue.over(left[0].ticket, 0.2001)
    assert len(queue.take(0.2001)) == 1


def test_backlog_is_met_by_few_large_batches():
    came = [place / 10_000 for place in range(2_000)]
    run = play(POLICY, came)
    ended = [max(play(replace(POLICY, fixed_window=window), came).answered.values()) for window in FIXED]
    assert max(run.answered.values()) <= min(ended)
    assert len(run.batches) <= 40
    assert sum(rows == 1 for _, rows in run.batches) <= 2


def test_busy_house_widens_the_window_where_its_batches_are_what_keeps_it_busy():
    rates, service = [80.0] * 5, Service()
    assert window_for(rates, service, 0.0001, 0.25) == 0.0
    busy = Surroundings(utilisation=0.9, capacity=2_000 / 0.9, batches=400.0)
    assert 0.01 <= window_for(rates, service, 0.0001, 0.25, busy) <= 0.1
    assert window_for(rates, service, 0.0001, 0.005, busy) == 0.005
    by_others = Surroundings(utilisation=0.9, capacity=200_000.0, batches=400.0)
    assert window_for(rates, service, 0.0001, 0.25, by_others) <= 0.005
    overrun = Surroundings(utilisation=0.99, capacity=150.0, batches=20.0)
    assert window_for(rates, service, 0.0001, 0.25, overrun) == 0.25


def test_batches_that_take_no_time_at_all_need_no_window_but_for_the_house():
    service = Service()
    for place in range(10):
        service.finished(0.1 * place, 0.1 * place, 0.01 * place, ok=True)
    service.learn(1.0)
    assert service.slope < 0.1
    assert window_for([80.0] * 5, service, 0.0, 0.25, Surroundings(utilisation=0.5)) == 0.0


def test_house_is_idle_while_messages_are_taken_up_as_quickly_as_ever():
    house = House(0.0)
    for place in range(40):
        house.took(place / 40, 7.0 + 0.0001 * (place % 3))
    house.learn(1.0)
    assert house.utilisation < 0.1


def test_house_is_busy_while_messages_wait_and_idle_again_when_they_do_not():
    house = House(0.0)
    for place in range(20):
        house.took(place / 20, 0.002)
    house.learn(1.0)
    for place in range(100):
        house.took(1.0 + place / 100, 0.002 + 9 * HOP_SECONDS)
        house.sent(1.0 + place / 100)
    house.learn(2.0)
    assert house.utilisation == pytest.approx(0.9, abs=0.01)
    assert house.capacity == pytest.approx((100 + 100 * BATCH_TASKS) / 0.9, rel=0.25)
    house.learn(2.01)
    assert house.utilisation > 0.8  # looked at a moment ago
    house.learn(9.0)
    assert (house.utilisation, house.capacity) == (0.0, math.inf)


def test_house_is_idle_again_after_a_pause_whatever_was_before():
    house = House(0.0)
    for place in range(100):
        house.took(place / 100, 0.002)
    for place in range(100):
        house.took(1.0 + place / 100, 0.002 + 9 * HOP_SECONDS)
    house.took(2.5, 0.002)
    house.learn(2.5)
    assert house.utilisation == 0.0
    for place in range(10):
        house.took(2.51 + place / 100, 0.002 + HOP_SECONDS)
    house.learn(2.61)
    assert house.utilisation == pytest.approx(0.5, abs=0.01)  # it remembers how quick it can be


def test_pace_is_right_from_the_first_second_on_and_forgets():
    pace = Pace(5.0)
    assert pace.rate(5.0) == 0.0
    for place in range(100):
        pace.add(5.0 + place / 100)
    assert pace.rate(6.0) == pytest.approx(100, rel=0.05)
    assert pace.rate(16.0) < 0.01
