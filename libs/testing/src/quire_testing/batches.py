"""Batches of small circuits, for tests of what runs and gathers them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from quire_contracts.batch import Batch, Slice
from quire_contracts.value import Matrix, inline_blob
from quire_quantum.observables import normalise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from quire_quantum.structure import Structure

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_slice(
    name: str,
    rows: ArrayLike,
    *,
    seed: int | None = 7,
    traceparent: str | None = None,
    tenant: str = "acme",
) -> Slice:
    """The whole of a task `task-<name>` of a job `job-<name>`; `rows` is [parameter sets, parameters]."""
    matrix = np.atleast_2d(np.asarray(rows, dtype=np.float64))
    data = inline_blob(matrix.astype("<f8").tobytes(), "application/vnd.quire.float64")
    return Slice(
        task_id=f"task-{name}",
        job_id=f"job-{name}",
        tenant=tenant,
        phase="main",
        round=0,
        attempt=1,
        first=0,
        total_rows=len(matrix),
        parameters=Matrix(rows=matrix.shape[0], columns=matrix.shape[1], data=data),
        seed=seed,
        queued_at=NOW,
        traceparent=traceparent,
    )


def make_batch(
    structure: Structure,
    members: Sequence[Slice],
    *,
    target: str = "simulation",
    shots: int | None = 100,
    observables: Sequence[Mapping[str, float]] = (),
    batch_id: str = "b1",
) -> Batch:
    """A batch of these members; `observables` are Pauli label to coefficient."""
    listed = msgspec.json.encode([normalise(each, structure.num_qubits) for each in observables])
    return Batch(
        batch_id=batch_id,
        target=target,
        structure=inline_blob(structure.to_text().encode(), "application/vnd.quire.structure+qasm"),
        qubits=structure.num_qubits,
        observables=inline_blob(listed, "application/vnd.quire.observables+json") if observables else None,
        shots=shots,
        priority="research",
        members=tuple(members),
        flush_reason="size",
        formed_at=NOW,
    )
