"""Bounds of problems whose variables may be anything in between: eigenvalues for spins, a convex program for assets."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quire_contracts.problems import Portfolio
from quire_preprocessing.classical.case import Case, Found
from quire_preprocessing.optimize.ising import Energy

_FLOPS_A_SECOND: Final = 15e9
_MOST_STEPS: Final = 100
_WIDEST: Final = 1_024
_MOST_PORTFOLIO_STEPS: Final = 5_000
_DIGITS: Final = 9
"""To which an eigenvalue is told: its last ones are the machine's."""


def relaxation(case: Case) -> Found:
    """A bound where one is cheap: of a portfolio, and of spins without penalties."""
    energy = case.energy
    if isinstance(case.problem, Portfolio):
        return _portfolio(case.problem, case.seconds)
    if energy.ceiling is not None or energy.squared:
        return Found(note="not tried: penalties, or a square, would be bounded instead of the problem")
    if energy.variables > _WIDEST:
        return Found(note=f"not tried: more than {_WIDEST} variables")
    return _eigenvalues(energy, case.seconds)


def _eigenvalues(energy: Energy, seconds: float) -> Found:
    """The least eigenvalue, for densely coupled spins whose linear programs are weak (Poljak, Rendl, 1995).

    With spins z, a first one for the fields, ``z'Mz = z'(M - diag u)z + sum u`` is at least n times the least
    eigenvalue of ``M - diag u``, and the sum, for any u. A few steps along the subgradient make u better.
    """
    matrix = _matrix(energy)
    size = len(matrix)
    steps = int(min(max(seconds * _FLOPS_A_SECOND / (10.0 * size**3), 1), _MOST_STEPS))
    best, shift = -math.inf, np.zeros(size)
    for step in range(steps):
        values, vectors = np.linalg.eigh(matrix - np.diag(shift))
        best = max(best, size * float(values[0]) + float(shift.sum()))
        slope = 1.0 - size * vectors[:, 0] ** 2
        length = math.sqrt(float(slope @ slope))
        if length < 10.0**-_DIGITS:
            break
        shift = shift + slope * (0.2 * abs(float(values[0])) / (length * (1 + step / 8)))
    bound = _told_below(best / 2 + energy.offset, float(np.abs(matrix).sum()))
    return Found(bound=energy.own(bound), tuning=f"least eigenvalue, {steps} steps")


def _portfolio(problem: Portfolio, seconds: float) -> Found:
    """Shares of assets instead of assets, by steps that each give a bound (Frank, Wolfe, 1956).

    The risk is made convex first: for a selection of k, ``x'Cx = x'(C + dI)x - dk``. A concave objective is nowhere
    above its tangent, which is highest at k whole assets.
    """
    covariance = problem.risk_aversion * (np.array(problem.covariance) + np.array(problem.covariance).T) / 2
    size, k = len(covariance), problem.choose
    convex = max(0.0, -float(np.linalg.eigvalsh(covariance)[0]))
    risk = covariance + convex * np.eye(size)
    gains, shares = np.array(problem.returns), np.full(size, k / size)
    steps = int(min(max(seconds * _FLOPS_A_SECOND / (20.0 * size**2 + 1e5), 1), _MOST_PORTFOLIO_STEPS))
    bound = math.inf
    for _ in range(steps):
        slopes = gains - 2 * (risk @ shares)
        towards = np.zeros(size)
        towards[np.argsort(-slopes, kind="stable")[:k]] = 1.0
        way = towards - shares
        room = float(slopes @ way)
        bound = min(bound, float(gains @ shares - shares @ risk @ shares) + room)
        bend = float(way @ risk @ way)
        length = 1.0 if 2 * bend <= room else room / (2 * bend)
        if room <= 0:
            break
        shares = shares + length * way
    scale = float(np.abs(gains).sum() + np.abs(risk).sum())
    return Found(bound=-_told_below(-(bound + convex * k), scale), tuning=f"convex program, {steps} Frank-Wolfe steps")


def _matrix(energy: Energy) -> NDArray[np.float64]:
    """Couplings on both sides of the diagonal; a row before them for the fields where there are any."""
    first = int(any(energy.fields))
    matrix = np.zeros((energy.variables + first, energy.variables + first))
    for i, j, weight in energy.couplings:
        matrix[i + first, j + first] = matrix[j + first, i + first] = weight
    if first:
        matrix[0, 1:] = matrix[1:, 0] = energy.fields
    return matrix


def _told_below(bound: float, weights: float) -> float:
    """A little less than the bound, by what rounding can have made of it, in few digits."""
    step = 10.0 ** (math.floor(math.log10(max(weights, abs(bound)))) - _DIGITS)
    return math.floor(bound / step - 1) * step
