"""Kill switches: what an operator has stopped, why, who and since when; kept in the bucket `switches`, said as events.

A switch that nobody ever turned is on. Off, it stops new work, and no work is lost by it: what has not been given to a
provider waits or goes where it may; what a provider has already is fetched.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta

from quire_contracts.value import Key, Name, Text, Value, readable_key

if TYPE_CHECKING:
    from collections.abc import Collection

Scope = Literal["all", "provider", "backend", "tenant"]
"""What a switch stops: all quantum work, a provider's, a backend's (a target), or a tenant's work of any kind."""

SWITCH_KEYS: Final = "switch."
"""How the keys begin, in the bucket `switches`."""

SIMULATION: Final = "simulation"
"""The provider that does no quantum work: the switch of scope `all` leaves its targets alone."""

_SLUG_CHARACTERS: Final = 40


class Switch(Value, frozen=True):
    """One switch as it stands: `by` turned it last, at `at`, because of `reason`. For `all` the `name` is empty."""

    scope: Scope
    name: Name
    state: Literal["on", "off"]
    reason: Text
    by: Name
    at: datetime

    def stops(self, target: str, tenants: Collection[str] = ()) -> bool:
        """Whether new work of any of these tenants at this target must not begin."""
        if self.state == "on":
            return False
        provider = target.partition(":")[0]
        match self.scope:
            case "all":
                return provider != SIMULATION
            case "provider":
                return provider == self.name
            case "backend":
                return target == self.name
            case "tenant":
                return self.name in tenants

    @property
    def what(self) -> str:
        """What it is for, in words."""
        return "all quantum work" if self.scope == "all" else f"the {self.scope} {self.name}"


class SwitchTurned(Value, frozen=True):
    """Somebody turned a switch; said also where it stood like that already, for that too was a decision."""

    switch_id: Key
    scope: Scope
    name: Name
    state: Literal["on", "off"]
    reason: Annotated[Text, Meta(description="Why, in the operator's words.")]
    by: Name
    at: datetime


def switch_id(scope: str, name: str) -> str:
    """The name of a switch, readable and unlike any other's; it can stand in a subject."""
    return readable_key((scope, name), _SLUG_CHARACTERS)


def switch_key(scope: str, name: str) -> str:
    """Where a switch is kept."""
    return SWITCH_KEYS + switch_id(scope, name)
