"""The route of backends: which targets take work, which do not and why, and what waits for them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import msgspec
from litestar import get
from litestar.di import NamedDependency

from quire_api import openapi
from quire_api.door import Door
from quire_contracts.breaker import BREAKER_KEYS, TARGET_KEYS, BreakerState, TargetState
from quire_contracts.load import TargetLoad
from quire_contracts.switch import SWITCH_KEYS, Switch
from quire_service.switches import BUCKET as SWITCHES
from quire_service.switches import switched_off

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quire_bus.buckets import Bucket

T = TypeVar("T", TargetState, BreakerState, Switch)

_BUCKET: Final = "backends"


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """One target: whether it takes work, and what waits for it; without figures where nothing does.

    until: when its provider is asked again, if it takes none.
    """

    target: str
    state: Literal["up", "probing", "down"]
    since: datetime | None = None
    until: datetime | None = None
    reason_code: str = ""
    reason: str = ""
    load: TargetLoad | None = None


class Backends(msgspec.Struct, frozen=True):
    """The targets that there is something to say of, and every breaker that ever opened."""

    backends: tuple[Backend, ...]
    breakers: tuple[BreakerState, ...]


@get("/v1/backends", responses=openapi.refusals(503))
async def list_backends(door: NamedDependency[Door]) -> Backends:
    """List the targets that work waits for, or that were ever down; one that is not listed takes work."""
    targets, breakers = door.bus.bucket(_BUCKET, TargetState), door.bus.bucket(_BUCKET, BreakerState)
    switches = door.bus.bucket(SWITCHES, Switch)
    async with door.promptly():
        found = await asyncio.gather(
            _all(targets, TARGET_KEYS), _all(breakers, BREAKER_KEYS), _all(switches, SWITCH_KEYS)
        )
    return Backends(backends_of(found[0], door.intake.loads(), found[2]), found[1])


def backends_of(
    states: tuple[TargetState, ...], loads: Mapping[str, TargetLoad], switches: tuple[Switch, ...] = ()
) -> tuple[Backend, ...]:
    """States and loads together, by target, in the order of their names; a target that is switched off is down."""
    stated = {state.target: msgspec.structs.asdict(state) for state in states}
    named = {switch.name for switch in switches if switch.scope == "backend" and switch.state == "off"}
    for target in stated.keys() | loads.keys() | named:
        switch = next((each for each in switches if each.stops(target)), None)
        if switch is not None:
            stated[target] = msgspec.structs.asdict(switched_off(switch, target))
    return tuple(
        Backend(**{"target": target, "state": "up", **stated.get(target, {})}, load=loads.get(target))
        for target in sorted(stated.keys() | loads.keys())
    )


async def _all(bucket: Bucket[T], prefix: str) -> tuple[T, ...]:
    found = await asyncio.gather(*map(bucket.get, await bucket.keys(prefix)))
    return tuple(stored.value for stored in found if stored is not None)


ROUTES = (list_backends,)
