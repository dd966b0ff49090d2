"""Features of points chosen and scaled: what a kernel's circuits are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quire_contracts.kernel import Features

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A choice and a scale that follow from some points and hold for all others.

    Feature x in `columns[k]` becomes ``(x - shift[k]) * factor[k] + low``.

    shift, factor: float64 [columns].
    """

    columns: tuple[int, ...]
    shift: Array
    factor: Array
    low: float = 0.0

    def encode(self, points: Array) -> Array:
        """The chosen features as they are encoded, float64 [points, columns]; not finite where a number overflows."""
        with np.errstate(over="ignore", invalid="ignore"):
            encoded: Array = (points[:, self.columns] - self.shift) * self.factor + self.low
        return encoded


def fit(points: Array, features: Features) -> Fitted:
    """What `features` asks for, worked out from the points, float64 [points, features].

    As scikit-learn's MinMaxScaler and StandardScaler: variances are those of the points, not of what they were drawn
    from, and a feature that does not vary is not stretched.
    """
    columns = features.columns or tuple(range(points.shape[1]))
    if features.most_varied is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            spread = points[:, columns].var(axis=0)
        first = np.argsort(-spread, kind="stable")[: features.most_varied]
        columns = tuple(columns[place] for place in sorted(first.tolist()))
    chosen = points[:, columns]
    with np.errstate(over="ignore", invalid="ignore"):
        if features.scaling == "minmax":
            factor = (features.high - features.low) / _not_zero(np.ptp(chosen, axis=0))
            return Fitted(columns, chosen.min(axis=0), factor, features.low)
        if features.scaling == "standard":
            return Fitted(columns, chosen.mean(axis=0), 1.0 / _not_zero(chosen.std(axis=0)))
    return Fitted(columns, np.zeros(len(columns)), np.ones(len(columns)))


def _not_zero(spread: Array) -> Array:
    return np.where(spread == 0, 1.0, spread)
