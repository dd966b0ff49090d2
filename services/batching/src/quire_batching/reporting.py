"""How busy this replica's targets are, told to the house at most once a second and only while it says something new."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from quire_batching.target_queue import TargetQueue
from quire_bus.buckets import Bucket
from quire_contracts.load import LOAD_KEYS, LoadReport, TargetLoad
from quire_resilience.clock import Clock
from quire_resilience.errors import QuireError

BUCKET: Final = "backends"
SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 4.0
"""While there is work the same report is repeated so often: its readers forget it otherwise."""

_NOT_IN_A_KEY: Final = re.compile(r"[^A-Za-z0-9_-]")


def loads_of(queues: Mapping[str, TargetQueue[Any]], now: float) -> tuple[TargetLoad, ...]:
    """The targets that have work, in the order of their names."""
    return tuple(
        TargetLoad(
            target=target,
            waiting=queue.depth.members,
            in_flight=len(queue.flights),
            wait_seconds=round(queue.expected_wait(now), 3),
            batch_seconds=round(queue.service.turnaround, 3),
            error_rate=round(queue.service.errors, 2),
            window_seconds=queue.window,
        )
        for target, queue in sorted(queues.items())
        if not queue.is_idle
    )


async def report(
    queues: Mapping[str, TargetQueue[Any]],
    bucket: Bucket[LoadReport],
    stopping: asyncio.Event,
    *,
    instance: str,
    clock: Clock,
    failed: Callable[[str], None],
) -> None:
    """Report until told to stop, then that there is nothing here any more.

    failed: told the reason when a report could not be written; it is a hint, and the next one follows.
    """
    key = LOAD_KEYS + _NOT_IN_A_KEY.sub("-", instance)
    said: tuple[TargetLoad, ...] = ()
    at = clock.monotonic()
    over = False
    while not over:
        over, now = stopping.is_set(), clock.monotonic()
        loads = () if over else loads_of(queues, now)
        if loads != said or (loads and now - at >= AGAIN_SECONDS):
            said, at = loads, now
            try:
                await bucket.put(key, LoadReport(instance=instance, at=clock.now(), targets=loads))
            except QuireError as error:
                failed(str(error))
        if not over:
            await _pause(clock, stopping)


async def _pause(clock: Clock, stopping: asyncio.Event) -> None:
    waits = {asyncio.ensure_future(clock.sleep(SECONDS)), asyncio.create_task(stopping.wait())}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
