"""A job as its user reads it: the record in words, without what only the services need."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from quire_contracts.document import JobKind
from quire_contracts.preparation import Baseline
from quire_contracts.record import Decision, JobState, Step
from quire_contracts.result import Best, JobResult, OptimizeResult, Quality, Round
from quire_contracts.value import BlobRef, Execution, Fault, Priority, Problem, Timing

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord


class Links(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where to go from here."""

    self: str
    events: str
    result: str = ""


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a submission that is stored, or was stored before under the same key."""

    job_id: str
    tenant: str
    state: JobState
    links: Links
    trace_id: str = ""
    repeated: bool = False
    replay_of: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """All that a user can know of a job.

    `result` is the answer, with packed counts written out; where it is too large to stand here it is behind
    `links.result`. `history` holds the states the job reached, `rounds` the rounds of its loop.
    """

    job_id: str
    tenant: str
    state: JobState
    kind: JobKind | None = None
    name: str = ""
    project: str = ""
    priority: Priority | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    targets: tuple[str, ...] = ()
    seed: int | None = None
    degraded: bool = False
    reason: str = ""
    next_step: str = ""
    fault: Fault | None = None
    problems: tuple[Problem, ...] = ()
    result: JobResult | None = None
    result_ref: BlobRef | None = None
    best: Best | None = None
    baseline: Baseline | None = None
    baseline_seconds: float = 0.0
    quality: Quality | None = None
    history: tuple[Step, ...] = ()
    rounds: tuple[Round, ...] = ()
    rounds_planned: int | None = None
    executions: tuple[Execution, ...] = ()
    timings: tuple[Timing, ...] = ()
    decisions: tuple[Decision, ...] = ()
    shots: int = 0
    cost_usd: float = 0.0
    accepted_at: datetime | None = None
    updated_at: datetime | None = None
    ended_at: datetime | None = None
    deadline_at: datetime | None = None
    replay_of: str | None = None
    content_sha256: str = ""
    trace_id: str = ""
    links: Links


def links_of(tenant: str, job_id: str, *, result: bool = False) -> Links:
    """The paths of a job; the tenant is named where it is not the default one."""
    query = "" if tenant == "default" else f"?tenant={tenant}"
    path = f"/v1/jobs/{job_id}"
    return Links(f"{path}{query}", f"{path}/events{query}", f"{path}/result{query}" if result else "")


def job_of(record: JobRecord, result: JobResult | None) -> Job:
    """The view of a record, with its answer as far as it is to be shown."""
    checkpoint, preparation = record.checkpoint, record.preparation
    solved = result if isinstance(result, OptimizeResult) else None
    rounds = solved.history if solved else checkpoint.history if checkpoint else ()
    return Job(
        job_id=record.job_id,
        tenant=record.tenant,
        state=record.state,
        kind=record.kind,
        name=record.name,
        project=record.project,
        priority=record.priority,
        tags=record.tags,
        targets=record.targets,
        seed=record.seed if record.seeded else None,
        degraded=record.degraded,
        reason=record.reason or (record.fault.reason if record.fault else waits(record)),
        next_step=record.fault.next_step if record.fault else "",
        fault=record.fault,
        problems=record.problems,
        result=result,
        result_ref=without_content(record.result_ref),
        best=solved.best if solved else record.best,
        baseline=preparation.baseline if preparation else None,
        baseline_seconds=record.baseline_seconds,
        quality=solved.quality if solved else None,
        history=record.history,
        rounds=rounds,
        rounds_planned=checkpoint.rounds if checkpoint else None,
        executions=record.executions,
        timings=record.timings,
        decisions=record.decisions,
        shots=record.shots,
        cost_usd=record.cost_usd,
        accepted_at=record.accepted_at,
        updated_at=record.updated_at,
        ended_at=record.updated_at if record.is_over else None,
        deadline_at=record.deadline_at,
        replay_of=record.replay.of if record.replay else None,
        content_sha256=record.content_sha256,
        trace_id=record.trace_id,
        links=links_of(record.tenant, record.job_id, result=has_result(record)),
    )


def waits(record: JobRecord) -> str:
    """Why its work waits for a target; empty where it does not."""
    return next((item.held.reason for item in record.pending if item.held is not None), "")


def has_result(record: JobRecord) -> bool:
    """Whether there is an answer to fetch."""
    return record.result is not None or record.result_ref is not None


def without_content(ref: BlobRef | None) -> BlobRef | None:
    """The reference without the content that travels in it."""
    return None if ref is None else msgspec.structs.replace(ref, inline=None)
