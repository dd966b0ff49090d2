"""Calibrations change under a running service: they are read again from time to time, and what they make stale goes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from quire_contracts.calibration import CalibrationChanged
    from quire_contracts.value import Value
    from quire_plane import Lanes
    from quire_quantum_gateway.catalog import Catalog
    from quire_quantum_gateway.drift import Drifts
    from quire_quantum_gateway.providers.port import Provider
    from quire_resilience.clock import Clock

_LOG: Final = logging.getLogger("quire.gateway")
_LANE: Final = "calibrations"


class Publisher(Protocol):
    """What new calibrations are said with."""

    async def publish(self, message: Value, *, id_: str) -> object:
        """See `quire_bus.publisher.Publisher.publish`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrations:
    """Watches the calibrations of all providers' open backends."""

    catalog: Catalog
    drifts: Drifts
    lanes: Lanes
    publisher: Publisher
    clock: Clock
    every_seconds: float

    async def watch(self, stopping: asyncio.Event) -> None:
        """Look again and again, until the service stops."""
        while await _pause(self.clock, self.every_seconds, stopping):
            await self.look()

    async def look(self) -> None:
        """Let every provider read its open backends' calibrations again, and say which are new.

        Compilations for an old calibration are dropped by their provider; the next work compiles anew. Answers need no
        care: the calibration is part of what they are kept by.
        """
        for provider in self.catalog.values():
            try:
                await self.lanes.run(f"{_LANE} {provider.name}", provider.refresh)
            except Exception as error:  # noqa: BLE001 - an old calibration is a worse one, not a wrong one
                _LOG.warning("calibrations of %s could not be read: %s", provider.name, type(error).__name__)
            await self._see(provider)

    async def _see(self, provider: Provider) -> None:
        for backend, snapshot in provider.snapshots().items():
            changed = self.drifts.see(f"{provider.name}:{backend}", snapshot, self.clock.now())
            if changed is not None:
                await self._say(changed)

    async def _say(self, changed: CalibrationChanged) -> None:
        note = f"worse than the last good one: {changed.reason}" if changed.drifted else "work is compiled for it"
        _LOG.log(
            logging.WARNING if changed.drifted else logging.INFO,
            "%s has a new calibration, %s; %s",
            changed.target,
            changed.calibration_id,
            note,
        )
        try:
            await self.publisher.publish(changed, id_=f"calibration-{changed.snapshot_id}")
        except QuireError as error:
            _LOG.warning("a new calibration could not be said: %s", error)


async def _pause(clock: Clock, seconds: float, stopping: asyncio.Event) -> bool:
    """Wait; whether to go on."""
    waits = {asyncio.ensure_future(clock.sleep(seconds)), asyncio.create_task(stopping.wait())}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    return not stopping.is_set()
