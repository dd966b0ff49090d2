"""What came of work that its job did not wait for: a fact beside the job, which has ended and changes no more."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from quire_contracts.result import Best, JobResult, Quality
from quire_contracts.value import BlobRef, Execution, Key, Phase, Target, Tenant, Text, Value


class EvidenceKept(Value, frozen=True):
    """The answer of a task that came after its job had ended: kept beside the job, whose own answer stays.

    Also a record of kind `evidence`, named by `evidence_id`. The answer of a task of phase `main` stands in `result` or
    behind `result_ref`; of a loop's task `best` is the best sample seen in it, and `figures` hold it against the
    classical answer. `compared` says in words how it compares with the answer that the job ended with; `better` is None
    where the two cannot be compared. What it cost is in `shots` and `cost_usd`, and in no total of the job.
    """

    job_id: Key
    tenant: Tenant
    task_id: Key
    attempt: int
    phase: Phase
    round: int
    target: Target
    ended_at: datetime
    """When the job ended."""

    arrived_at: datetime
    best: Best | None = None
    figures: Quality | None = None
    result: JobResult | None = None
    result_ref: BlobRef | None = None
    better: bool | None = None
    compared: Text = ""
    shots: int = 0
    cost_usd: float = 0.0
    executions: Annotated[tuple[Execution, ...], Meta(max_length=100)] = ()


EVIDENCE = "evidence"
"""The kind of record that keeps them, one for each task attempt."""


def evidence_id(task_id: str, attempt: int) -> str:
    """The id of the record of a task attempt, within its tenant."""
    return f"{task_id}-{attempt}"
