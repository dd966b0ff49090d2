"""Calibrations change under a running service: they are read again from time to time, and what they make stale goes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from quire_plane import Lanes
    from quire_quantum_gateway.catalog import Catalog
    from quire_resilience.clock import Clock

_LOG: Final = logging.getLogger("quire.gateway")
_LANE: Final = "calibrations"


async def watch(catalog: Catalog, lanes: Lanes, clock: Clock, every_seconds: float, stopping: asyncio.Event) -> None:
    """Let every provider read its open backends' calibrations again, until the service stops.

    Compilations for an old calibration are dropped by their provider; the next work compiles anew. Answers need no
    care: the calibration is part of what they are kept by.
    """
    while await _pause(clock, every_seconds, stopping):
        for provider in catalog.values():
            try:
                changed, _ = await lanes.run(_LANE, provider.refresh)
            except Exception as error:  # noqa: BLE001 - an old calibration is a worse one, not a wrong one
                _LOG.warning("calibrations of %s could not be read: %s", provider.name, type(error).__name__)
                continue
            for backend in changed:
                _LOG.info("%s:%s has a new calibration", provider.name, backend)


async def _pause(clock: Clock, seconds: float, stopping: asyncio.Event) -> bool:
    """Wait; whether to go on."""
    waits = {asyncio.ensure_future(clock.sleep(seconds)), asyncio.create_task(stopping.wait())}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    return not stopping.is_set()
