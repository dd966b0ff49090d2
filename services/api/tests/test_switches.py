"""Kill switches at the door: turned, told, kept with who and why."""

from __future__ import annotations

import pytest

from quire_contracts.switch import Switch, SwitchTurned, switch_key

OFF = {"scope": "backend", "name": "aws:forte", "state": "off", "reason": "it drifts", "by": "ann"}


async def turn(house, **changes):
    return await house.client.post("/v1/switches", params={**OFF, **changes})


async def test_a_switch_is_turned_kept_and_said_with_who_and_why(house, probe):
    log = await probe("quire.evt.shared.switch.>")
    assert (await house.client.get("/v1/switches")).json() == {"switches": []}
    answer = await turn(house)
    assert answer.status_code == 200
    shown = answer.json()
    assert {name: shown[name] for name in OFF} == OFF
    stored = await house.bus.bucket("switches", Switch).get(switch_key("backend", "aws:forte"))
    assert (stored.value.state, stored.value.by, stored.value.reason) == ("off", "ann", "it drifts")
    await turn(house, state="on", reason="calibrated", by="bob")
    said = await log.wait(SwitchTurned, 2)
    assert [(each.state, each.by, each.reason) for each in said] == [
        ("off", "ann", "it drifts"),
        ("on", "bob", "calibrated"),
    ]
    assert said[1].at > said[0].at
    assert [each["state"] for each in (await house.client.get("/v1/switches")).json()["switches"]] == ["on"]


async def test_switches_that_are_off_are_listed_first(house):
    await turn(house, state="on")
    await turn(house, scope="tenant", name="acme")
    await turn(house, scope="all", name="")
    listed = (await house.client.get("/v1/switches")).json()["switches"]
    assert [(each["scope"], each["state"]) for each in listed] == [("all", "off"), ("tenant", "off"), ("backend", "on")]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"scope": "all"}, 422),
        ({"scope": "tenant", "name": "Acme Inc"}, 422),
        ({"scope": "provider", "name": "aws:forte"}, 422),
        ({"scope": "backend", "name": ""}, 422),
        ({"scope": "planet", "name": "earth"}, 400),
        ({"state": "half"}, 400),
        ({"reason": ""}, 400),
        ({"by": ""}, 400),
    ],
)
async def test_what_turns_no_switch_is_refused_and_nothing_is_kept(house, changes, status):
    answer = await turn(house, **changes)
    assert answer.status_code == status
    assert answer.json()["problems"]
    assert (await house.client.get("/v1/switches")).json() == {"switches": []}
