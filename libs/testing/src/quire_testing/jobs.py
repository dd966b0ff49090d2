"""A task and a job's record with nothing special about them: a test names what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from quire_contracts.record import JobRecord, Step
from quire_contracts.task import Task
from quire_contracts.value import Matrix, inline_blob

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When a record was accepted."""

_BLOB = inline_blob(b"{}", "application/json")


def make_task(**fields: Any) -> Task:
    """A task `t1` of the job `j1`: one parameter set, 100 shots; `fields` are a task's own."""
    usual: dict[str, Any] = {
        "task_id": "t1",
        "job_id": "j1",
        "tenant": "acme",
        "phase": "main",
        "round": 0,
        "structure": _BLOB,
        "qubits": 1,
        "parameters": Matrix(1, 0, inline_blob(b"", "application/octet-stream")),
        "observables": None,
        "shots": 100,
        "seed": None,
        "target": "simulation",
        "fallbacks": (),
        "priority": "research",
    }
    return Task(**{**usual, **fields})


def make_record(**fields: Any) -> JobRecord:
    """A record of the job `j1`, accepted a moment ago; `fields` are a record's own."""
    usual: dict[str, Any] = {
        "job_id": "j1",
        "tenant": "acme",
        "kind": "sample",
        "name": "",
        "project": "default",
        "priority": "research",
        "tags": {},
        "targets": (),
        "seed": 1,
        "seeded": False,
        "content_sha256": "0" * 64,
        "document": _BLOB,
        "state": "queued",
        "accepted_at": NOW,
        "updated_at": NOW,
        "history": (Step(state="queued", at=NOW, cause="test"),),
    }
    return JobRecord(**{**usual, **fields})
