"""Values measured at several scales of noise, extrapolated to none.

Giurgica-Tiron et al., "Digital zero noise extrapolation" (arXiv:2005.10921), section III. A linear fit and Richardson's
polynomial are fixed combinations of what was measured; the exponential is fitted to its logarithm, weighted by errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quire_contracts.mitigation import Extrapolation

    Array = NDArray[np.float64]

_CLEAR: Final = 2.0
"""Standard errors that every point must be away from pure noise, all on one side, for a decay to be fitted to them."""


def extrapolated(
    method: Extrapolation, scales: Sequence[float], values: Array, errors: Array, floor: Array
) -> tuple[Array, Array]:
    """Values and standard errors without noise, each [sets, observables].

    Args:
        method: how. Where the points do not show a decay, `exponential` is linear for them.
        scales: by which the noise was multiplied; different from each other, at least two.
        values: what was measured, [scales, sets, observables].
        errors: standard errors of the values, in their shape.
        floor: what each observable is worth in pure noise, [observables]: where the exponential ends.
    """
    points = np.array(scales, np.float64)
    weights = _richardson(points) if method == "richardson" else _intercept(points)
    found = np.einsum("s,sro->ro", weights, values)
    spread = np.sqrt(np.einsum("s,sro->ro", weights**2, errors**2))
    if method != "exponential":
        return found, spread
    fitted, its_spread, decays = _decay(points, values - floor, errors)
    return np.where(decays, fitted + floor, found), np.where(decays, its_spread, spread)


def _richardson(points: Array) -> Array:
    """Weights of the polynomial through all points, at 0."""
    return np.array([np.prod(np.delete(points, i) / (np.delete(points, i) - points[i])) for i in range(len(points))])


def _intercept(points: Array) -> Array:
    """Weights of the line nearest to all points by least squares, at 0."""
    apart = points - points.mean()
    weights: Array = 1 / len(points) - points.mean() * apart / (apart @ apart)
    return weights


def _decay(points: Array, heights: Array, errors: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Heights at 0 of the decays through the points, their errors, and where there is a decay at all."""
    sizes = np.abs(heights)
    clear = (sizes > _CLEAR * errors).all(axis=0) & (sizes > 0).all(axis=0)
    one_side = (heights > 0).all(axis=0) | (heights < 0).all(axis=0)
    sizes = np.where(clear, sizes, 1.0)
    exact = ~(errors > 0).all(axis=0)  # a point without error would outweigh all others
    weights = np.where(exact, 1.0, (sizes / np.where(errors > 0, errors, 1.0)) ** 2)
    logs, at = np.log(sizes), points[:, None, None]
    total, first, second = (np.sum(weights * at**power, axis=0) for power in range(3))
    spread = total * second - first**2
    slope = (total * np.sum(weights * at * logs, axis=0) - first * np.sum(weights * logs, axis=0)) / spread
    height = np.exp((np.sum(weights * logs, axis=0) - slope * first) / total)
    error = np.where(exact, 0.0, height * np.sqrt(second / spread))
    return np.where((heights > 0).all(axis=0), height, -height), error, clear & one_side & (slope <= 0)
