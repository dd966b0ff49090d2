"""Who comes late comes out of a queue: whom it lets come before it leaves, and how long it waits for them."""

from __future__ import annotations

import pytest
from test_target_queue import BOUNDS, POLICY, item, left

from quire_batching.house import ANOTHER_SECONDS, House
from quire_batching.target_queue import TargetQueue


def quiet_house() -> House:
    """A house in which messages are taken up after a millisecond."""
    made = House(0.0)
    for moment in range(10):
        made.took(moment / 10, 0.001)
    return made


def test_task_that_was_late_waits_as_long_again_for_those_behind_it():
    house = quiet_house()
    made = TargetQueue("simulation", POLICY, 0.0, house)
    house.took(10.0, 0.013)
    made.admit(item("late"), 10.0)
    assert made.take(10.0) == []
    made.admit(item("behind"), 10.004)
    assert made.take(10.004) == []
    assert made.next_due() == pytest.approx(10.012)
    assert left(made.take(10.0121)) == [("late", "behind")]


def test_task_of_an_idle_house_waits_for_nobody():
    house = quiet_house()
    made = TargetQueue("simulation", POLICY, 0.0, house)
    house.took(10.0, 0.001 + ANOTHER_SECONDS)
    made.admit(item("quick"), 10.0)
    assert left(made.take(10.0)) == [("quick",)]


def test_task_that_was_very_late_waits_no_longer_than_its_window_bound():
    house = quiet_house()
    made = TargetQueue("simulation", POLICY, 0.0, house)
    house.took(10.0, 5.0)
    made.admit(item("late"), 10.0)
    assert left(made.take(10.0 + BOUNDS["research"].window)) == [("late",)]
