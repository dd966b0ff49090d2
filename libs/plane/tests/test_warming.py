"""Warming: each target runs the smallest work once, and one that cannot stops nothing."""

from __future__ import annotations

import asyncio

from quire_plane import Lanes, warm
from quire_plane.warming import smallest_work
from quire_quantum.fake_executor import FakeExecutor
from quire_resilience.clock import SystemClock
from quire_testing import eventually


class Recording(FakeExecutor):
    """The fake executor; keeps what it ran."""

    def __init__(self, *, broken=False):
        super().__init__()
        self.ran = []
        self.broken = broken

    def execute(self, work):
        self.ran.append(work)
        if self.broken:
            raise RuntimeError("no such device")
        return super().execute(work)


async def test_every_target_is_warmed_once_and_the_task_lasts_until_the_service_stops(caplog):
    broken, good = Recording(broken=True), Recording()
    lanes, stopping = Lanes(1, SystemClock()), asyncio.Event()
    task = asyncio.create_task(warm({"a": broken, "b": good}, lanes, stopping))
    await eventually(lambda: good.ran)
    assert len(broken.ran) == len(good.ran) == 1
    assert "a was not warmed: RuntimeError" in caplog.text
    assert not task.done()
    stopping.set()
    await asyncio.wait_for(task, 5)
    await lanes.close()


def test_the_smallest_work_runs_one_shot():
    outcome = FakeExecutor().execute(smallest_work())
    assert outcome.members[0].counts.shots.tolist() == [1]
