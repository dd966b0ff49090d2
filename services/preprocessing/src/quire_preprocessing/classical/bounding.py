"""What no answer can be better than: by HiGHS, and by the problem's own figures."""

from __future__ import annotations

import math
from typing import Final

from quire_contracts.problems import (
    IndependentSet,
    Ising,
    MaxCut,
    NumberPartitioning,
    Portfolio,
    Problems,
    Qubo,
    TravellingSalesman,
    VehicleRouting,
)
from quire_preprocessing.classical.case import Case, Found
from quire_preprocessing.classical.formulating import entries_of, formulation_of
from quire_preprocessing.classical.linear import looks_of, minimise

_ENTRIES_A_SECOND: Final = 60_000
_WHOLE_UP_TO: Final = 2.0**53


def linear_program(case: Case) -> Found:
    """HiGHS on the problem's program: a bound, and mostly an answer; both are the optimum where it ends in time."""
    if entries_of(case) > case.seconds * _ENTRIES_A_SECOND:
        return Found(note="not tried: the program is too large for the budget")
    made = formulation_of(case)
    if isinstance(made, str):
        return Found(note=made)
    solution = minimise(made.model, case.seconds)
    tuning = f"one thread, stopped at its {looks_of(made.model, case.seconds)}th look at its limits"
    if solution.state == "infeasible":
        return Found(exact=True, tuning=tuning, note="nothing is feasible")
    return Found(
        assignment=None if solution.values is None else made.assignment(solution.values),
        exact=solution.state == "optimal",
        bound=made.objective(solution.bound) if math.isfinite(solution.bound) else None,
        tuning=tuning,
    )


def evident(case: Case) -> float:
    """What the problem's own figures say: no more than all weights of a cut, and so on."""
    low, high = case.kind.bounds
    return low if case.kind.sense == "min" else high


def tightened(case: Case, bound: float) -> float:
    """The bound, moved to the next number that an objective can be where all of them are whole."""
    figures = _figures(case.problem)
    if not all(figure.is_integer() for figure in figures) or math.fsum(map(abs, figures)) > _WHOLE_UP_TO:
        return bound
    if isinstance(case.problem, NumberPartitioning):  # a difference is odd exactly where the sum is
        odd = math.fsum(figures) % 2
        return math.ceil((bound - odd) / 2) * 2 + odd
    return float(math.ceil(bound) if case.kind.sense == "min" else math.floor(bound))


def _figures(problem: Problems) -> tuple[float, ...]:
    """The numbers of which every objective is a sum, each with a whole factor."""
    match problem:
        case MaxCut():
            return tuple(weight for _, _, weight in problem.edges)
        case Qubo():
            return (*problem.linear, *(weight for _, _, weight in problem.quadratic), problem.offset)
        case Ising():
            return (*problem.h, *(weight for _, _, weight in problem.j), problem.offset)
        case IndependentSet():
            return problem.weights
        case NumberPartitioning():
            return problem.numbers
        case TravellingSalesman() | VehicleRouting():
            return tuple(way for row in problem.distances for way in row)
        case Portfolio():
            return (math.nan,)
