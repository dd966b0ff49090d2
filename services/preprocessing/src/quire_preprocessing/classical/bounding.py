"""What no answer can be better than: by HiGHS, by eigenvalues, and by the problem's own figures."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
from quire_preprocessing.classical.linear import TOLERANCE, looks_of, minimise
from quire_preprocessing.ising import Energy

_ENTRIES_A_SECOND: Final = 30_000
_FLOPS_A_SECOND: Final = 2e9
_MOST_STEPS: Final = 60
_WIDEST_SPECTRUM: Final = 1_024
_WHOLE_UP_TO: Final = 2.0**53
_DIGITS: Final = 9
"""To which an eigenvalue is told: its last ones are the machine's."""


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


def eigenvalues(case: Case) -> Found:
    """A bound for densely coupled spins, whose programs are weak: the least eigenvalue (Poljak, Rendl, 1995).

    With spins z, a first one for the fields, ``z'Mz = z'(M - diag u)z + sum u`` is at least n times the least
    eigenvalue of ``M - diag u``, and the sum, for any u. A few steps along the subgradient make u better.
    """
    energy = case.energy
    if energy.ceiling is not None or energy.squared:
        return Found(note="not tried: penalties would be bounded instead of the problem")
    if energy.variables > _WIDEST_SPECTRUM:
        return Found(note=f"not tried: more than {_WIDEST_SPECTRUM} variables")
    matrix = _matrix(energy)
    size = len(matrix)
    steps = int(min(max(case.seconds * _FLOPS_A_SECOND / (10.0 * size**3), 1), _MOST_STEPS))
    best, shift = -math.inf, np.zeros(size)
    for step in range(steps):
        values, vectors = np.linalg.eigh(matrix - np.diag(shift))
        best = max(best, size * float(values[0]) + float(shift.sum()))
        slope = 1.0 - size * vectors[:, 0] ** 2
        length = float(slope @ slope)
        if length < TOLERANCE:
            break
        shift = shift + slope * (0.2 * float(np.abs(values[0])) / (math.sqrt(length) * (1 + step / 8)))
    bound = _told_below(best / 2 + energy.offset, matrix)
    return Found(bound=energy.own(bound), tuning=f"{steps} steps")


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


def _matrix(energy: Energy) -> NDArray[np.float64]:
    """Couplings on both sides of the diagonal; a row before them for the fields where there are any."""
    first = int(any(energy.fields))
    matrix = np.zeros((energy.variables + first, energy.variables + first))
    for i, j, weight in energy.couplings:
        matrix[i + first, j + first] = matrix[j + first, i + first] = weight
    if first:
        matrix[0, 1:] = matrix[1:, 0] = energy.fields
    return matrix


def _told_below(bound: float, matrix: NDArray[np.float64]) -> float:
    """A little less than the bound, by what rounding can have made of it, in few digits."""
    size = max(float(np.abs(matrix).sum()), abs(bound))
    step = 10.0 ** (math.floor(math.log10(size)) - _DIGITS)
    return math.floor(bound / step - 1) * step
