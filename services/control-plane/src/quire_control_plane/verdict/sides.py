"""The two sides of a verdict, from a job's answer and its classical baseline, and what lies between them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from quire_control_plane.verdict.comparing import Compared, Sense, Side, compare
from quire_control_plane.verdict.repeating import found_again

if TYPE_CHECKING:
    from quire_contracts.preparation import Baseline
    from quire_contracts.result import OptimizeResult

_RELATIVE: Final = 1e-9
"""Values closer than this, relative to the largest of the problem, are equal: rounding, not quality."""


def quantum_side(result: OptimizeResult, repeats: float | None) -> Side | None:
    """What is held against the classical answer: of a problem in parts, what was there before its classical polish."""
    if result.source != "quantum":
        return None
    if result.partition is not None:
        merged = result.partition.merged
        return Side(value=merged.value, feasible=merged.feasible, repeats=None)
    return Side(value=result.best.value, feasible=result.best.feasible, repeats=repeats)


def compared(quantum: Side, baseline: Baseline | None, sense: Sense) -> Compared:
    """The comparison of an answer with the classical one."""
    if baseline is None:
        return compare(quantum, None, sense=sense, tolerance=_RELATIVE)
    classical = Side(
        value=baseline.value, feasible=baseline.feasible, proven=baseline.exact, repeats=_found_by(baseline)
    )
    tolerance = _tolerance(quantum.value, baseline)
    return compare(quantum, classical, sense=sense, bound=bound_of(baseline), tolerance=tolerance)


def _found_by(baseline: Baseline) -> float:
    """The chance that the methods would find the value again; one that runs once from one point always does."""
    finders = [
        tried
        for tried in baseline.tried
        if tried.value is not None and abs(tried.value - baseline.value) <= _tolerance(tried.value, baseline)
    ]
    if not finders or any(tried.runs <= 1 for tried in finders):
        return 1.0
    return 1.0 - math.prod(1.0 - found_again(tried.hits, tried.runs) for tried in finders)


def ahead_of(value: float, baseline: Baseline | None, sense: Sense) -> float | None:
    """By how much a value is better than the classical one, rounding taken away; None without a feasible one."""
    if baseline is None or not baseline.feasible:
        return None
    difference = value - baseline.value if sense == "max" else baseline.value - value
    return 0.0 if abs(difference) <= _tolerance(value, baseline) else difference


def bound_of(baseline: Baseline) -> float | None:
    """What no feasible answer is better than: a proven optimum is that too."""
    return baseline.value if baseline.exact and baseline.bound is None else baseline.bound


def gap_of(value: float, baseline: Baseline | None) -> float | None:
    """How far a value is from the bound, as `contracts.verdict.Verdict.gap`."""
    bound = bound_of(baseline) if baseline is not None else None
    return None if bound is None else abs(value - bound) / max(1.0, abs(bound))


def ratio_of(quantum: Side | None, baseline: Baseline | None) -> float | None:
    """As `result.Quality` has it."""
    if quantum is None or baseline is None or not (quantum.feasible and baseline.feasible):
        return None
    worst = baseline.worst
    return None if worst is None or worst == baseline.value else (worst - quantum.value) / (worst - baseline.value)


def _tolerance(value: float, baseline: Baseline) -> float:
    return _RELATIVE * max(1.0, abs(value), abs(baseline.value), abs(baseline.worst or 0.0))
