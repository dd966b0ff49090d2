"""A job as its user reads it: the record in words, without what only the services need."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from quire_contracts.appraisal import Appraisal
from quire_contracts.continuation import Continuation
from quire_contracts.document import JobKind
from quire_contracts.evidence import EvidenceKept
from quire_contracts.family import Child, Parent
from quire_contracts.preparation import Baseline
from quire_contracts.query import BestAnswer
from quire_contracts.record import Decision, JobState, Step, baseline_of
from quire_contracts.result import Best, JobResult, MinimizeResult, OptimizeResult, Quality, Round
from quire_contracts.so_far import best_answer
from quire_contracts.value import BlobRef, Execution, Fault, Priority, Problem, Timing
from quire_contracts.verdict import Verdict

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord


class Links(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where to go from here."""

    self: str
    events: str
    result: str = ""


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a submission that is stored, or was stored before under the same key.

    `answer` is there where it was waited for: the final one, or the best so far.
    """

    job_id: str
    tenant: str
    state: JobState
    links: Links
    trace_id: str = ""
    repeated: bool = False
    replay_of: str = ""
    answer: BestAnswer | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """All that a user can know of a job.

    `result` is the answer, with packed counts written out; where it is too large to stand here it is behind
    `links.result`. `answer` is the best one so far, marked: a provisional one stands in it, the final one in `result`.
    `late` are answers that came after the end. `history` holds the states the job reached, `rounds` the loop's.
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
    needs_review: str = ""
    next_step: str = ""
    fault: Fault | None = None
    problems: tuple[Problem, ...] = ()
    result: JobResult | None = None
    result_ref: BlobRef | None = None
    best: Best | None = None
    baseline: Baseline | None = None
    baseline_seconds: float = 0.0
    quality: Quality | None = None
    verdict: Verdict | None = None
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
    parent: Parent | None = None
    children: tuple[Child, ...] = ()
    answer: BestAnswer | None = None
    late: tuple[EvidenceKept, ...] = ()
    continues: Continuation | None = None
    appraisals: tuple[Appraisal, ...] = ()
    content_sha256: str = ""
    trace_id: str = ""
    links: Links


def answered(accepted: Accepted, job: Job) -> Accepted:
    """The answer to a submission whose job was waited for."""
    best = job.answer
    if best is not None and best.standing == "final":
        best = msgspec.structs.replace(best, result=job.result, result_ref=job.result_ref)
    return msgspec.structs.replace(accepted, state=job.state, answer=best)


def links_of(tenant: str, job_id: str, *, result: bool = False) -> Links:
    """The paths of a job; the tenant is named where it is not the default one."""
    query = "" if tenant == "default" else f"?tenant={tenant}"
    path = f"/v1/jobs/{job_id}"
    return Links(f"{path}{query}", f"{path}/events{query}", f"{path}/result{query}" if result else "")


def job_of(record: JobRecord, result: JobResult | None, late: tuple[EvidenceKept, ...] = ()) -> Job:
    """The view of a record, with its answer as far as it is to be shown, and what came after its end."""
    checkpoint = record.checkpoint
    solved = result if isinstance(result, OptimizeResult) else None
    looped = result if isinstance(result, MinimizeResult | OptimizeResult) else None
    rounds = looped.history if looped else checkpoint.history if checkpoint else ()
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
        needs_review=record.needs_review,
        next_step=record.fault.next_step if record.fault else "",
        fault=record.fault,
        problems=record.problems,
        result=result,
        result_ref=without_content(record.result_ref),
        best=solved.best if solved else record.best,
        baseline=baseline_of(record),
        baseline_seconds=record.baseline_seconds,
        quality=solved.quality if solved else None,
        verdict=looped.verdict if looped else None,
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
        parent=record.parent,
        children=children_of(record),
        answer=answer_of(record),
        late=late,
        continues=record.continues,
        appraisals=record.appraisals,
        content_sha256=record.content_sha256,
        trace_id=record.trace_id,
        links=links_of(record.tenant, record.job_id, result=has_result(record)),
    )


def answer_of(record: JobRecord) -> BestAnswer:
    """The best answer so far, marked; a final one is not written out twice, for it stands in the view as `result`."""
    best = best_answer(record)
    return msgspec.structs.replace(best, result=None, result_ref=None) if best.standing == "final" else best


def waits(record: JobRecord) -> str:
    """Why its work waits for a target; empty where it does not."""
    return next((item.held.reason for item in record.pending if item.held is not None), "")


def has_result(record: JobRecord) -> bool:
    """Whether there is an answer to fetch."""
    return record.result is not None or record.result_ref is not None


def without_content(ref: BlobRef | None) -> BlobRef | None:
    """The reference without the content that travels in it."""
    return None if ref is None else msgspec.structs.replace(ref, inline=None)


def children_of(record: JobRecord) -> tuple[Child, ...]:
    """The job's children as they are; what they were asked and what they answered is read at their own ids."""
    children = record.family.children if record.family is not None else ()
    return tuple(msgspec.structs.replace(child, document=None, result=None) for child in children)
