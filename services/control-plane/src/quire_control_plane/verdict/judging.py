"""An ended loop's answer judged: the verdict on it from the facts of its record, and whether it counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.verdict import Confidence, Verdict
from quire_control_plane.verdict import trust
from quire_control_plane.verdict.comparing import RULE, Compared, Sense, Side, compare
from quire_control_plane.verdict.repeating import found_again, tts99_shots
from quire_policy import Facts, Figures, accept, objections

if TYPE_CHECKING:
    from quire_contracts.preparation import Baseline
    from quire_contracts.record import JobRecord
    from quire_contracts.result import OptimizeResult, Quality
    from quire_contracts.verdict import Outcome
    from quire_control_plane.change import Moment

_RELATIVE: Final = 1e-9
"""Values closer than this, relative to the largest of the problem, are equal: rounding, not quality."""

_FEW: Final = 10
"""Fewer hits than this make a poor estimate of a chance."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, what becomes of the answer, and why where it is not simply accepted."""

    verdict: Verdict
    outcome: Outcome
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sampling:
    """The last sampling: its shots, those at the best value found, and the seconds that it ran."""

    shots: int
    hits: int
    seconds: float


def judge(record: JobRecord, result: OptimizeResult, moment: Moment) -> Judged:
    """Judge the answer of a loop.

    Args:
        record: with all that ran, was decided and cost.
        result: the quantum answer beside the classical one, with its figures.
        moment: the acceptance rules in force, and which targets take no work.
    """
    baseline, best, sense = result.baseline, result.best, result.sense or "min"
    sampling = _last_sampling(record, result.quality)
    repeats = found_again(sampling.hits, sampling.shots) if sampling else None
    quantum = Side(value=best.value, feasible=best.feasible, repeats=repeats)
    compared = _compared(quantum, baseline, sense)
    ahead = _ahead(best.value, baseline, sense)
    behind = baseline is not None and baseline.feasible and (not best.feasible or (ahead is not None and ahead < 0))
    parts = (
        trust.samples(repeats, *((sampling.hits, sampling.shots) if sampling else (0, 0))),
        trust.health(record.executions, lambda target: moment.down(target, record.tenant)),
        trust.errors(record.executions, record.decisions),
        trust.baseline(
            ahead=ahead, ratio=result.quality.approximation_ratio, gap=result.quality.gap, feasible=best.feasible
        ),
    )
    score = trust.score_of(parts)
    figures = Figures(
        objective=best.value if best.feasible else None,
        feasible_share=_feasible_share(result.quality, feasible=best.feasible),
        approximation_ratio=result.quality.approximation_ratio,
        gap=_gap(best.value, baseline) if best.feasible else None,
        confidence=score,
        contradiction=compared.contradiction,
        behind=behind,
        classical=baseline.value if baseline is not None and baseline.feasible else None,
        classical_gap=_gap(baseline.value, baseline) if baseline is not None else None,
    )
    accepted = accept(moment.acceptance(_facts(record)), record.rules, figures)
    success = _success(sampling, behind=behind, feasible=best.feasible)
    needed, seconds = _time_to_solution(record, sampling, success)
    verdict = msgspec.structs.replace(
        _framed(record, baseline, compared),
        value=best.value,
        feasible=best.feasible,
        gap=figures.gap,
        approximation_ratio=result.quality.approximation_ratio,
        success_probability=success,
        tts99_shots=needed,
        tts99_seconds=seconds,
        confidence=Confidence(score, parts, accepted.outcome, accepted.why),
        answer="classical" if behind or accepted.outcome == "reject" else "quantum",
        remarks=_remarks(record, baseline, sampling, behind=behind),
    )
    return Judged(verdict, accepted.outcome, accepted.why)


def judge_classical(record: JobRecord, baseline: Baseline, reason: str, sense: Sense) -> Judged:
    """Judge a classical answer that stands where a quantum one could not: only the job's own rules can speak of it.

    The quantum side is the best sample, if there was one; it was not feasible.
    """
    best = record.best
    quantum = Side(value=best.value, feasible=best.feasible, repeats=None) if best is not None else None
    compared = _compared(quantum, baseline, sense) if quantum else Compared("inconclusive", reason)
    broken = objections(
        record.rules,
        objective=baseline.value if baseline.feasible else None,
        gap=_gap(baseline.value, baseline) if baseline.feasible else None,
    )
    verdict = msgspec.structs.replace(
        _framed(record, baseline, compared),
        value=best.value if best else None,
        feasible=best.feasible if best else None,
        answer="classical",
        remarks=_remarks(record, baseline, None, behind=False),
    )
    return Judged(verdict, "person" if broken else "accept", broken)


def _facts(record: JobRecord) -> Facts:
    """What an acceptance may look at; of a job that was prepared in parts less is known."""
    prepared = record.preparation
    return Facts(
        kind=record.kind,
        phase="final",
        priority=record.priority,
        tenant=record.tenant,
        project=record.project,
        qubits=prepared.qubits if prepared is not None else None,
        shots=prepared.shots if prepared is not None else None,
        parameter_sets=None,
        targets=record.targets,
        min_shots=record.min_shots,
        seeded=record.seeded,
    )


