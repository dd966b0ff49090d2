"""What was learned of gains, kept beyond the life of a replica: read when it starts, written now and then."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from quire_contracts.intake import SHARED_TENANT
from quire_contracts.value import Key, Text, Value
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from quire_bus.records import Records
    from quire_control_plane.patience.prospects import Prospects
    from quire_resilience.clock import Clock

KIND: Final = "prospects"
ID: Final = "gains"
EVERY_SECONDS: Final = 30.0
KEPT_SECONDS: Final = 30 * 24 * 3_600


class Gain(Value, frozen=True):
    """By which shares the latest quantum answers of a tenant's jobs of one kind were better than the classical ones."""

    tenant: Key
    kind: Key
    unit: Text
    shares: Annotated[tuple[float, ...], Meta(max_length=1_000)]


class Gains(Value, frozen=True):
    """All that one replica knew; of several that write, the last one counts."""

    gains: tuple[Gain, ...] = ()


async def remember(prospects: Prospects, records: Records[Gains], clock: Clock, stopping: asyncio.Event) -> None:
    """Read what was kept, then write what is learned, until told to stop, and then once more.

    A hint: what cannot be read or written now is left for the next time.
    """
    with suppress(QuireError):
        stored = await records.get(SHARED_TENANT, ID)
        if stored is not None:
            prospects.recall({(each.tenant, each.kind, each.unit): each.shares for each in stored.value.gains})
    written = prospects.gains
    over = False
    while not over:
        await _pause(clock, stopping)
        over, known = stopping.is_set(), prospects.gains
        if known == written:
            continue
        kept = tuple(Gain(*group, shares) for group, shares in known.items())
        with suppress(QuireError):
            await records.put(records.write(SHARED_TENANT, ID, Gains(kept), None, KEPT_SECONDS))
            written = known


async def _pause(clock: Clock, stopping: asyncio.Event) -> None:
    waits = {asyncio.ensure_future(clock.sleep(EVERY_SECONDS)), asyncio.create_task(stopping.wait())}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
