"""Timings of several pieces of work as one account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_contracts.value import Timing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.record import JobRecord


def summed(timings: tuple[Timing, ...], more: Sequence[Timing]) -> tuple[Timing, ...]:
    """Timings by stage and resource: seconds added up, the earliest start kept, in order of first appearance."""
    totals = {(timing.stage, timing.resource): timing for timing in timings}
    for timing in more:
        key = (timing.stage, timing.resource)
        known = totals.get(key)
        totals[key] = Timing(
            stage=timing.stage,
            resource=timing.resource,
            started_at=min(known.started_at, timing.started_at) if known else timing.started_at,
            seconds=(known.seconds if known else 0.0) + timing.seconds,
        )
    return tuple(totals.values())


def quantum_seconds(record: JobRecord) -> float:
    """Seconds that the job's work ran, its children's included, without queues."""
    return sum((timing.seconds for timing in record.timings if timing.stage == "execute"), 0.0)