def _compared(quantum: Side, baseline: Baseline | None, sense: Sense) -> Compared:
    if baseline is None:
        return compare(quantum, None, sense=sense, tolerance=_RELATIVE)
    classical = Side(
        value=baseline.value, feasible=baseline.feasible, proven=baseline.exact, repeats=_found_again(baseline)
    )
    tolerance = _tolerance(quantum.value, baseline)
    return compare(quantum, classical, sense=sense, bound=_bound(baseline), tolerance=tolerance)


def _found_again(baseline: Baseline) -> float:
    """The chance that the methods would find the value again; one that runs once from one point always does."""
    finders = [
        tried
        for tried in baseline.tried
        if tried.value is not None and abs(tried.value - baseline.value) <= _tolerance(tried.value, baseline)
    ]
    if not finders or any(tried.runs <= 1 for tried in finders):
        return 1.0
    return 1.0 - math.prod(1.0 - found_again(tried.hits, tried.runs) for tried in finders)


def _tolerance(value: float, baseline: Baseline) -> float:
    return _RELATIVE * max(1.0, abs(value), abs(baseline.value), abs(baseline.worst or 0.0))


def _ahead(value: float, baseline: Baseline | None, sense: Sense) -> float | None:
    """By how much a value is better than the classical one, rounding taken away; None without a feasible one."""
    if baseline is None or not baseline.feasible:
        return None
    difference = value - baseline.value if sense == "max" else baseline.value - value
    return 0.0 if abs(difference) <= _tolerance(value, baseline) else difference


def _bound(baseline: Baseline) -> float | None:
    return baseline.value if baseline.exact and baseline.bound is None else baseline.bound


def _gap(value: float, baseline: Baseline | None) -> float | None:
    bound = _bound(baseline) if baseline is not None else None
    return None if bound is None else abs(value - bound) / max(1.0, abs(bound))


def _feasible_share(quality: Quality, *, feasible: bool) -> float | None:
    """Where nothing can be infeasible every sample is feasible."""
    if quality.feasible_share is not None or quality.success_probability is None:
        return quality.feasible_share
    return 1.0 if feasible else None


def _last_sampling(record: JobRecord, quality: Quality) -> _Sampling | None:
    """What the executions say of the last sampling; slices of one attempt count together."""
    runs = [execution for execution in record.executions if execution.phase == "final" and execution.shots]
    if not runs or quality.success_probability is None:
        return None
    runs = [run for run in runs if (run.task_id, run.attempt) == (runs[-1].task_id, runs[-1].attempt)]
    shots = sum((run.shots or 0) * run.parameter_sets for run in runs)
    return _Sampling(shots, round(quality.success_probability * shots), sum(run.execute_seconds for run in runs))


def _success(sampling: _Sampling | None, *, behind: bool, feasible: bool) -> float | None:
    """The share of shots at the best value that anybody knows."""
    if sampling is None or (not feasible and not behind):
        return None
    return 0.0 if behind else sampling.hits / sampling.shots


def _time_to_solution(
    record: JobRecord, sampling: _Sampling | None, success: float | None
) -> tuple[int | None, float | None]:
    """Shots at the final angles, and seconds with those of the loop that found them."""
    needed = tts99_shots(success) if success is not None else None
    if needed is None or sampling is None:
        return needed, None
    loop = max(0.0, _quantum_seconds(record) - sampling.seconds)
    return needed, loop + needed * sampling.seconds / sampling.shots


def _quantum_seconds(record: JobRecord) -> float:
    return sum((timing.seconds for timing in record.timings if timing.stage == "execute"), 0.0)


def _framed(record: JobRecord, baseline: Baseline | None, compared: Compared) -> Verdict:
    """The verdict with what is the same for every answer of the job."""
    said = Verdict(
        call=compared.call,
        reason=compared.reason[:2_000],
        rule=RULE,
        certainty=compared.certainty,
        proven=compared.proven,
        quantum_seconds=_quantum_seconds(record),
        classical_seconds=record.baseline_seconds,
        shots=record.shots,
        cost_usd=record.cost_usd,
    )
    if baseline is None:
        return said
    return msgspec.structs.replace(
        said,
        classical=baseline.value,
        bound=_bound(baseline),
        bound_method=baseline.bound_method or (baseline.method if baseline.exact else ""),
        budget_seconds=baseline.budget_seconds,
    )


def _remarks(
    record: JobRecord, baseline: Baseline | None, sampling: _Sampling | None, *, behind: bool
) -> tuple[str, ...]:
    said = []
    if any(execution.simulator for execution in record.executions):
        said.append("quantum work ran on a simulator: its seconds are those of the simulation")
    spent, budget = _quantum_seconds(record), baseline.budget_seconds if baseline is not None else 0.0
    if budget and spent > budget:
        said.append(f"the quantum work ran {spent:.3g} s, each classical method had {budget:.3g} s")
    if sampling is not None and not behind and sampling.hits < _FEW:
        said.append(f"the success probability rests on {sampling.hits} of {sampling.shots} shots")
    if baseline is not None and _bound(baseline) is None:
        said.append("without a bound nothing is said of how far either answer is from the optimum")
    if sampling is not None:
        said.append("one run: the spread over seeds is not known")
    return tuple(said)
