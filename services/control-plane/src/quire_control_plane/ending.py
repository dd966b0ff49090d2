"""The ways a job ends: with its answer, with a lesser answer, with a reason. Each is said exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from quire_contracts.job import JobCancelled, JobCompleted, JobFailed, JobRejected
from quire_contracts.record import evolve
from quire_contracts.result import Best, OptimizeResult, Quality
from quire_control_plane.change import NOTHING, Change, Moment, Say, reach

if TYPE_CHECKING:
    from quire_contracts.preparation import Baseline, PreparationFailed
    from quire_contracts.record import JobRecord
    from quire_contracts.result import JobResult
    from quire_contracts.value import BlobRef, Fault


def complete(
    record: JobRecord,
    moment: Moment,
    *,
    result: JobResult | None = None,
    result_ref: BlobRef | None = None,
    reason: str = "",
) -> Change:
    """End a job with an answer; a `reason`, or work that ran at a fallback, makes it degraded.

    A loop's history is the result's from now on: a record of many rounds that has it twice is too large for a message.
    """
    if isinstance(result, OptimizeResult) and record.checkpoint is not None:
        record = evolve(record, checkpoint=msgspec.structs.replace(record.checkpoint, history=()))
    reasons = [text for text in (record.reason, reason) if text]
    degraded = record.degraded or bool(reason)
    ended = reach(
        record,
        "completed",
        moment,
        pending=(),
        result=result,
        result_ref=result_ref,
        degraded=degraded,
        reason="; ".join(reasons),
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
    )
    return Change(ended, (Say(said),))


def complete_with_baseline(record: JobRecord, moment: Moment, reason: str) -> Change:
    """End an optimisation with the classical answer, degraded; fail where there is none.

    Raises:
        ValueError: if the job was never prepared and so has no baseline to speak of.
    """
    baseline = record.preparation.baseline if record.preparation else None
    if baseline is None:
        raise ValueError(f"job {record.job_id} has no baseline to fall back to")
    sense, unit = objective_of(record)
    result = OptimizeResult(
        best=Best(
            value=baseline.value,
            assignment=baseline.assignment,
            feasible=baseline.feasible,
            violations=baseline.violations,
            answer=baseline.answer,
        ),
        history=record.checkpoint.history if record.checkpoint else (),
        baseline=baseline,
        baseline_seconds=record.baseline_seconds,
        quality=_baseline_quality(baseline),
        source="classical",
        sense=sense,
        unit=unit,
    )
    return complete(record, moment, result=result, reason=f"{reason}; the classical baseline is the answer")


def objective_of(record: JobRecord) -> tuple[Literal["min", "max"] | None, str]:
    """Whether a small or a large objective is good, and what it counts; nothing of a job without a loop."""
    loop = record.preparation.loop if record.preparation else None
    return (None, "") if loop is None else ("max" if loop.scale == -1 else "min", loop.unit)


def fail(record: JobRecord, moment: Moment, fault: Fault) -> Change:
    """End a job without an answer."""
    ended = reach(record, "failed", moment, note=fault.code, pending=(), fault=fault, reason=fault.reason)
    return Change(ended, (Say(JobFailed(job_id=record.job_id, tenant=record.tenant, kind=record.kind, fault=fault)),))


def cancel(record: JobRecord, moment: Moment, reason: str) -> Change:
    """End a job on request; one that is over stays as it is."""
    if record.is_over:
        return NOTHING
    text = reason or "cancelled on request"
    ended = reach(record, "cancelled", moment, pending=(), reason=text)
    said = JobCancelled(job_id=record.job_id, tenant=record.tenant, kind=record.kind, reason=text)
    return Change(ended, (Say(said),))


def reject(record: JobRecord, moment: Moment, failed: PreparationFailed) -> Change:
    """End a job whose content turned out to be invalid."""
    fault = failed.fault
    ended = reach(
        record, "rejected", moment, note=fault.code, fault=fault, reason=fault.reason, problems=failed.problems
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


def _baseline_quality(baseline: Baseline) -> Quality:
    if not baseline.feasible:
        return Quality()
    return Quality(approximation_ratio=None if baseline.worst is None else 1.0, gap=0.0, optimal=baseline.exact or None)
