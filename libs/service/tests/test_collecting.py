import gc

import pytest

from quire_service.collecting import LONG_SECONDS, Freezing, collect_rarely, keep


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time


@pytest.fixture(autouse=True)
def _restored():
    thresholds, callbacks = gc.get_threshold(), gc.callbacks[:]
    yield
    gc.set_threshold(*thresholds)
    gc.callbacks[:] = callbacks
    gc.unfreeze()


def frozen_after(generation: int, seconds: float) -> bool:
    """Whether a collection of that length makes the callback freeze."""
    gc.unfreeze()
    clock = Clock()
    freezing = Freezing(clock)
    freezing("start", {"generation": generation})
    clock.time += seconds
    freezing("stop", {"generation": generation, "collected": 0, "uncollectable": 0})
    return gc.get_freeze_count() > 0


@pytest.mark.parametrize(
    ("generation", "seconds", "frozen"),
    [(2, 2 * LONG_SECONDS, True), (2, LONG_SECONDS / 2, False), (1, 2 * LONG_SECONDS, False)],
)
def test_what_survived_a_long_full_collection_is_not_looked_at_again(generation, seconds, frozen):
    assert frozen_after(generation, seconds) is frozen


def test_a_process_collects_by_its_own_rule_and_keeps_its_furniture():
    usual = gc.get_threshold()
    collect_rarely(Clock())
    assert gc.get_threshold() > usual
    assert isinstance(gc.callbacks[-1], Freezing)
    furniture = [[]]
    keep()
    assert gc.get_freeze_count() > 0
    assert furniture not in gc.get_objects()
