"""The ways a job ends: with its answer, a lesser answer, or a reason; each is said in the commit that ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.job import JobCancelled, JobCompleted, JobFailed, JobRejected
from quire_contracts.record import baseline_of, evolve
from quire_contracts.result import MinimizeResult, OptimizeResult
from quire_contracts.so_far import classical_answer, objective_of
from quire_contracts.value import Fault
from quire_control_plane.change import NOTHING, Change, Moment, Say, reach
from quire_control_plane.verdict import Judged, judge_classical

if TYPE_CHECKING:
    from quire_contracts.preparation import BaselineFailed, PreparationFailed
    from quire_contracts.record import JobRecord
    from quire_contracts.result import JobResult
    from quire_contracts.value import BlobRef

_INSTEAD: Final = "the classical baseline is the answer"


def complete(
    record: JobRecord,
    moment: Moment,
    *,
    result: JobResult | None = None,
    result_ref: BlobRef | None = None,
    reason: str = "",
    needs_review: str = "",
) -> Change:
    """End a job with an answer; a `reason`, or work that ran at a fallback, makes it degraded.

    `needs_review` says why a person is to look at the answer.

    A loop's history is the result's from now on: a record of many rounds that has it twice is too large for a message.
    """
    if isinstance(result, OptimizeResult | MinimizeResult) and record.checkpoint is not None:
        record = evolve(record, checkpoint=msgspec.structs.replace(record.checkpoint, history=()))
    reasons = [text for text in (record.reason, reason) if text]
    degraded = record.degraded or bool(reason)
    ended = reach(
        record,
        "completed",
        moment,
        pending=(),
        awaiting=None,
        result=result,
        result_ref=result_ref,
        degraded=degraded,
        reason="; ".join(reasons),
        needs_review=needs_review[:2_000],
    )
    said = JobCompleted(
        job_id=record.job_id,
        tenant=record.tenant,
        kind=record.kind,
        result=result,
        result_ref=result_ref,
        degraded=degraded,
        reason=ended.reason,
        executions=record.executions,
        timings=record.timings,
        cost_usd=record.cost_usd,
        shots=record.shots,
        needs_review=ended.needs_review,
    )
    return Change(ended, (Say(said),))


def complete_with_baseline(record: JobRecord, moment: Moment, reason: str, rejected: Judged | None = None) -> Change:
    """End an optimisation with the classical answer, degraded.

    rejected: the judgement of the quantum answer that it stands for, where there was one.

    Raises:
        ValueError: if the job was never prepared and so has no baseline to speak of.
    """
    baseline, answer = baseline_of(record), classical_answer(record)
    if baseline is None or answer is None:
        raise ValueError(f"job {record.job_id} has no baseline to fall back to")
    review = ""
    if isinstance(answer, OptimizeResult):
        judged = rejected or judge_classical(record, baseline, reason, objective_of(record)[0] or "min")
        answer = msgspec.structs.replace(answer, verdict=judged.verdict)
        review = "; ".join(judged.why) if judged.outcome == "person" else ""
    return complete(record, moment, result=answer, reason=f"{reason}; {_INSTEAD}", needs_review=review)


def fail(record: JobRecord, moment: Moment, fault: Fault) -> Change:
    """End a job without an answer."""
    ended = reach(
        record, "failed", moment, note=fault.code, pending=(), awaiting=None, fault=fault, reason=fault.reason
    )
    return Change(ended, (Say(JobFailed(job_id=record.job_id, tenant=record.tenant, kind=record.kind, fault=fault)),))


def unanswered(record: JobRecord, why: str) -> Fault:
    """Why a job that ends without any quantum answer has none at all."""
    lacking = record.baseline_fault
    return Fault(
        kind=lacking.kind if lacking is not None else "unknown",
        code="nothing-to-answer",
        reason=f"{why}, and there is no classical answer: {lacking.reason if lacking else 'it was not found'}"[:2_000],
        next_step="submit it again, with a larger budget where that ended it",
        retryable=lacking is None or lacking.retryable,
    )


def cancel(record: JobRecord, moment: Moment, reason: str) -> Change:
    """End a job on request; one that is over stays as it is."""
    if record.is_over:
        return NOTHING
    text = reason or "cancelled on request"
    ended = reach(record, "cancelled", moment, pending=(), awaiting=None, reason=text)
    said = JobCancelled(job_id=record.job_id, tenant=record.tenant, kind=record.kind, reason=text)
    return Change(ended, (Say(said),))


def reject(record: JobRecord, moment: Moment, failed: PreparationFailed | BaselineFailed) -> Change:
    """End a job whose content turned out to be invalid, or to have no answer: whatever of it is out is stopped."""
    fault = failed.fault
    ended = reach(
        record,
        "rejected",
        moment,
        note=fault.code,
        pending=(),
        awaiting=None,
        fault=fault,
        reason=fault.reason,
        problems=failed.problems,
    )
    said = JobRejected(
        job_id=record.job_id,
        tenant=record.tenant,
        code=fault.code,
        reason=fault.reason,
        next_step=fault.next_step,
        problems=failed.problems,
    )
    return Change(ended, (Say(said),))
