"""The score of samples by the problem itself: the best feasible one, and how many are feasible."""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from quire_aggregation.scoring import Score, better, digits, energies, energy_at, figures, lowest, share_of
from quire_aggregation.scoring import tolerance as energy_tolerance
from quire_aggregation.yardstick import Yardstick
from quire_contracts.result import Best
from quire_contracts.task import Scoring
from quire_contracts.value import Observable
from quire_problems import Kind, tell, tolerance
from quire_quantum.counts import PackedCounts

_CHUNK: Final = 65_536
"""Outcomes at a time: 100 MiB of numbers for 200 variables."""


def solve(counts: PackedCounts | None, observable: Observable, scoring: Scoring, yardstick: Yardstick) -> Score:
    """Score samples by their problem against earlier answers and the baseline, as `scoring.score` does by their energy.

    A feasible answer is better than any that is not; the objective of a feasible one is worked out from the problem.
    Where no sample is feasible the one of least energy counts, its value the encoding's. The mean is that of feasible
    samples.
    """
    kind, close = yardstick.kind, tolerance(yardstick.kind)
    if counts is None or not len(counts.tallies):
        return Score(scoring.best, figures(_feasible(scoring.best), scoring, close))
    tallies = counts.tallies.astype(np.float64)
    feasible, objectives = _judged(counts, kind)
    found = _found(counts, observable, scoring.scale, yardstick, feasible=feasible, objectives=objectives)
    best = _better(scoring.best, found, scoring.scale, close)
    shots, good = float(tallies.sum()), float(tallies[feasible].sum())
    hits = feasible & (np.abs(objectives - best.value) <= close)
    return Score(
        msgspec.structs.replace(best, probability=share_of(counts, best.assignment)),
        figures(
            _feasible(best),
            scoring,
            close,
            success_probability=float(tallies[hits].sum()) / shots if best.feasible else None,
            mean_objective=float(tallies[feasible] @ objectives[feasible]) / good + 0.0 if good else None,
            feasible_share=good / shots if yardstick.constrained else None,
        ),
    )


def disagreement(best: Best, observable: Observable, yardstick: Yardstick) -> str | None:
    """Why the observable that was measured is not this problem's encoding; None where it may be.

    Of a feasible answer the energy is what its objective says; helping variables can only make it greater.
    """
    if not best.feasible:
        return None
    energy, expected = energy_at(observable, best.assignment), yardstick.encoded(best.value)
    close = energy_tolerance(observable)
    if energy >= expected - close and (yardstick.encoding.helped or energy <= expected + close):
        return None
    return f"its energy is {energy:g}, and the encoding of its objective {best.value:g} is {expected:g}"


def _judged(counts: PackedCounts, kind: Kind) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    feasible, objectives = np.empty(len(counts.tallies), np.bool_), np.empty(len(counts.tallies))
    for start in range(0, len(feasible), _CHUNK):
        bits = np.ascontiguousarray(digits(counts.outcomes[start : start + _CHUNK], counts.bits))
        feasible[start : start + _CHUNK] = kind.feasible(bits)
        objectives[start : start + _CHUNK] = kind.objectives(bits)
    return feasible, objectives


def _found(
    counts: PackedCounts,
    observable: Observable,
    scale: int,
    yardstick: Yardstick,
    *,
    feasible: NDArray[np.bool_],
    objectives: NDArray[np.float64],
) -> Best:
    if feasible.any():
        rank, close = np.where(feasible, scale * objectives, math.inf), tolerance(yardstick.kind)
    else:
        rank, close = energies(counts, observable), energy_tolerance(observable)
    assignment = lowest(counts, rank, close)
    told = tell(yardstick.kind, assignment, scale * energy_at(observable, assignment) + 0.0)
    return Best(told.value, assignment, feasible=told.feasible, violations=told.violations, answer=told.answer)


def _better(earlier: Best | None, found: Best, scale: int, close: float) -> Best:
    if earlier is not None and earlier.feasible != found.feasible:
        return earlier if earlier.feasible else found
    return better(earlier, found, scale, close)


def _feasible(best: Best | None) -> Best | None:
    return best if best is not None and best.feasible else None
