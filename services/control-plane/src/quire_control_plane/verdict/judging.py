"""An ended loop's answer judged: the verdict on it from the facts of its record, and whether it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.verdict import Confidence, Verdict
from quire_control_plane.timings import quantum_seconds
from quire_control_plane.verdict import trust
from quire_control_plane.verdict.comparing import RULE, Compared, Sense, Side
from quire_control_plane.verdict.ran import ran_by
from quire_control_plane.verdict.repeating import found_again
from quire_control_plane.verdict.sampled import (
    Sampling,
    last_sampling,
    success_of,
    time_to_solution,
)
from quire_control_plane.verdict.sides import ahead_of, bound_of, compared, gap_of, quantum_side, ratio_of
from quire_policy import Facts, Figures, accept, objections

if TYPE_CHECKING:
    from quire_contracts.preparation import Baseline
    from quire_contracts.record import JobRecord
    from quire_contracts.result import OptimizeResult, Quality
    from quire_contracts.verdict import Outcome
    from quire_control_plane.change import Moment

_FEW: Final = 10
"""Fewer hits than this make a poor estimate of a chance."""

_NO_QUANTUM: Final = Compared("inconclusive", "no part of the answer is quantum")


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, what becomes of the answer, and why where it is not simply accepted."""

    verdict: Verdict
    outcome: Outcome
    why: tuple[str, ...] = ()


def judge(record: JobRecord, result: OptimizeResult, moment: Moment) -> Judged:
    """Judge the answer of a loop.

    Args:
        record: with all that ran, was decided and cost.
        result: the quantum answer beside the classical one, with its figures.
        moment: the acceptance rules in force, and which targets take no work.
    """
    baseline, best, sense = result.baseline, result.best, result.sense or "min"
    sampling = last_sampling(record, result.quality)
    repeats = found_again(sampling.hits, sampling.shots) if sampling else None
    quantum = quantum_side(result, repeats)
    found = _NO_QUANTUM if quantum is None else compared(quantum, baseline, sense)
    ahead = ahead_of(best.value, baseline, sense)
    behind = baseline is not None and baseline.feasible and (not best.feasible or (ahead is not None and ahead < 0))
    ran = ran_by(record)
    own = trust.samples(repeats, *((sampling.hits, sampling.shots) if sampling else (0, 0)))
    parts = (
        trust.samples_of_all(ran) if record.family is not None else own,
        trust.health(ran, lambda target: moment.down(target, record.tenant)),
        trust.errors(ran),
        trust.baseline(
            ahead=ahead, ratio=result.quality.approximation_ratio, gap=result.quality.gap, feasible=best.feasible
        ),
    )
    score = trust.score_of(parts)
    figures = Figures(
        objective=best.value if best.feasible else None,
        feasible_share=_feasible_share(result.quality, feasible=best.feasible),
        approximation_ratio=result.quality.approximation_ratio,
        gap=gap_of(best.value, baseline) if best.feasible else None,
        confidence=score,
        contradiction=found.contradiction,
        behind=behind,
        classical=baseline.value if baseline is not None and baseline.feasible else None,
        classical_gap=gap_of(baseline.value, baseline) if baseline is not None else None,
    )
    accepted = accept(moment.acceptance(_facts(record)), record.rules, figures)
    success = success_of(sampling, behind=behind, feasible=best.feasible)
    needed, seconds = time_to_solution(record, sampling, success)
    verdict = msgspec.structs.replace(
        _framed(record, baseline, found),
        value=quantum.value if quantum is not None else None,
        feasible=quantum.feasible if quantum is not None else None,
        gap=gap_of(quantum.value, baseline) if quantum is not None and quantum.feasible else None,
        approximation_ratio=ratio_of(quantum, baseline),
        success_probability=success,
        tts99_shots=needed,
        tts99_seconds=seconds,
        confidence=Confidence(score, parts, accepted.outcome, accepted.why),
        answer="classical" if behind or accepted.outcome == "reject" else "quantum",
        remarks=(*_of_parts(result), *_remarks(record, baseline, sampling, behind=behind)),
    )
    return Judged(verdict, accepted.outcome, accepted.why)


def judge_classical(record: JobRecord, baseline: Baseline, reason: str, sense: Sense) -> Judged:
    """Judge a classical answer that stands where a quantum one could not: only the job's own rules can speak of it.

    The quantum side is the best sample, if there was one: not feasible, or worse, or as far as the loop came.
    """
    best = record.best
    quantum = Side(value=best.value, feasible=best.feasible, repeats=None) if best is not None else None
    found = compared(quantum, baseline, sense) if quantum else Compared("inconclusive", reason)
    broken = objections(
        record.rules,
        objective=baseline.value if baseline.feasible else None,
        gap=gap_of(baseline.value, baseline) if baseline.feasible else None,
    )
    verdict = msgspec.structs.replace(
        _framed(record, baseline, found),
        value=best.value if best else None,
        feasible=best.feasible if best else None,
        answer="classical",
        remarks=_remarks(record, baseline, None, behind=False),
    )
    return Judged(verdict, "person" if broken else "accept", broken)


def _of_parts(result: OptimizeResult) -> tuple[str, ...]:
    if result.partition is None:
        return ()
    polished, merged = result.partition.polished, result.partition.merged
    said = f"the problem was solved in parts: the verdict is on their merged answer, {merged.value:g}"
    return (f"{said}, which a classical polish brought to {polished.value:g}",)


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


def _feasible_share(quality: Quality, *, feasible: bool) -> float | None:
    """Where nothing can be infeasible every sample is feasible."""
    if quality.feasible_share is not None or quality.success_probability is None:
        return quality.feasible_share
    return 1.0 if feasible else None


def _framed(record: JobRecord, baseline: Baseline | None, found: Compared) -> Verdict:
    """The verdict with what is the same for every answer of the job."""
    said = Verdict(
        call=found.call,
        reason=found.reason[:2_000],
        rule=RULE,
        certainty=found.certainty,
        proven=found.proven,
        quantum_seconds=quantum_seconds(record),
        classical_seconds=record.baseline_seconds,
        shots=record.shots,
        cost_usd=record.cost_usd,
    )
    if baseline is None:
        return said
    return msgspec.structs.replace(
        said,
        classical=baseline.value,
        bound=bound_of(baseline),
        bound_method=baseline.bound_method or (baseline.method if baseline.exact else ""),
        budget_seconds=baseline.budget_seconds,
    )


def _remarks(
    record: JobRecord, baseline: Baseline | None, sampling: Sampling | None, *, behind: bool
) -> tuple[str, ...]:
    said = []
    ran = ran_by(record)
    if any(each.simulator for each in ran.at):
        said.append("quantum work ran on a simulator: its seconds are those of the simulation")
    if ran.remembered:
        said.append("work was answered from memory: what it took when it ran is not in these seconds")
    spent, budget = quantum_seconds(record), baseline.budget_seconds if baseline is not None else 0.0
    if budget and spent > budget:
        said.append(f"the quantum work ran {spent:.3g} s, each classical method had {budget:.3g} s")
    if sampling is not None and not behind and sampling.hits < _FEW:
        said.append(f"the success probability rests on {sampling.hits} of {sampling.shots} shots")
    if baseline is not None and bound_of(baseline) is None:
        said.append("without a bound nothing is said of how far either answer is from the optimum")
    if sampling is not None:
        said.append("one run: the spread over seeds is not known; a sweep over seeds measures it")
    return tuple(said)
