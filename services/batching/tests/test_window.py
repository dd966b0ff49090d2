"""Laws of the windows: nothing lost, nothing doubled, limits held, same key only, nobody late."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_batching.grouping import GroupKey, Load
from quire_batching.window import Closed, Item, Policy, admit, close_due

AGES = {"customer-facing": 0.005, "production": 0.02, "validation": 0.05, "research": 0.05}
POLICY = Policy(Load(members=4, rows=10, shots=100, size_bytes=1_000), AGES)
KEY = GroupKey("simulation", "a" * 64, None, 10, "research")


def item(content: int, *, key: GroupKey = KEY, load: Load | None = None, leave_by: float | None = None) -> Item[int]:
    return Item(key, load or Load(1, 1, 10, 100), content, leave_by)


def test_lone_item_leaves_when_its_window_is_old():
    windows, closed = admit({}, item(1), 10.0, POLICY)
    assert closed == ()
    assert windows[KEY].closes_at == pytest.approx(10.05)
    assert close_due(windows, 10.0499) == (windows, ())
    assert close_due(windows, windows[KEY].closes_at) == ({}, (Closed(KEY, (1,), "age"),))


@pytest.mark.parametrize(("priority", "seconds"), AGES.items())
def test_each_priority_has_its_age(priority, seconds):
    key = replace(KEY, priority=priority)
    windows, _ = admit({}, item(1, key=key), 1.0, POLICY)
    assert windows[key].closes_at == pytest.approx(1.0 + seconds)


def test_second_item_does_not_prolong_the_window():
    windows, _ = admit({}, item(1), 10.0, POLICY)
    windows, _ = admit(windows, item(2), 10.04, POLICY)
    assert windows[KEY].closes_at == pytest.approx(10.05)


def test_full_window_closes_at_once():
    windows, closed = {}, ()
    for content in range(4):
        assert closed == ()
        windows, closed = admit(windows, item(content), 10.0, POLICY)
    assert closed == (Closed(KEY, (0, 1, 2, 3), "size"),)
    assert windows == {}


def test_item_that_does_not_fit_sends_the_window_off_and_opens_the_next():
    windows, _ = admit({}, item(1, load=Load(1, 6, 60, 100)), 10.0, POLICY)
    windows, closed = admit(windows, item(2, load=Load(1, 5, 50, 100)), 10.01, POLICY)
    assert closed == (Closed(KEY, (1,), "size"),)
    assert windows[KEY].closes_at == pytest.approx(10.06)


def test_item_that_fills_a_batch_goes_alone_and_at_once():
    windows, _ = admit({}, item(1), 10.0, POLICY)
    windows, closed = admit(windows, item(2, load=Load(1, 10, 100, 100)), 10.01, POLICY)
    assert closed == (Closed(KEY, (1,), "size"), Closed(KEY, (2,), "single"))
    assert windows == {}


def test_deadline_closes_the_window_early():
    windows, _ = admit({}, item(1), 10.0, POLICY)
    windows, _ = admit(windows, item(2, leave_by=10.02), 10.01, POLICY)
    assert close_due(windows, 10.02)[1] == (Closed(KEY, (1, 2), "deadline"),)


def test_deadline_after_the_age_changes_nothing():
    windows, _ = admit({}, item(1, leave_by=99.0), 10.0, POLICY)
    assert close_due(windows, 10.06)[1] == (Closed(KEY, (1,), "age"),)


def test_overdue_item_takes_the_window_with_it():
    windows, _ = admit({}, item(1), 10.0, POLICY)
    windows, closed = admit(windows, item(2, leave_by=9.0), 10.01, POLICY)
    assert (windows, closed) == ({}, (Closed(KEY, (1, 2), "deadline"),))


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, target="qiskit:aer"),
        replace(KEY, structure="b" * 64),
        replace(KEY, observables="c" * 64),
        replace(KEY, shots=None),
        replace(KEY, shots=11),
        replace(KEY, priority="production"),
    ],
)
def test_each_part_of_the_key_keeps_items_apart(other):
    windows, _ = admit({}, item(1), 10.0, POLICY)
    windows, closed = admit(windows, item(2, key=other), 10.0, POLICY)
    assert closed == ()
    assert len(windows) == 2


keys = st.builds(
    GroupKey,
    target=st.sampled_from(["simulation", "qiskit:aer"]),
    structure=st.sampled_from(["a", "b"]),
    observables=st.none(),
    shots=st.just(10),
    priority=st.sampled_from(list(AGES)),
)
loads = st.builds(Load, st.just(1), st.integers(1, 12), st.integers(0, 120), st.integers(1, 400))
arrivals = st.lists(
    st.tuples(keys, loads, st.floats(0, 0.03), st.none() | st.floats(-0.01, 0.1)), min_size=1, max_size=60
)


@given(arrivals)
def test_nothing_is_lost_doubled_mixed_oversized_or_late(arrivals):
    windows, now, left = {}, 0.0, []
    came = {}
    for content, (key, load, pause, patience) in enumerate(arrivals):
        now += pause
        while due := [window.closes_at for window in windows.values() if window.closes_at <= now]:
            windows, closed = close_due(windows, min(due))
            left += [(min(due), batch) for batch in closed]
        leave_by = None if patience is None else now + patience
        came[content] = (key, load, now, leave_by)
        windows, closed = admit(windows, item(content, key=key, load=load, leave_by=leave_by), now, POLICY)
        left += [(now, batch) for batch in closed]
    while windows:
        now = min(window.closes_at for window in windows.values())
        windows, closed = close_due(windows, now)
        left += [(now, batch) for batch in closed]

    assert sorted(content for _, batch in left for content in batch.contents) == list(came)
    for at, batch in left:
        assert list(batch.contents) == sorted(batch.contents)
        total = Load()
        for content in batch.contents:
            key, load, arrived, leave_by = came[content]
            total += load
            assert key == batch.key
            assert at <= arrived + AGES[key.priority] + 1e-9
            assert leave_by is None or at <= max(leave_by, arrived) + 1e-9
        assert total.fits(POLICY.limits) or len(batch.contents) == 1
