"""The routes of kill switches: what is stopped, why and by whom; and turning one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from quire_api import openapi
from quire_api.door import Door, Request, server_span
from quire_api.problems import Refusal
from quire_bus.errors import Conflict
from quire_contracts.switch import SWITCH_KEYS, Scope, Switch, SwitchTurned, switch_id, switch_key
from quire_contracts.value import Problem, Target, Tenant

if TYPE_CHECKING:
    from quire_bus.buckets import Bucket

_BUCKET: Final = "switches"
_TRIES: Final = 8
_PROVIDER: Final = r"^[a-z0-9-]{1,32}\Z"

Which = Annotated[Scope, QueryParameter(name="scope", description="What the switch is for.")]
Named = Annotated[str, QueryParameter(description="The provider's, the target's or the tenant's name; none for `all`.")]
Turn = Annotated[Literal["on", "off"], QueryParameter(name="state", description="Off stops new work.")]
Reason = Annotated[
    str, QueryParameter(min_length=1, max_length=2_000, description="Why; users whose work waits read it.")
]
By = Annotated[str, QueryParameter(min_length=1, max_length=128, description="Who turns it.")]


class Switches(msgspec.Struct, frozen=True):
    """Every switch that was ever turned; any other one is on."""

    switches: tuple[Switch, ...]


_NAMES: Final[dict[str, object]] = {
    "provider": Annotated[str, msgspec.Meta(pattern=_PROVIDER)],
    "backend": Target,
    "tenant": Tenant,
    "all": Literal[""],
}


@get("/v1/switches", responses=openapi.refusals(503))
async def list_switches(door: NamedDependency[Door]) -> Switches:
    """List the kill switches that were ever turned, those that are off first."""
    bucket = door.bus.bucket(_BUCKET, Switch)
    async with door.promptly():
        stored = await asyncio.gather(*map(bucket.get, await bucket.keys(SWITCH_KEYS)))
    found = (each.value for each in stored if each is not None)
    return Switches(tuple(sorted(found, key=lambda each: (each.state, each.scope, each.name))))


@post("/v1/switches", status_code=200, responses=openapi.refusals(422, 429, 503))
async def turn_switch(  # noqa: PLR0917 - the framework calls it by name
    request: Request,
    door: NamedDependency[Door],
    what: Which,
    to: Turn,
    reason: Reason,
    by: By,
    name: Named = "",
) -> Switch:
    """Turn a kill switch: the answer comes when it holds, which everybody who gives work away finds within a second.

    Turning it again changes its reason; each turn is an event on the log.
    """
    door.admit(request)
    check_name(what, name)
    switch, id_ = Switch(what, name, to, reason, by, door.clock.now()), switch_id(what, name)
    with server_span(door, request, "/v1/switches"):
        async with door.promptly():
            revision = await _put(door.bus.bucket(_BUCKET, Switch), switch)
            said = SwitchTurned(id_, what, name, to, reason, by, switch.at)
            await door.bus.publisher.publish(said, id_=f"{id_}-{revision}")
    door.log.warning("a switch was turned", switch=switch.what, state=to, by=by, reason=reason)
    return switch


def check_name(scope: Scope, name: str) -> None:
    """Return if a switch of this scope can have this name.

    Raises:
        Refusal: 422.
    """
    try:
        msgspec.convert(name, _NAMES[scope])
    except msgspec.ValidationError:
        wanted = "no name" if scope == "all" else f"the name of a {scope}"
        problem = Problem(pointer="/query/name", reason=f"{name[:100]!r} is not {wanted}", hint=f"give {wanted}")
        title, step = "There is no such switch", f"Give {wanted}."
        raise Refusal(422, "no-such-switch", title, problem.reason, step, (problem,)) from None


async def _put(bucket: Bucket[Switch], switch: Switch) -> int:
    """Write it in the place of what is there, so that every turn has a revision of its own to be told by."""
    key = switch_key(switch.scope, switch.name)
    for remaining in range(_TRIES - 1, -1, -1):
        stored = await bucket.get(key)
        try:
            return await bucket.put(key, switch, stored.revision if stored is not None else 0)
        except Conflict:
            if not remaining:
                raise
    raise AssertionError


ROUTES = (list_switches, turn_switch)
