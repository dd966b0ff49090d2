"""Laws of a target's queue: nothing lost, nothing doubled, limits held, same key only, bounded waits, fair turns."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_batching.group import Item
from quire_batching.grouping import GroupKey
from quire_batching.load import Load
from quire_batching.policy import Bounds, Policy
from quire_batching.target_queue import TargetQueue

BOUNDS = {
    "customer-facing": Bounds(0.02, 0.5),
    "production": Bounds(0.05, 1.0),
    "validation": Bounds(0.1, 2.0),
    "research": Bounds(0.1, 4.0),
}
LIMITS = Load(members=4, rows=10, shots=100, size_bytes=1_000, seconds=math.inf, memory_bytes=1_000)
POLICY = Policy({"small:*": replace(LIMITS, rows=2), "*": LIMITS}, {"*": 1}, BOUNDS)
FIXED = replace(POLICY, fixed_window=0.05)
KEY = GroupKey("simulation", "a" * 64, None, 10, "research")


def queue(policy: Policy = POLICY) -> TargetQueue[object]:
    return TargetQueue("simulation", policy, 0.0)


def item(content: object, *, key=KEY, tenant="acme", load=None, leave_by=math.inf) -> Item[object]:
    return Item(key, tenant, load or Load(1, 1, 10, 100, 0.001, 16), content, leave_by)


def left(closed) -> list[tuple[object, ...]]:
    return [batch.contents for batch in closed]


def busy(policy: Policy = POLICY) -> tuple[TargetQueue[object], int]:
    """A queue whose one place is taken, and the ticket of what took it."""
    made = queue(policy)
    made.admit(item("first"), 0.0)
    (batch,) = made.take(0.0)
    return made, batch.ticket


def test_idle_target_gets_its_batch_at_once():
    made = queue()
    made.admit(item(1), 10.0)
    assert left(made.take(10.0)) == [(1,)]
    assert made.depth.members == 0
    assert len(made.flights) == 1


def test_what_comes_in_the_same_moment_leaves_together():
    made = queue()
    for content in range(3):
        made.admit(item(content), 10.0)
    assert left(made.take(10.0)) == [(0, 1, 2)]


def test_busy_target_gathers_until_its_batch_is_over():
    made, ticket = busy()
    made.admit(item(1), 0.001)
    made.admit(item(2), 0.2)
    assert made.take(0.2) == []
    made.over(ticket, 0.3)
    assert left(made.take(0.3)) == [(1, 2)]


def crowded() -> tuple[TargetQueue[object], int]:
    """A queue with room at its target, where two batches are under way and many tasks came of late; one's ticket."""
    made, under_way = queue(replace(POLICY, places={"*": 8})), list[int]()
    for moment in range(40):
        now = moment / 1_000
        made.admit(item(moment), now)
        if len(under_way) == 2:
            made.over(under_way.pop(0), now)
        under_way += [batch.ticket for batch in made.take(now)]
    assert made.depth.members == 0
    return made, under_way[0]


def test_task_that_is_alone_in_a_crowd_lets_a_batch_come_back_first():
    made, first = crowded()
    made.admit(item("alone"), 0.06)
    assert made.take(0.06) == []
    made.over(first, 0.061)
    assert left(made.take(0.061)) == [("alone",)]


def test_two_in_a_crowd_leave_at_once():
    made, _ = crowded()
    made.admit(item("alone"), 0.06)
    made.admit(item("company"), 0.06)
    assert left(made.take(0.06)) == [("alone", "company")]


def test_task_that_is_alone_waits_no_longer_than_its_window_bound():
    made, _ = crowded()
    made.admit(item("alone"), 0.06)
    assert made.take(0.06) == []
    assert left(made.take(0.06 + BOUNDS["research"].window)) == [("alone",)]


def test_hold_bound_sends_it_to_a_busy_target_all_the_same():
    made, _ = busy()
    made.admit(item(1), 1.0)
    assert made.take(made.next_due() - 0.001) == []
    (batch,) = made.take(5.0)
    assert (batch.contents, batch.reason) == ((1,), "age")


def test_deadline_does_not_wait_for_a_busy_target():
    made, _ = busy()
    made.admit(item(1), 1.0)
    made.admit(item(2, leave_by=1.02), 1.01)
    assert made.take(1.01) == []
    assert made.next_due() <= 1.02
    (batch,) = made.take(1.02)
    assert (batch.contents, batch.reason) == ((1, 2), "deadline")


def test_overdue_item_leaves_with_the_next_look():
    made, _ = busy()
    made.admit(item(1, leave_by=0.5), 1.0)
    assert [batch.reason for batch in made.take(1.0)] == ["deadline"]


