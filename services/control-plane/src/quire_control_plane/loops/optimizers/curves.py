"""What is known of an energy along one of its parameters: its derivative and its lowest point, from shifted points.

Where the energy is a trigonometric polynomial of R frequencies that are multiples of one, both are exact. Source:
D. Wierichs, J. Izaac, C. Wang, C. Y.-Y. Lin, "General parameter-shift rules for quantum gradients", Quantum 6, 677
(2022): for such frequencies the derivative follows from 2 R shifted points, the polynomial itself from 2 R + 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quire_contracts.preparation import Spectrum
    from quire_control_plane.loops.optimizers.start import Point, Points

_GRID: Final = 32
"""Places on the shortest wave at which a curve is looked at; the lowest is then refined."""

_HALVINGS: Final = 40

_FLAT: Final = 1e-12
"""Of a curve's size, the least by which it rises and falls: less is rounding."""


def gradient_points(parameters: Point, spectra: Sequence[Spectrum | None], difference: float) -> Points:
    """The points whose values give the value and the gradient at `parameters`: that point first, then the shifted ones.

    Without a spectrum a parameter is shifted by +-`difference`.
    """
    points = [parameters]
    for index in range(len(parameters)):
        shifts, _ = _rule(spectrum_of(spectra, index), difference)
        points += [moved(parameters, index, shift) for shift in shifts]
    return tuple(points)


def gradient(
    values: Sequence[float], width: int, spectra: Sequence[Spectrum | None], difference: float
) -> tuple[float, ...]:
    """The gradient [width] from the values of `gradient_points`.

    Raises:
        ValueError: if the number of values is not the number of points.
    """
    rules = [_rule(spectrum_of(spectra, index), difference) for index in range(width)]
    points = 1 + sum(len(shifts) for shifts, _ in rules)
    if len(values) != points:
        raise ValueError(f"{len(values)} values for {points} points")
    slopes, place = [], 1
    for shifts, weights in rules:
        slopes.append(math.fsum(map(float.__mul__, weights, values[place : place + len(shifts)])))
        place += len(shifts)
    return tuple(slopes)


def curve_points(parameters: Point, index: int, spectrum: Spectrum) -> Points:
    """The 2 R + 1 points, evenly over a period along one parameter, whose values give its curve; the present one first.

    The points lie within half a period of the present one.
    """
    count = 2 * spectrum.count + 1
    period = math.tau / spectrum.spacing
    places = [step if 2 * step < count else step - count for step in range(count)]
    return tuple(moved(parameters, index, period * place / count) if place else parameters for place in places)


def lowest_shift(values: Sequence[float], spectrum: Spectrum) -> float:
    """How far the curve's lowest point is from the present one, from the values of `curve_points`; 0 for a flat curve.

    Raises:
        ValueError: if the number of values is not the number of points.
    """
    count = 2 * spectrum.count + 1
    if len(values) != count:
        raise ValueError(f"{len(values)} values for {count} points")
    waves = np.fft.rfft(np.asarray(values)) * (2.0 / count)
    waves[0] /= 2.0
    orders = np.arange(spectrum.count + 1)
    places = np.arange(_GRID * spectrum.count) * (math.tau / (_GRID * spectrum.count))
    heights = _heights(waves, orders, places)
    lowest = int(np.argmin(heights))
    if float(np.ptp(heights)) <= _FLAT * float(np.max(np.abs(waves))):
        return 0.0
    angle = _refined(waves, orders, float(places[lowest]), math.tau / (_GRID * spectrum.count))
    return (angle if angle <= math.pi else angle - math.tau) / spectrum.spacing


def moved(parameters: Point, index: int, shift: float) -> Point:
    """The point with one parameter shifted."""
    return (*parameters[:index], parameters[index] + shift, *parameters[index + 1 :])


def spectrum_of(spectra: Sequence[Spectrum | None], index: int) -> Spectrum | None:
    """What is known of a parameter."""
    return spectra[index] if index < len(spectra) else None


def _rule(spectrum: Spectrum | None, difference: float) -> tuple[list[float], list[float]]:
    """Shifts of one parameter, and the weights of their values in its derivative."""
    if spectrum is None:
        return [difference, -difference], [0.5 / difference, -0.5 / difference]
    shifts, weights = [], []
    for step in range(2 * spectrum.count):
        angle = (2 * step + 1) * math.pi / (2 * spectrum.count)
        shifts.append((angle if angle <= math.pi else angle - math.tau) / spectrum.spacing)
        weights.append(spectrum.spacing * (-1) ** step / (4 * spectrum.count * math.sin(angle / 2) ** 2))
    return shifts, weights


def _heights(waves: NDArray[Any], orders: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    return np.real(np.exp(1j * np.outer(places, orders)) @ waves)


def _refined(waves: NDArray[Any], orders: NDArray[Any], place: float, step: float) -> float:
    """The minimum near a lowest grid place: bisection of the slope, which rises from one neighbour to the other."""
    low, high = place - step, place + step
    slopes = 1j * orders * waves
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if float(_heights(slopes, orders, np.array([middle]))[0]) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
