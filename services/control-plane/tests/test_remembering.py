"""What was learned of gains outlives the replica that learned it."""

from __future__ import annotations

import asyncio

import pytest
from control_plane_cases import admitted

from quire_contracts.result import Best
from quire_control_plane.patience.prospects import Prospects
from quire_control_plane.patience.remembering import EVERY_SECONDS, KIND, Gains, remember
from quire_testing import ManualClock, eventually


async def test_what_one_replica_learned_the_next_one_knows(make_bus, optimize_body: bytes) -> None:
    bus, clock = await make_bus("control-plane"), ManualClock()
    records, group = bus.records(KIND, Gains), ("acme", "optimize", "cut")
    first, end = Prospects(clock), asyncio.Event()
    life = asyncio.create_task(remember(first, records, clock, end))
    await eventually(lambda: clock.sleeping)
    first.recall({group: (0.1, 0.0)})
    clock.advance(EVERY_SECONDS)

    async def kept() -> bool:
        return await records.get("shared", "gains") is not None

    await eventually(kept)
    first.recall({("acme", "optimize", "distance"): (0.5,)})
    end.set()
    await life
    second, over = Prospects(clock), asyncio.Event()
    life = asyncio.create_task(remember(second, records, clock, over))
    await eventually(lambda: len(second.gains) == 2)
    assert second.gains[group] == (0.1, 0.0)
    over.set()
    await life


def test_what_was_learned_since_counts_before_what_was_known(optimize_body: bytes) -> None:
    record = admitted(optimize_body).record
    prospects = Prospects(ManualClock())
    prospects.recall({("acme", "optimize", ""): (0.2, 0.4)})
    assert prospects.gain(record) == pytest.approx(0.3)
    prospects.gained(record, Best(value=1.0, assignment=(0, 1)))
    assert prospects.gain(record) == pytest.approx(0.3), "without a classical answer nothing is learned"