def test_only_the_overdue_hurry_where_not_all_fit():
    made, _ = busy()
    for content in range(6):
        made.admit(item(content), 1.0)
    made.admit(item("late", leave_by=1.5), 1.0)
    (batch,) = made.take(1.5)
    assert "late" in batch.contents
    assert len(batch.contents) == 4
    assert made.depth.members == 3


def test_batch_whose_end_was_missed_gives_its_place_back():
    made, _ = busy()
    made.admit(item(1), 0.001)
    assert made.take(3.9) == []
    assert left(made.take(10.0)) == [(1,)]


def test_end_of_an_unknown_batch_changes_nothing():
    made, ticket = busy()
    made.over(ticket + 100, 0.1)
    assert len(made.flights) == 1
    made.over(ticket, 0.1)
    made.over(ticket, 0.2)
    assert made.is_idle


def test_load_above_the_limits_leaves_alone():
    made = queue()
    made.admit(item(1, load=Load(1, 12, 10, 100, 0.1, 16)), 0.0)
    (batch,) = made.take(0.0)
    assert (batch.contents, batch.reason) == ((1,), "single")


def test_targets_have_limits_of_their_own():
    made = TargetQueue("small:one", POLICY, 0.0)
    for content in range(3):
        made.admit(item(content), 0.0)
    assert left(made.take(0.0)) == [(0, 1)]


