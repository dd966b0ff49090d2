"""A task as the slices that its batches hold: whole, or cut where it is too large for one batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from quire_contracts.batch import Slice
from quire_contracts.task import Task
from quire_contracts.value import Matrix
from quire_resilience.errors import Permanent

_FLOAT_BYTES = 8


def whole(task: Task, queued_at: datetime, traceparent: str | None) -> Slice:
    """The task as one slice."""
    return Slice(
        task_id=task.task_id,
        job_id=task.job_id,
        tenant=task.tenant,
        phase=task.phase,
        round=task.round,
        attempt=task.attempt,
        first=0,
        total_rows=task.parameters.rows,
        parameters=task.parameters,
        seed=task.seed,
        queued_at=queued_at,
        scoring=task.scoring,
        fresh=task.fresh,
        kernel=task.kernel,
        traceparent=traceparent,
    )


def piece(task: Task, parameters: Matrix, first: int, queued_at: datetime, traceparent: str | None) -> Slice:
    """The slice of the task that begins at row `first` and has these parameter sets.

    Its seed is the task's: a row's counts follow from the seed and its place in the task, however that was cut.
    """
    base = whole(task, queued_at, traceparent)
    return msgspec.structs.replace(base, first=first, parameters=parameters)


def cut_matrix(matrix: Matrix, data: bytes, rows: Sequence[range]) -> list[bytes]:
    """The bytes of consecutive row ranges of a float64 matrix.

    Raises:
        Permanent: if `data` is not rows x columns numbers.
    """
    width = matrix.columns * _FLOAT_BYTES
    if len(data) != matrix.rows * width:
        reason = f"the parameters are {len(data)} bytes, not {matrix.rows} x {matrix.columns} numbers"
        raise Permanent("parameters-shape", reason, next_step="Submit the job again; if this repeats, report it.")
    return [data[part.start * width : part.stop * width] for part in rows]
