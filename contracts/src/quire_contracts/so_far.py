"""The best answer that a job's record holds, at any moment of its life: pure, and the same wherever it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quire_contracts.minimum import classical_minimum, minimum_so_far
from quire_contracts.query import BestAnswer
from quire_contracts.record import TERMINAL, awaits_baseline, baseline_of
from quire_contracts.result import Best, MinimizeResult, OptimizeResult, Quality

if TYPE_CHECKING:
    from quire_contracts.preparation import Baseline
    from quire_contracts.record import JobRecord
    from quire_contracts.result import JobResult

Source = Literal["quantum", "classical", ""]
Standing = Literal["none", "provisional", "final"]


def best_answer(record: JobRecord) -> BestAnswer:
    """The record's answer: `final` once the job has ended with one, `provisional` while it can still become better.

    While a loop runs, its answer is the better of the best sample so far and the classical one: a feasible one
    before any other, then the better value; of equal ones the classical, which is there for certain. A job of another
    kind has none before its end, and one that ended without an answer never has: `none`, and the reason.
    """
    if record.state in TERMINAL:
        return _ended(record)
    result = provisional(record)
    if result is None:
        waits = next((item.held.reason for item in record.pending if item.held is not None), "")
        return _said(record, "none", None, waits or f"there is no answer yet: the job is {record.state}")
    return _said(record, "provisional", result, _because(record, result))


def provisional(record: JobRecord) -> OptimizeResult | MinimizeResult | None:
    """What a loop would answer if it had to now; None where it has nothing yet, and for kinds without a loop."""
    if record.kind == "minimize":
        return _least(record)
    if record.kind != "optimize":
        return None
    best, baseline = record.best, baseline_of(record)
    sense, unit = objective_of(record)
    if best is None or (baseline is not None and not is_better(best, baseline, sense)):
        return classical_answer(record)
    return OptimizeResult(
        best=best,
        history=record.checkpoint.history if record.checkpoint else (),
        baseline=baseline,
        quality=Quality(),
        parameters=record.checkpoint.best_parameters if record.checkpoint else (),
        screened=record.checkpoint.screened if record.checkpoint else (),
        baseline_seconds=record.baseline_seconds,
        method_seconds=record.method_seconds,
        sense=sense,
        unit=unit,
    )


def classical_answer(record: JobRecord) -> OptimizeResult | MinimizeResult | None:
    """The classical baseline as the answer of the job; None where it has no baseline (yet)."""
    if record.kind == "minimize":
        return classical_minimum(record)
    baseline = baseline_of(record)
    if baseline is None:
        return None
    sense, unit = objective_of(record)
    return OptimizeResult(
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
        method_seconds=record.method_seconds,
        quality=_baseline_quality(baseline),
        source="classical",
        sense=sense,
        unit=unit,
    )


def objective_of(record: JobRecord) -> tuple[Literal["min", "max"] | None, str]:
    """Whether a small or a large objective is good, and what it counts; nothing of a job without a loop."""
    if record.family is not None:
        return record.family.sense, record.family.unit
    loop = record.preparation.loop if record.preparation else None
    return (None, "") if loop is None else ("max" if loop.scale == -1 else "min", loop.unit)


def is_better(one: Best | Baseline, other: Best | Baseline, sense: Literal["min", "max"] | None) -> bool:
    """Whether an answer is truly better than another: feasible where that is not, else of a better value."""
    if one.feasible != other.feasible:
        return one.feasible
    return one.value > other.value if sense == "max" else one.value < other.value


def _least(record: JobRecord) -> MinimizeResult | None:
    measured, classical = minimum_so_far(record), classical_minimum(record)
    if measured is None or (classical is not None and classical.energy <= measured.energy):
        return classical
    return measured


def _ended(record: JobRecord) -> BestAnswer:
    if record.result is None and record.result_ref is None:
        fault = record.fault.reason if record.fault is not None else ""
        return _said(record, "none", None, record.reason or fault or f"the job is {record.state}")
    return _said(record, "final", record.result, record.reason)


def _because(record: JobRecord, result: OptimizeResult | MinimizeResult) -> str:
    what = "the classical baseline" if result.source == "classical" else "the best sample so far"
    rounds = f", after {len(result.history)} of {record.checkpoint.rounds} rounds" if record.checkpoint else ""
    out = ", ".join(dict.fromkeys(item.task.target for item in record.pending if item.held is None))
    still = "; the classical answer is still being found" if awaits_baseline(record) else ""
    return f"{what}{rounds}{f'; work is at {out}' if out else ''}{still}"


def _said(record: JobRecord, standing: Standing, result: JobResult | None, reason: str) -> BestAnswer:
    return BestAnswer(
        job_id=record.job_id,
        tenant=record.tenant,
        state=record.state,
        standing=standing,
        source="" if standing == "none" else _source(result),
        degraded=record.degraded,
        reason=reason[:2_000],
        result=result,
        result_ref=record.result_ref if standing == "final" else None,
    )


def _source(result: JobResult | None) -> Source:
    """Where an answer is from; one that says nothing of it is of circuits that ran."""
    return "classical" if getattr(result, "source", "quantum") == "classical" else "quantum"


def _baseline_quality(baseline: Baseline) -> Quality:
    if not baseline.feasible:
        return Quality()
    return Quality(approximation_ratio=None if baseline.worst is None else 1.0, gap=0.0, optimal=baseline.exact or None)
