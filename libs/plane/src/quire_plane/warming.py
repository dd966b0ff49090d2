"""Executors warmed before the first batch: simulators take seconds to import, which nobody should wait for."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_quantum.executor import Member, Work
from quire_quantum.structure import Operation, Structure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quire_plane.lanes import Lanes
    from quire_quantum.executor import Executor

_LOG: Final = logging.getLogger("quire.plane")


def smallest_work() -> Work:
    """One shot of one qubit: enough to import, compile and run."""
    structure = Structure(1, 1, 0, (Operation("h", (0,)), Operation("measure", (0,), (), (0,))))
    return Work(structure, (Member(np.zeros((1, 0)), seed=0),), shots=1)


async def warm(executors: Mapping[str, Executor], lanes: Lanes, stopping: asyncio.Event) -> None:
    """Run the smallest work once on each target's lane, then wait until the service stops.

    For executors that are free and local alone: it is real work. One that fails is left for its first batch to say.
    """
    for target, executor in executors.items():
        if stopping.is_set():
            return
        try:
            await lanes.run(target, partial(executor.execute, smallest_work()))
        except Exception as error:  # noqa: BLE001 - a cold start is slow, not wrong
            _LOG.warning("%s was not warmed: %s", target, type(error).__name__)
    await stopping.wait()
