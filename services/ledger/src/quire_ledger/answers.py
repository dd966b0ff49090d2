"""What answers say about the ledger's rows: their figures, the verdicts on them, and what came too late to count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from quire_contracts.result import MinimizeResult, OptimizeResult
from quire_ledger.change import Change, job_key
from quire_ledger.tables import EVIDENCE, QUALITY, VERDICTS

if TYPE_CHECKING:
    from quire_contracts.evidence import EvidenceKept
    from quire_contracts.job import JobCompleted
    from quire_contracts.verdict import Verdict

_AS_SAID: Final = (
    "certainty",
    "value",
    "feasible",
    "classical",
    "proven",
    "bound",
    "bound_method",
    "approximation_ratio",
    "success_probability",
    "tts99_shots",
    "tts99_seconds",
    "quantum_seconds",
    "classical_seconds",
    "budget_seconds",
    "answer",
)
"""Fields of a verdict whose columns have their names."""


def answered(message: JobCompleted) -> tuple[Change, ...]:
    """The figures of a job's answer, and the verdict on it."""
    result, job = message.result, job_key(message.tenant, message.job_id)
    if isinstance(result, MinimizeResult):
        return *_judged(message), Change(QUALITY, job, _energy(result))
    if not isinstance(result, OptimizeResult):
        return _judged(message)
    figures = msgspec.structs.asdict(result.quality)
    values = {
        **{name: figure for name, figure in figures.items() if name in QUALITY.c},
        "value": result.best.value,
        "source": result.source,
    }
    return *_judged(message), Change(QUALITY, job, values)


def kept(message: EvidenceKept) -> Change:
    """An answer that came after its job had ended; what it cost stands in no job's total."""
    task = {**job_key(message.tenant, message.job_id), "task_id": message.task_id, "attempt": message.attempt}
    values: dict[str, Any] = {
        "phase": message.phase,
        "round": message.round,
        "target": message.target,
        "job_ended_at": message.ended_at,
        "arrived_at": message.arrived_at,
        "late_seconds": (message.arrived_at - message.ended_at).total_seconds(),
        "value": message.best.value if message.best is not None else None,
        "feasible": message.best.feasible if message.best is not None else None,
        "better": message.better,
        "compared": message.compared,
        "shots": message.shots,
        "cost_usd": message.cost_usd,
    }
    figures = message.figures
    for name in ("approximation_ratio", "gap", "success_probability", "mean_objective"):
        values[name] = getattr(figures, name) if figures is not None else None
    return Change(EVIDENCE, task, values)


def _judged(message: JobCompleted) -> tuple[Change, ...]:
    """The verdict on an answer, and why a person is to look at it; nothing of an answer that has neither."""
    verdict: Verdict | None = getattr(message.result, "verdict", None)
    if verdict is None and not message.needs_review:
        return ()
    values: dict[str, Any] = {"needs_review": message.needs_review or None}
    if verdict is not None:
        confidence, baseline = verdict.confidence, getattr(message.result, "baseline", None)
        values |= {name: getattr(verdict, name) for name in _AS_SAID}
        values |= {
            "verdict": verdict.call,
            "why": verdict.reason,
            "bound_gap": verdict.gap,
            "confidence": confidence.score if confidence is not None else None,
            "outcome": confidence.outcome if confidence is not None else None,
            "baseline_method": baseline.method if baseline is not None else None,
        }
    return (Change(VERDICTS, job_key(message.tenant, message.job_id), values),)


def _energy(result: MinimizeResult) -> dict[str, object]:
    """A minimisation's figures; its gap is that of any job, |value - reference| / max(1, |reference|)."""
    baseline = result.baseline
    gap = None if baseline is None else abs(result.energy - baseline.value) / max(1.0, abs(baseline.value))
    return {"value": result.energy, "gap": gap, "source": result.source}
