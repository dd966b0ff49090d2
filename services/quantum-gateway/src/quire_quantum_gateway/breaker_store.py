"""Breakers in the bucket that all gateways share: read together, written by compare-and-swap, said as events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from quire_bus.errors import Conflict
from quire_contracts.breaker import (
    BREAKER_KEYS,
    TARGET_KEYS,
    BreakerClosed,
    BreakerHalfOpened,
    BreakerOpened,
    BreakerState,
    TargetState,
    breaker_id,
    breaker_key,
    target_key,
)

if TYPE_CHECKING:
    from quire_bus.buckets import Bucket
    from quire_bus.publisher import Publisher
    from quire_bus.records import Stored
    from quire_contracts.breaker import BreakerScope

BUCKET: Final = "backends"

Event = BreakerOpened | BreakerHalfOpened | BreakerClosed


@dataclass(frozen=True, slots=True)
class BreakerStore:
    """The shared breakers and target states. Every method raises QuireError while the broker cannot be reached."""

    breakers: Bucket[BreakerState]
    targets: Bucket[TargetState]
    publisher: Publisher

    async def read(self) -> dict[BreakerScope, Stored[BreakerState]]:
        """Every breaker that ever opened, with its revision; all others are closed."""
        keys = await self.breakers.keys(BREAKER_KEYS)
        found = await asyncio.gather(*map(self.breakers.get, keys))
        return {stored.value.scope: stored for stored in found if stored is not None}

    async def write(self, state: BreakerState, revision: int) -> int | None:
        """Replace the revision that was read, 0 for none; the new one, or None if another gateway was first."""
        try:
            return await self.breakers.put(breaker_key(state.scope), state, revision)
        except Conflict:
            return None

    async def read_targets(self) -> dict[str, Stored[TargetState]]:
        """What is said of targets, with its revision; of those that never were down, nothing."""
        keys = await self.targets.keys(TARGET_KEYS)
        found = await asyncio.gather(*map(self.targets.get, keys))
        return {stored.value.target: stored for stored in found if stored is not None}

    async def write_target(self, state: TargetState, revision: int) -> None:
        """Say how a target is; nothing where another gateway said so first."""
        try:
            await self.targets.put(target_key(state.target), state, revision)
        except Conflict:
            return

    async def say(self, event: Event, revision: int) -> None:
        """Put a transition on the log; the same one twice is one event."""
        await self.publisher.publish(event, id_=f"{event.breaker_id}-{revision}")


def event_of(state: BreakerState, refused_seconds: float) -> Event:
    """The event of a state that a breaker came to. refused_seconds: since it opened; said where it closes."""
    name, scope, at = breaker_id(state.scope), state.scope, state.since
    if state.state == "closed":
        return BreakerClosed(name, scope, at, refused_seconds)
    if state.state == "half-open":
        return BreakerHalfOpened(name, scope, at, state.by)
    return BreakerOpened(name, scope, at, state.until, state.reason_code, state.reason, max(1, state.spell))
