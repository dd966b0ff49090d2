"""What is known of targets: heard at once, read again every two seconds, and believed only while somebody cares."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from quire_contracts.breaker import TargetState, target_key
from quire_service.targets import BELIEVED, POLL_SECONDS, Targets, targets_of
from quire_testing import eventually


def said(clock, target="aws:forte", state="down", seconds=30.0):
    until = None if state == "up" else clock.now() + timedelta(seconds=seconds)
    return TargetState(target=target, state=state, since=clock.now(), until=until, reason_code="target-offline")


def test_a_target_is_down_until_it_is_said_to_be_up(clock):
    changes = []
    targets = Targets(clock, lambda: changes.append(1))
    assert targets.down("aws:forte") is None
    for state in ("down", "down", "probing", "up"):
        targets.heard("", msgspec.json.encode(said(clock, state=state)))
        assert (targets.down("aws:forte") is None) is (state == "up")
    assert len(changes) == 3
    assert targets.current() == {}


def test_what_nobody_looks_after_is_not_believed_for_ever(clock):
    targets = Targets(clock)
    targets.heard("", msgspec.json.encode(said(clock)))
    clock.advance(30 + BELIEVED.total_seconds() - 1)
    assert targets.current().keys() == {"aws:forte"}
    clock.advance(2)
    assert targets.current() == {}


def test_what_is_no_state_is_left(clock):
    targets = Targets(clock)
    targets.heard("", msgspec.json.encode(said(clock)))
    for wrong in (b"", b"\xff", b"{}", b'{"target": 1}'):
        targets.heard("", wrong)
    assert targets.current().keys() == {"aws:forte"}


async def test_what_was_said_before_is_read_and_what_is_said_is_heard(bus, clock):
    bucket = bus.bucket("backends", TargetState)
    await bucket.put(target_key("aws:forte"), said(clock))
    async with targets_of(bus, clock) as targets:
        await eventually(lambda: targets.down("aws:forte"))
        await bucket.put(target_key("ibm:a.b"), said(clock, "ibm:a.b"))
        await eventually(lambda: targets.down("ibm:a.b"))
        await bucket.delete(target_key("aws:forte"))
        assert targets.down("aws:forte")
        await eventually(lambda: clock.sleeping >= 2)  # for targets, and for switches
        clock.advance(POLL_SECONDS)
        await eventually(lambda: targets.current().keys() == {"ibm:a.b"})