@pytest.mark.parametrize("field", ["members", "rows", "shots", "size_bytes", "memory_bytes"])
def test_each_limit_is_held(field):
    made, ticket = busy()
    half = Load(*(getattr(LIMITS, each) // 8 for each in ("members", "rows", "shots", "size_bytes")), 0.0, 1)
    heavy = replace(half, **{field: getattr(LIMITS, field) // 2})
    for content in range(3):
        made.admit(item(content, load=replace(heavy, members=max(1, heavy.members))), 0.001)
    made.over(ticket, 0.01)
    assert len(made.take(0.01)[0].contents) == 2


def test_seconds_in_a_batch_shrink_when_batches_fail_and_grow_again():
    limits = replace(LIMITS, members=1_000, rows=1_000, shots=10**6, size_bytes=10**6, memory_bytes=10**6)
    made = TargetQueue("simulation", Policy({"*": limits}, {"*": 1}, BOUNDS, batch_seconds=0.2), 0.0)

    def next_batch(now: float, *, ok: bool, took: float = 0.01) -> int:
        for content in range(100):
            made.admit(item(content, load=Load(1, 1, 10, 100, 0.02, 16)), now)
        (batch,) = made.take(now)
        made.over(batch.ticket, now + took, ok=ok)
        return len(batch.contents)

    sizes = [next_batch(place / 10, ok=place >= 3) for place in range(12)]
    assert sizes[:4] == [10, 5, 2, 1]
    assert sizes[-1] > sizes[4]
    slow = [next_batch(2 + place / 2, ok=True, took=0.3) for place in range(4)]
    assert slow[-1] < slow[0]


def test_fixed_window_neither_hurries_nor_waits_for_places():
    made = queue(FIXED)
    made.admit(item(1), 10.0)
    assert made.take(10.049) == []
    made.admit(item(2), 10.049)
    assert left(made.take(made.next_due())) == [(1, 2)]
    made.admit(item(3), 10.06)
    assert left(made.take(10.111)) == [(3,)]


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, structure="b" * 64),
        replace(KEY, observables="c" * 64),
        replace(KEY, shots=None),
        replace(KEY, shots=11),
        replace(KEY, priority="production"),
        replace(KEY, reduced=True),
    ],
)
def test_each_part_of_the_key_keeps_items_apart(other):
    made = queue(FIXED)
    made.admit(item(1), 0.0)
    made.admit(item(2, key=other), 0.0)
    assert sorted(left(made.take(0.05))) == [(1,), (2,)]


def test_a_flood_of_one_tenant_does_not_delay_another():
    made, ticket = busy()
    for content in range(40):
        made.admit(item(content, tenant="flood", load=Load(1, 1, 10, 100, 0.05, 16)), 0.001)
    made.admit(item("guest", tenant="guest"), 0.002)
    made.over(ticket, 0.01)
    assert "guest" in made.take(0.01)[0].contents


def test_a_flood_in_other_structures_does_not_delay_another_tenant():
    made, ticket = busy()
    for content in range(40):
        key = replace(KEY, structure=f"{content:064d}")
        made.admit(item(content, key=key, tenant="flood", load=Load(1, 1, 10, 100, 0.05, 16)), 0.001)
    made.admit(item("guest", key=replace(KEY, structure="f" * 64), tenant="guest"), 0.002)
    order = []
    for turn in range(3):
        made.over(ticket, 0.01 + turn)
        (batch,) = made.take(0.01 + turn)
        ticket = batch.ticket
        order += batch.contents
    assert "guest" in order


def test_classes_share_a_busy_target_by_weight():
    policy = replace(POLICY, class_weights={"production": 4.0, "research": 1.0})
    made, ticket = busy(policy)
    for content in range(100):
        for priority in ("production", "research"):
            key = replace(KEY, priority=priority, structure=f"{content:064d}")
            made.admit(item(priority, key=key, load=Load(1, 1, 10, 100, 0.1, 16)), 0.001)
    served = []
    for turn in range(50):
        made.over(ticket, 0.01 + turn / 1_000)
        (batch,) = made.take(0.01 + turn / 1_000)
        ticket = batch.ticket
        served += batch.contents
    assert 38 <= served.count("production") <= 42


def test_nothing_is_due_for_what_was_flushed():
    made, _ = busy()
    made.admit(item(1), 0.001)
    made.admit(item(2, leave_by=0.5), 0.002)
    assert made.next_due() < math.inf
    assert left(made.flush(0.003)) == [(1, 2)]
    assert made.next_due() == math.inf, "a replica that sleeps until then must not be kept awake by it"
    made.admit(item(3), 0.004)
    assert 0.004 <= made.next_due() <= 0.004 + BOUNDS["research"].hold


def test_flush_sends_everything_within_the_limits():
    made, _ = busy()
    for content in range(10):
        made.admit(item(content), 0.001)
    batches = made.flush(0.002)
    assert sorted(content for batch in batches for content in batch.contents) == list(range(10))
    assert max(len(batch.contents) for batch in batches) <= 4
    assert made.depth.members == 0


keys = st.builds(
    GroupKey,
    target=st.just("simulation"),
    structure=st.sampled_from(["a", "b", "c"]),
    observables=st.none(),
    shots=st.just(10),
    priority=st.sampled_from(list(BOUNDS)),
)
loads = st.builds(
    Load, st.just(1), st.integers(1, 12), st.integers(0, 120), st.integers(1, 400), st.floats(0, 0.5), st.integers(1, 9)
)
arrivals = st.lists(
    st.tuples(keys, st.sampled_from("xyz"), loads, st.floats(0, 0.3), st.just(math.inf) | st.floats(-0.01, 0.5)),
    min_size=1,
    max_size=60,
)


@given(arrivals, st.floats(0.001, 3.0), st.sampled_from([POLICY, FIXED, replace(POLICY, places={"*": 3})]))
def test_nothing_is_lost_doubled_mixed_oversized_or_late(arrivals, service, policy):
    """Batches come back after `service` seconds each; the queue is looked at whenever it asks to be."""
    made, now, gone, came = queue(policy), 0.0, [], {}
    under_way: list[tuple[float, int]] = []

    def look(at: float) -> None:
        for batch in made.take(at):
            gone.append((at, batch))
            under_way.append((at + service, batch.ticket))

    def until(moment: float) -> None:
        nonlocal now
        while (due := min([made.next_due(), *(end for end, _ in under_way)])) <= moment and due < math.inf:
            now = max(now, due)
            for end, ticket in [each for each in under_way if each[0] <= now]:
                under_way.remove((end, ticket))
                made.over(ticket, now)
            look(now)

    for content, (key, tenant, load, pause, patience) in enumerate(arrivals):
        moment = now + pause
        until(moment)
        now = moment
        came[content] = (key, load, now, now + patience)
        made.admit(item(content, key=key, tenant=tenant, load=load, leave_by=now + patience), now)
        look(now)
    until(now + 100)

    assert sorted(content for _, batch in gone for content in batch.contents) == list(came)
    assert made.is_idle
    for at, batch in gone:
        total = Load()
        for content in batch.contents:
            key, load, arrived, leave_by = came[content]
            total += load
            assert key == batch.key
            assert at <= arrived + BOUNDS[key.priority].hold + 1e-6
            assert at <= max(leave_by, arrived) + 1e-6
        assert total.fits(LIMITS) or len(batch.contents) == 1


def test_task_whose_company_stopped_coming_waits_no_longer_than_five_of_its_gaps():
    made = queue(replace(POLICY, bounds={**BOUNDS, "research": Bounds(0.25, 4.0)}))
    under_way = []
    for place in range(200):  # 100 a second, each there for 0.05 s
        made.admit(item(place), place / 100)
        under_way += [(place, batch.ticket) for batch in made.take(place / 100)]
        while under_way and under_way[0][0] <= place - 5:
            made.over(under_way.pop(0)[1], place / 100)
    made.flush(2.0)
    for ticket in list(made.flights):
        made.over(ticket, 2.0)
    made.window, made._adapted = 0.25, math.inf  # the window stays what the crowd made it
    made.admit(item("alone"), 2.01)
    due = made.next_due()
    assert 2.01 + 0.03 < due < 2.01 + 0.08
    assert left(made.take(due)) == [("alone",)]
