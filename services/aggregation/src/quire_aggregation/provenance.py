"""Where a task's answer is from, what it cost, and where its time went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from quire_aggregation.fanin import Part
from quire_contracts.batch import Slice
from quire_contracts.value import Execution, Timing

_DOUBLE: Final = 1e-9
_SINGLE: Final = 1e-4


def execution_of(batch: Execution, member: Slice, *, batch_id: str, batch_rows: int) -> Execution:
    """A batch's execution as one member's own: its rows, and its share of the cost by rows."""
    rows = member.parameters.rows
    return msgspec.structs.replace(
        batch,
        parameter_sets=rows,
        cost_usd=batch.cost_usd * rows / max(1, batch_rows),
        batch_id=batch_id,
        task_id=member.task_id,
        phase=member.phase,
        attempt=member.attempt,
    )


def scales_of(execution: Execution) -> int:
    """At how many scales of noise something was measured for its errors to be taken out; 0 where they were not."""
    said = execution.mitigation
    return max(1, len(str(said.get("zne_scale_factors", "")).split())) if said.get("applied") else 0


def rounding_of(execution: Execution) -> float | None:
    """Up to which exact values may be off by rounding; None where noise was simulated, which makes them others."""
    said = execution.provider_metadata
    if said.get("noise"):
        return None
    return _SINGLE if said.get("precision") == "single" else _DOUBLE


def timings_of(
    parts: Sequence[Part], task_id: str, scoring_began: datetime, scoring_seconds: float
) -> tuple[Timing, ...]:
    """The stretches of a task's time: waiting for its batch, queueing, compiling, executing, scoring.

    Of several slices, which may run side by side, the slowest stands for the task in each stretch.
    """
    stretches = [
        *_longest(
            "batching", "wait", [(part.queued_at, (part.formed_at - part.queued_at).total_seconds()) for part in parts]
        ),
        *_longest("queue", "wait", [_queued(part) for part in parts]),
        *_longest("compile", "cpu", [(part.execution.started_at, part.execution.compile_seconds) for part in parts]),
        *_longest("execute", _resource(parts[0].execution), [_executed(part.execution) for part in parts]),
        Timing(stage="score", resource="cpu", started_at=scoring_began, seconds=max(0.0, scoring_seconds)),
    ]
    return tuple(msgspec.structs.replace(timing, task_id=task_id) for timing in stretches)


def _queued(part: Part) -> tuple[datetime, float]:
    """From the batch's forming until it began to run; a provider may say that it waited longer, inside."""
    began = (part.execution.started_at - part.formed_at).total_seconds()
    return part.formed_at, max(part.execution.queue_seconds, began)


def _executed(execution: Execution) -> tuple[datetime, float]:
    return execution.started_at + timedelta(seconds=execution.compile_seconds), execution.execute_seconds


def _longest(
    stage: str, resource: Literal["cpu", "gpu", "qpu", "wait"], stretches: Sequence[tuple[datetime, float]]
) -> list[Timing]:
    """The longest stretch as a timing, none where it took no time."""
    began, seconds = max(stretches, key=lambda stretch: stretch[1])
    return [Timing(stage=stage, resource=resource, started_at=began, seconds=seconds)] if seconds > 0 else []


def _resource(execution: Execution) -> Literal["cpu", "gpu", "qpu"]:
    if not execution.simulator:
        return "qpu"
    return "gpu" if str(execution.provider_metadata.get("device", "")).lower() == "gpu" else "cpu"
