"""What no state can have: an energy below the ground energy, by more than chance and reading can make of it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from quire_aggregation.evidence import Evidence

_SIGMAS: Final = 6.0
"""Standard errors below the ground energy that are no chance: 1 in 10^9 for each value."""

_UNSEEN: Final = 14.0
"""Shots of which an outcome that none of N showed may have had a share of, divided by N, with a chance of 1 in 10^6
(ln 10^6): so few shots can miss it that their standard error says nothing of it."""

_READING: Final = 0.05
"""Of what the terms can be together: errors of reading differ with the basis, and no one state explains them all."""

_ROUNDING: Final = 1e-6
"""Of the same: amplitudes may be of float32."""


def below_ground(evidence: Evidence) -> str | None:
    """Why a value cannot be the energy of any state; None where each one can.

    Whatever the noise of gates, a state has no energy below the ground energy. What shots may show instead is limited
    by their standard error, by outcomes too rare to be seen, and by errors of reading.
    """
    scoring, estimates = evidence.scoring, evidence.estimates
    if scoring is None or scoring.reference is None or estimates is None:
        return None
    values, errors = estimates
    (observable,) = evidence.question.observables
    terms = zip(observable.labels, observable.coefficients, strict=True)
    size = math.fsum(abs(coefficient) for label, coefficient in terms if label.strip("I"))
    shots = evidence.question.shots
    slack = _ROUNDING * max(1.0, size, abs(scoring.reference))
    if shots is not None:
        slack += size * (_READING + 2 * min(1.0, _UNSEEN / shots))
    wrong = np.argwhere(values < scoring.reference - slack - _SIGMAS * errors)
    if not len(wrong):
        return None
    row, column = wrong[0]
    return (
        f"the energy of parameter set {row} is {values[row, column]:.9g}, and no state has less than the ground energy "
        f"{scoring.reference:.9g}"
    )
