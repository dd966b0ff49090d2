"""An assignment held against the problem that it is to solve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from quire_contracts.answers import Answer
from quire_problems.kind import Assignment, Kind

_RELATIVE: Final = 1e-9
"""Rounding allowed to an objective, relative to the problem's bounds."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of an assignment; the fields are those of `quire_contracts.result.Best`."""

    value: float
    feasible: bool
    violations: tuple[str, ...]
    answer: Answer | None


def tell(kind: Kind, assignment: Assignment, encoded: float) -> Told:
    """The assignment's objective and meaning if it is feasible; else `encoded`, its encoding's, and what is wrong."""
    violations = kind.violations(assignment)
    if violations:
        return Told(encoded, feasible=False, violations=violations, answer=None)
    return Told(kind.objective(assignment), feasible=True, violations=(), answer=kind.answer(assignment))


def tolerance(kind: Kind) -> float:
    """Up to which difference two objectives are equal."""
    return _RELATIVE * max(1.0, *map(abs, kind.bounds))


def contradiction(kind: Kind, assignment: Assignment, value: float, *, feasible: bool) -> str | None:
    """Why something that is said of an assignment cannot be true; None where it can."""
    if len(assignment) != kind.variables:
        return f"an assignment of {len(assignment)} variables is no answer to a problem of {kind.variables}"
    violations = kind.violations(assignment)
    if feasible and violations:
        return f"an infeasible answer is said to be feasible: {violations[0]}"
    if not feasible:
        return None if violations else "a feasible answer is said to be infeasible"
    return _out_of_bounds(kind, value) or _other_than(kind.objective(assignment), value, tolerance(kind))


def _out_of_bounds(kind: Kind, value: float) -> str | None:
    (low, high), close = kind.bounds, tolerance(kind)
    if math.isfinite(value) and low - close <= value <= high + close:
        return None
    return f"the objective {value:g} cannot be: every one lies between {low:g} and {high:g}"


def _other_than(true: float, said: float, close: float) -> str | None:
    return None if abs(true - said) <= close else f"the objective is said to be {said:g} and is {true:g}"
