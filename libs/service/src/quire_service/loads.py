"""How busy targets are at present, for services that choose or admit: overheard from batching's reports."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.load import LOAD_KEYS, LoadReport, TargetLoad

if TYPE_CHECKING:
    from quire_bus.bus import Bus
    from quire_resilience.clock import Clock

FRESH_SECONDS: Final = 10.0
"""A report counts for so long; who is busy reports at least twice in that time."""

_SUBJECT: Final = f"$KV.backends.{LOAD_KEYS}>"
_decoder: Final = msgspec.json.Decoder(LoadReport)


class Loads:
    """What was last reported, for as long as it is fresh; where nothing is, nobody is held for want of a hint."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard: dict[str, tuple[float, LoadReport]] = {}

    def heard(self, _subject: str, body: bytes) -> None:
        """Take a report; what is none is left."""
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            report = _decoder.decode(body)
            now = self._clock.monotonic()
            self._heard = {name: (at, each) for name, (at, each) in self._heard.items() if now - at < FRESH_SECONDS}
            self._heard[report.instance] = (now, report)

    def current(self) -> Mapping[str, TargetLoad]:
        """Each target that has work: what waits and runs at all replicas together, and the worst of their figures."""
        now, found = self._clock.monotonic(), dict[str, TargetLoad]()
        for at, report in self._heard.values():
            if now - at < FRESH_SECONDS:
                for load in report.targets:
                    known = found.get(load.target)
                    found[load.target] = load if known is None else _together(known, load)
        return found


@contextlib.asynccontextmanager
async def loads_of(bus: Bus, clock: Clock) -> AsyncIterator[Loads]:
    """Listen to the reports while the block runs."""
    loads = Loads(clock)
    async with bus.overhear(_SUBJECT, loads.heard):
        yield loads


def _together(one: TargetLoad, other: TargetLoad) -> TargetLoad:
    return TargetLoad(
        target=one.target,
        waiting=one.waiting + other.waiting,
        in_flight=one.in_flight + other.in_flight,
        wait_seconds=max(one.wait_seconds, other.wait_seconds),
        batch_seconds=max(one.batch_seconds, other.batch_seconds),
        error_rate=max(one.error_rate, other.error_rate),
        window_seconds=max(one.window_seconds, other.window_seconds),
    )
