"""The standard errors of estimates against what shots of so many values can have: an altered number rarely fits both.

A shot of one measured group gives a value v of at most its coefficients' absolute sum b, so <v^2> <= b^2 and the
squared standard error (<v^2> - <v>^2) / (N - 1) is at most (b^2 - <v>^2) / (N - 1): that very number for a single Pauli
string, whose v is always b or -b. Groups are separate runs, so their squares add.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from quire_aggregation.evidence import Array, Evidence
    from quire_contracts.value import Observable

_ROUNDING: Final = 1e-6
"""Of the square of the bound: what sums over a million shots may be off by."""


def unfounded(evidence: Evidence) -> str | None:
    """Which standard error cannot be that of its value, of so many shots."""
    grouping, estimates, shots = evidence.question.grouping, evidence.estimates, evidence.question.shots
    if grouping is None or estimates is None or shots is None or shots <= 1:
        return None
    values, errors = estimates
    for column, observable in enumerate(evidence.question.observables):
        beyond = _beyond(values[:, column], errors[:, column] ** 2 * (shots - 1), observable, grouping.group_of)
        if beyond.any():
            row = int(np.flatnonzero(beyond)[0])
            said = f"{errors[row, column]:g} and its value {values[row, column]:g}"
            return f"the error at [{row}, {column}] is {said}: {shots} shots cannot have both"
    return None


def _beyond(values: Array, squares: Array, observable: Observable, group_of: Mapping[str, int]) -> NDArray[np.bool_]:
    """Where the variance of a shot is more than it can be, or, for a single string, not what it is; boolean."""
    widths: dict[int, float] = defaultdict(float)
    constant, strings = 0.0, 0
    for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
        if label.strip("I"):
            widths[group_of[label]] += abs(coefficient)
            strings += 1
        else:
            constant += coefficient
    widest = sum(width**2 for width in widths.values())
    # The squares of so many means sum up to at least the square of their sum by their number.
    most = widest - (values - constant) ** 2 / max(1, len(widths))
    close = _ROUNDING * max(1.0, (sum(widths.values()) + abs(constant)) ** 2)
    return (np.abs(squares - most) if strings == 1 else squares - most) > close
