"""Calls end in time, whatever their SDK does."""

from __future__ import annotations

import threading

import pytest

from quire_quantum_gateway.providers.bounded import Bounded, Overdue
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Transient


def test_a_call_gives_its_result_or_its_error():
    bounded = Bounded(SystemClock(), seconds=5)
    assert bounded.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        bounded.call(lambda: 1 / 0)


def test_a_call_that_hangs_is_given_up_and_holds_its_place_until_it_ends():
    bounded, go = Bounded(SystemClock(), seconds=0.05, at_once=1), threading.Event()
    done = threading.Event()
    with pytest.raises(Overdue):
        bounded.call(lambda: go.wait(20) and done.set())
    with pytest.raises(Transient, match="hang") as refused:
        bounded.call(lambda: 7)
    assert refused.value.code == "provider-hangs"
    go.set()
    assert done.wait(5)


def test_no_call_is_begun_that_cannot_end_in_time(clock):
    bounded, begun = Bounded(clock, seconds=30), []
    with pytest.raises(Transient) as late:
        bounded.call(lambda: begun.append(1), deadline=clock.monotonic() + 0.5)
    assert (late.value.code, begun) == ("too-late", [])
    assert bounded.left(clock.monotonic() + 8) == 8
    assert bounded.left(clock.monotonic() + 80) == 30
