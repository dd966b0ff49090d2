"""What stands between the house and a sick provider: breakers, shared by all gateways, and what they mean for a target.

Kept in the bucket `backends`, one key for each breaker and one for each target; every change of a breaker is also said
as an event.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta

from quire_contracts.value import Key, Name, Seconds, Target, Text, Value, readable_key

BREAKER_KEYS: Final = "breaker."
TARGET_KEYS: Final = "target."
"""How the keys of breakers and of targets begin, in the bucket `backends`."""

ANY: Final = "any"
"""In a scope: whatever it is, as in a breaker for all operations of a device."""

_SLUG_CHARACTERS: Final = 48


class BreakerScope(Value, frozen=True):
    """The calls that one breaker stands for: those of an operation at a device, or `any` of them."""

    provider: Name
    account: Name
    region: Name = ANY
    device: Name = ANY
    operation: Name = ANY


class BreakerState(Value, frozen=True):
    """One breaker as all gateways see it.

    until: open: when a probe is due; half-open: when the probe is given up. spell: which opening in a row this is.
    by: the gateway that brought it into this state.
    """

    scope: BreakerScope
    state: Literal["closed", "open", "half-open"]
    since: datetime
    until: datetime
    spell: Annotated[int, Meta(ge=0)] = 0
    reason_code: Name = ""
    reason: Text = ""
    by: Name = ""


class TargetState(Value, frozen=True):
    """Whether a target takes work. `down` until a probe says otherwise, which is tried at `until`; `probing` meanwhile.

    What waits for a target that is not up stays where it is: nothing is sent to be refused.
    """

    target: Target
    state: Literal["up", "probing", "down"]
    since: datetime
    until: datetime | None = None
    reason_code: Name = ""
    reason: Text = ""


class BreakerOpened(Value, frozen=True):
    """Calls of this scope are refused until a probe succeeds; the next one is due at `until`."""

    breaker_id: Key
    scope: BreakerScope
    at: datetime
    until: datetime
    reason_code: Name
    reason: Text
    spell: Annotated[int, Meta(ge=0)] = 1


class BreakerHalfOpened(Value, frozen=True):
    """One gateway asks the provider, for all of them and for free, whether calls may start again."""

    breaker_id: Key
    scope: BreakerScope
    at: datetime
    by: Name = ""


class BreakerClosed(Value, frozen=True):
    """Calls of this scope are made again; they were refused for so many seconds."""

    breaker_id: Key
    scope: BreakerScope
    at: datetime
    refused_seconds: Seconds = 0.0


def breaker_id(scope: BreakerScope) -> str:
    """The name of a scope's breaker, readable and unlike any other scope's; it can stand in a subject."""
    parts = (scope.provider, scope.account, scope.region, scope.device, scope.operation)
    return readable_key(parts, _SLUG_CHARACTERS)


def breaker_key(scope: BreakerScope) -> str:
    """Where a breaker's `BreakerState` is kept."""
    return BREAKER_KEYS + breaker_id(scope)


def target_key(target: str) -> str:
    """Where a target's `TargetState` is kept."""
    return TARGET_KEYS + target.replace(".", "=2E").replace(":", "/")
