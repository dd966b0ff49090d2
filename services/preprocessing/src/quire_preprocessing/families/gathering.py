"""What the answers of a family's members come to: a table, the merge that follows, or the polished answer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quire_contracts.family import Child, GatherFamily, headline
from quire_contracts.partitioned import Partition, Partitioned, PartReport, Polish, Stage
from quire_contracts.result import (
    Best,
    JobResult,
    KernelResult,
    OptimizeResult,
    Point,
    Quality,
    SweepResult,
    SweepSummary,
)
from quire_preprocessing.families import merging
from quire_preprocessing.families.polishing import polished
from quire_preprocessing.families.splitting import METHOD, weight_within
from quire_preprocessing.families.spreading import spread_of
from quire_problems import Kind, tell, tolerance

if TYPE_CHECKING:
    from quire_contracts.document import SweepJob
    from quire_contracts.preparation import Baseline
    from quire_contracts.problems import Ising
    from quire_preprocessing.families.merging import Assignment
    from quire_preprocessing.optimize.ising import Energy
    from quire_resilience.clock import Clock

Results = Mapping[str, JobResult]
"""The members' answers by name; one that has none is not in it."""


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A problem, its energy, and how it was taken apart."""

    kind: Kind
    energy: Energy
    partition: Partition


def table(sweep: SweepJob, command: GatherFamily, results: Results) -> SweepResult:
    """One point for each variant, in the order of the document, and all of them in numbers."""
    points = []
    for child in command.children:
        result = results.get(child.name)
        if isinstance(result, KernelResult | SweepResult):
            raise TypeError(f"{child.name} is of a kind that cannot be swept")
        value, error = headline(result)
        points.append(
            Point(
                label=child.label,
                x=child.x,
                job_id=child.job_id,
                state=child.state,
                degraded=child.degraded,
                reason=child.reason,
                value=value,
                std_error=error,
                result=result,
            )
        )
    return SweepResult(
        points=tuple(points), x=sweep.x, spread=spread_of(sweep, points), summary=_summary(command, points)
    )


def side_by_side(energy: Energy, children: Sequence[Child], results: Results) -> Assignment:
    """The answers of the parts as one assignment."""
    answers = {child.variables: _bits(child, results) for child in children if child.role == "part"}
    return merging.laid_out(energy.variables, answers)


def merge_of(energy: Energy, children: Sequence[Child], results: Results) -> Ising | None:
    """The problem of which parts to turn over; None where it makes no difference."""
    found = [child.variables for child in children if child.role == "part"]
    problem = merging.merge_problem(energy, found, side_by_side(energy, children, results))
    return None if merging.decides_nothing(problem) else problem


def solved(puzzle: Puzzle, command: GatherFamily, results: Results, clock: Clock) -> OptimizeResult:
    """The answer of all parts: laid side by side, turned over as the merge says where that helps, and polished.

    clock: for how long the polish takes.
    """
    energy, children = puzzle.energy, command.children
    members = [child for child in children if child.role == "part"]
    joined = merged = side_by_side(energy, children, results)
    merge = next((child for child in children if child.role == "merge"), None)
    if merge is not None and merge.name in results:
        turned = merging.turned(joined, [child.variables for child in members], _bits(merge, results))
        merged = min(joined, turned, key=energy.of)
    began = clock.monotonic()
    final, moves = polished(energy, merged, puzzle.partition.polish_moves)
    seconds = clock.monotonic() - began
    best = _told(puzzle, final)
    report = Partitioned(
        max_variables=puzzle.partition.max_variables,
        parts=tuple(_reported(child, results) for child in members),
        joined=_stage(puzzle, joined),
        merged=_stage(puzzle, merged),
        polished=Stage(value=best.value, feasible=best.feasible),
        polish=Polish(moves=moves, budget=puzzle.partition.polish_moves, seconds=seconds),
        merge_source=_source(merge, results) if merge is not None else "none",
        coupled_weight=weight_within(energy, [child.variables for child in members]),
        method=METHOD,
    )
    sources = {each.source for each in report.parts}
    return OptimizeResult(
        best=best,
        history=(),
        baseline=command.baseline,
        baseline_seconds=command.baseline_seconds,
        method_seconds=command.method_seconds,
        quality=quality_of(puzzle.kind, best, command.baseline),
        source="quantum" if "quantum" in sources else "classical",
        sense="max" if energy.scale == -1 else "min",
        unit=puzzle.kind.unit,
        partition=report,
    )


def quality_of(kind: Kind, best: Best, baseline: Baseline | None) -> Quality:
    """The figures of `result.Quality` that need no samples, each None where its yardstick is missing."""
    if baseline is None or not best.feasible or not baseline.feasible:
        return Quality()
    ratio, worst = None, baseline.worst
    if worst is not None and worst != baseline.value:
        ratio = (worst - best.value) / (worst - baseline.value)
    return Quality(
        approximation_ratio=ratio,
        gap=abs(best.value - baseline.value) / max(1.0, abs(baseline.value)),
        optimal=abs(best.value - baseline.value) <= tolerance(kind) if baseline.exact else None,
    )


def _summary(command: GatherFamily, points: Sequence[Point]) -> SweepSummary:
    verdicts = [verdict for point in points if (verdict := getattr(point.result, "verdict", None)) is not None]
    outcomes = [verdict.confidence.outcome for verdict in verdicts if verdict.confidence is not None]
    return SweepSummary(
        states=dict(Counter(point.state for point in points)),
        degraded=sum(point.degraded and point.state == "completed" for point in points),
        calls=dict(Counter(verdict.call for verdict in verdicts)),
        outcomes=dict(Counter(outcomes)),
        shots=sum(child.shots for child in command.children),
        cost_usd=math.fsum(child.cost_usd for child in command.children),
        ran=command.ran,
    )


def _told(puzzle: Puzzle, assignment: Assignment) -> Best:
    said = tell(puzzle.kind, assignment, puzzle.energy.objective(assignment))
    return Best(said.value, assignment, feasible=said.feasible, violations=said.violations, answer=said.answer)


def _stage(puzzle: Puzzle, assignment: Assignment) -> Stage:
    said = _told(puzzle, assignment)
    return Stage(value=said.value, feasible=said.feasible)


def _reported(child: Child, results: Results) -> PartReport:
    return PartReport(
        name=child.name,
        variables=child.variables,
        source=_source(child, results),
        job_id=child.job_id if child.document is not None else None,
        reason=child.reason,
    )


def _source(child: Child, results: Results) -> str:
    result = results.get(child.name)
    return result.source if isinstance(result, OptimizeResult) else "none"


def _bits(child: Child, results: Results) -> tuple[int, ...]:
    """A member's assignment; of one without an answer all 0."""
    result = results.get(child.name)
    if isinstance(result, OptimizeResult):
        return result.best.assignment
    return (0,) * len(child.variables)
