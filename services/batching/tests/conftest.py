"""Tasks to batch."""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime

import msgspec
import pytest

from quire_contracts.task import Task
from quire_contracts.value import BlobRef, Matrix

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def blob(data: bytes, media_type: str) -> BlobRef:
    return BlobRef(hashlib.sha256(data).hexdigest(), len(data), media_type, data)


@pytest.fixture
def make_task():
    def make(task_id: str = "task-1", *, rows: int = 1, structure: str = "qubit[1] q;", **changes) -> Task:
        angles = struct.pack(f"<{rows}d", *range(rows))
        task = Task(
            task_id=task_id,
            job_id=f"job-of-{task_id}",
            tenant="acme",
            phase="main",
            round=0,
            structure=blob(structure.encode(), "application/vnd.quire.structure+qasm"),
            qubits=1,
            parameters=Matrix(rows, 1, blob(angles, "application/vnd.quire.float64")),
            observables=None,
            shots=100,
            seed=None,
            target="simulation",
            fallbacks=(),
            priority="customer-facing",
        )
        return msgspec.structs.replace(task, **changes)

    return make
