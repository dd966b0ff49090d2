"""Batches of small circuits, and the way to deliver a stored message once more."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import msgspec
import nats
import numpy as np
import pytest
import pytest_asyncio

from quire_contracts.batch import Batch, Slice
from quire_contracts.value import Matrix, inline_blob
from quire_quantum.observables import normalise
from quire_quantum.structure import Structure

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_slice(name: str, rows, *, seed: int | None = 7, traceparent: str | None = None, tenant: str = "acme") -> Slice:
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
    structure: Structure, members, *, target="simulation", shots=100, observables=(), batch_id="b1"
) -> Batch:
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


@pytest.fixture
def make():
    """`make.slice(name, rows, seed=, traceparent=)` and `make.batch(structure, members, shots=, observables=)`."""
    return SimpleNamespace(slice=make_slice, batch=make_batch)


@pytest_asyncio.fixture
async def deliver_again(provisioned):
    """`await deliver_again(recorded)`: the same stored message once more, past the broker's own de-duplication."""
    client = await nats.connect(provisioned.url)

    async def again(recorded) -> None:
        headers = {name: value for name, value in recorded.headers.items() if not name.startswith("Nats-")}
        await client.jetstream().publish(recorded.subject, recorded.body, headers=headers)

    yield again
    await client.close()
