"""Kill switches as a service knows them: heard at once, never believed for a second or more, closed where unread."""

from __future__ import annotations

import asyncio

import pytest

from quire_contracts.switch import Switch, switch_id, switch_key
from quire_service.switches import BUCKET, FRESH_SECONDS, Switches, SwitchesUnreadable, switches_of
from quire_service.targets import targets_of
from quire_testing import eventually


def turned(clock, scope="backend", name="aws:forte", state="off"):
    return Switch(scope, name, state, "drifting", "ann", clock.now())


async def put(bus, switch):
    return await bus.bucket(BUCKET, Switch).put(switch_key(switch.scope, switch.name), switch)


@pytest.mark.parametrize(
    ("scope", "name", "stopped"),
    [
        ("all", "", {"aws:forte", "aws:garnet", "qiskit:aer"}),
        ("provider", "aws", {"aws:forte", "aws:garnet"}),
        ("backend", "aws:forte", {"aws:forte"}),
        ("backend", "simulation", {"simulation"}),
        ("tenant", "acme", {"aws:forte", "aws:garnet", "qiskit:aer", "simulation"}),
        ("tenant", "beta", set()),
    ],
)
def test_a_switch_stops_what_it_is_for_and_nothing_else(clock, scope, name, stopped):
    targets = ("aws:forte", "aws:garnet", "qiskit:aer", "simulation")
    off, on = (turned(clock, scope, name, state) for state in ("off", "on"))
    assert {target for target in targets if off.stops(target, {"acme", "other"})} == stopped
    assert not any(on.stops(target, {"acme", "other"}) for target in targets)


def test_each_switch_has_its_own_key_whatever_stands_in_its_name():
    names = [
        ("backend", "aws:a.b"),
        ("backend", "aws:a_b"),
        ("backend", "aws:a-b"),
        ("provider", "aws"),
        ("tenant", "aws"),
    ]
    assert len({switch_key(*each) for each in names}) == len(names)
    assert switch_id("all", "").startswith("all_-")


async def test_a_switch_that_is_turned_is_heard_and_one_that_was_is_read(bus, clock):
    await put(bus, turned(clock, "tenant", "acme"))
    changes = []
    async with switches_of(bus, clock, lambda: changes.append(1)) as switches:
        await eventually(lambda: switches.stopped("simulation", {"acme"}))
        assert switches.stopped("simulation") is None
        await put(bus, turned(clock))
        await eventually(lambda: switches.stopped("aws:forte"))
        await put(bus, turned(clock, state="on"))
        await eventually(lambda: switches.stopped("aws:forte") is None)
        assert len(changes) == 3


async def test_before_a_call_what_is_known_is_at_most_a_second_old(bus, clock):
    switches = Switches(bus.bucket(BUCKET, Switch), clock)
    assert await switches.asked("aws:forte") is None
    await put(bus, turned(clock))
    assert await switches.asked("aws:forte") is None  # nobody listens here, and it was read just now
    clock.advance(FRESH_SECONDS + 0.01)
    assert not switches.is_fresh
    found = await asyncio.gather(*(switches.asked("aws:forte") for _ in range(5)))
    assert {each.reason for each in found} == {"drifting"}


async def test_what_cannot_be_read_is_closed_and_open_again_when_it_can(bus, clock, monkeypatch):
    bucket = bus.bucket(BUCKET, Switch)
    switches = Switches(bucket, clock)
    await switches.read()
    clock.advance(FRESH_SECONDS + 0.01)
    with monkeypatch.context() as patched:
        patched.setattr(bucket, "_name", "nowhere")
        with pytest.raises(SwitchesUnreadable):
            await switches.asked("simulation")
        assert switches.stopped("simulation") is None  # what was known is not forgotten, only not believed
        assert not switches.is_fresh
    assert await switches.asked("simulation") is None
    assert switches.is_fresh


async def test_a_switch_that_nobody_can_read_closes_everything(bus, clock):
    class Foreign(Switch, frozen=True):
        state: str

    bucket = bus.bucket(BUCKET, Foreign)
    await bucket.put(switch_key("all", ""), Foreign("all", "", "half", "what?", "bob", clock.now()))
    with pytest.raises(SwitchesUnreadable):
        await Switches(bus.bucket(BUCKET, Switch), clock).asked("aws:forte")


async def test_a_deleted_switch_is_on_and_what_is_turned_beside_it_is_still_seen(bus, clock):
    await put(bus, turned(clock))
    await bus.bucket(BUCKET, Switch).delete(switch_key("backend", "aws:forte"))
    switches = Switches(bus.bucket(BUCKET, Switch), clock)
    assert await switches.asked("aws:forte") is None
    await put(bus, turned(clock, "all", ""))
    clock.advance(FRESH_SECONDS + 0.01)
    assert await switches.asked("aws:forte") is not None


async def test_a_target_that_is_switched_off_is_down_and_so_is_a_tenants_any(bus, clock):
    changes = []
    async with targets_of(bus, clock, lambda: changes.append(1)) as targets:
        await put(bus, turned(clock, "provider", "aws"))
        await eventually(lambda: targets.down("aws:forte"))
        state = targets.down("aws:forte")
        assert (state.state, state.reason_code, state.until) == ("down", "switched-off", None)
        assert state.reason == "the provider aws is switched off: drifting"
        assert targets.down("qiskit:aer", "acme") is None
        await put(bus, turned(clock, "tenant", "acme"))
        await eventually(lambda: targets.down("qiskit:aer", "acme"))
        assert targets.down("qiskit:aer", "beta") is None
        assert targets.down("qiskit:aer") is None
        assert len(changes) == 2
