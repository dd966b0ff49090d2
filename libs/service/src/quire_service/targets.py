"""Which targets take no work at present, for services that send, choose or show: read from what the gateways say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.breaker import TARGET_KEYS, TargetState
from quire_resilience.errors import QuireError
from quire_service.switches import Switches, switched_off, switches_of

if TYPE_CHECKING:
    from quire_bus.buckets import Bucket
    from quire_bus.bus import Bus
    from quire_resilience.clock import Clock

POLL_SECONDS: Final = 2.0
BELIEVED: Final = timedelta(seconds=300)
"""So long after the next probe was due a state is still believed; then no gateway looks after the target any more."""

_BUCKET: Final = "backends"
_SUBJECT: Final = f"$KV.{_BUCKET}.{TARGET_KEYS}>"
_decoder: Final = msgspec.json.Decoder(TargetState)


class Targets:
    """What was last said of each target. Where nothing is known a target is up: then the gateway says what is wrong.

    changed: called when a target goes down or comes back.
    switches: what operators have stopped; a target that is switched off is down.
    """

    def __init__(
        self, clock: Clock, changed: Callable[[], None] = lambda: None, switches: Switches | None = None
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._switches = switches
        self._said: dict[str, TargetState] = {}

    def heard(self, _subject: str, body: bytes) -> None:
        """Take what a gateway says; what is no state is left."""
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            state = _decoder.decode(body)
            self._take({**self._said, state.target: state})

    async def read(self, bucket: Bucket[TargetState]) -> None:
        """Read what is said of all targets.

        Raises:
            QuireError: the broker cannot be reached; what was known stays.
        """
        found = await asyncio.gather(*map(bucket.get, await bucket.keys(TARGET_KEYS)))
        self._take({stored.value.target: stored.value for stored in found if stored is not None})

    def current(self) -> Mapping[str, TargetState]:
        """The targets that gateways say to take no work now, and why; of any other one ask `down`."""
        return {target: state for target in self._said if (state := self.down(target)) is not None}

    def down(self, target: str, tenant: str | None = None) -> TargetState | None:
        """Why a target takes no work now; None if it does. tenant: whose work, which may be switched off as well."""
        tenants = () if tenant is None else (tenant,)
        switch = self._switches.stopped(target, tenants) if self._switches is not None else None
        if switch is not None:
            return switched_off(switch, target)
        state = self._said.get(target)
        if state is None or state.state == "up":
            return None
        return state if state.until is None or self._clock.now() < state.until + BELIEVED else None

    def _take(self, said: dict[str, TargetState]) -> None:
        before = self._said
        self._said = said
        if any(_state(before, target) != _state(said, target) for target in before.keys() | said.keys()):
            self._changed()


@contextlib.asynccontextmanager
async def targets_of(bus: Bus, clock: Clock, changed: Callable[[], None] = lambda: None) -> AsyncIterator[Targets]:
    """Keep what is known of targets while the block runs: heard at once, and read again every two seconds.

    What operators have switched off is known as `switches_of` says.
    """
    async with contextlib.AsyncExitStack() as stack:
        switches = await stack.enter_async_context(switches_of(bus, clock, changed))
        targets = Targets(clock, changed, switches)
        await stack.enter_async_context(bus.overhear(_SUBJECT, targets.heard))
        polling = asyncio.create_task(_poll(targets, bus.bucket(_BUCKET, TargetState), clock), name="targets")
        try:
            yield targets
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)


async def _poll(targets: Targets, bucket: Bucket[TargetState], clock: Clock) -> None:
    while True:
        with contextlib.suppress(QuireError):
            await targets.read(bucket)
        await clock.sleep(POLL_SECONDS)


def _state(said: Mapping[str, TargetState], target: str) -> str:
    return said[target].state if target in said else "up"
