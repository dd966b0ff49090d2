"""Backends at the door: who is down and why, beside what waits for whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from quire_api.backends import backends_of
from quire_contracts.breaker import BreakerScope, BreakerState, TargetState, breaker_key, target_key
from quire_contracts.load import TargetLoad
from quire_contracts.switch import Switch

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOWN = TargetState(
    target="aws:forte",
    state="down",
    since=NOW,
    until=NOW + timedelta(seconds=30),
    reason_code="target-offline",
    reason="the target is offline",
)


def load(target):
    return TargetLoad(target=target, waiting=3, in_flight=1, wait_seconds=2.0, batch_seconds=1.0, error_rate=0.0)


def test_states_and_loads_stand_together():
    found = backends_of((DOWN,), {"qiskit:aer": load("qiskit:aer"), "aws:forte": load("aws:forte")})
    assert [(each.target, each.state, each.load is not None) for each in found] == [
        ("aws:forte", "down", True),
        ("qiskit:aer", "up", True),
    ]


async def test_what_is_down_is_shown_with_its_reason(house):
    assert (await house.client.get("/v1/backends")).json() == {"backends": [], "breakers": []}
    scope = BreakerScope("aws", "1234", "us-east-1", "forte")
    state = BreakerState(scope=scope, state="open", since=NOW, until=DOWN.until, reason_code="target-offline", by="one")
    await house.bus.bucket("backends", TargetState).put(target_key("aws:forte"), DOWN)
    await house.bus.bucket("backends", BreakerState).put(breaker_key(scope), state)
    shown = (await house.client.get("/v1/backends")).json()
    assert shown["backends"] == [
        {
            "target": "aws:forte",
            "state": "down",
            "since": "2026-03-01T12:00:00Z",
            "until": "2026-03-01T12:00:30Z",
            "reason_code": "target-offline",
            "reason": "the target is offline",
            "load": None,
        }
    ]
    assert shown["breakers"][0]["scope"] == {
        "provider": "aws",
        "account": "1234",
        "region": "us-east-1",
        "device": "forte",
        "operation": "any",
    }


def test_what_is_switched_off_is_down_whatever_its_provider_says():
    off = (
        Switch("provider", "aws", "off", "the bill", "ann", NOW),
        Switch("backend", "ibm:x", "off", "it drifts", "ann", NOW),
        Switch("tenant", "acme", "off", "asked for", "ann", NOW),
    )
    found = backends_of((DOWN,), {"qiskit:aer": load("qiskit:aer")}, off)
    assert [(each.target, each.state, each.reason_code, each.until) for each in found] == [
        ("aws:forte", "down", "switched-off", None),
        ("ibm:x", "down", "switched-off", None),
        ("qiskit:aer", "up", "", None),
    ]
