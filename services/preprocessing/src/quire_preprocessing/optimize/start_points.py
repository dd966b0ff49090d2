"""Where a QAOA loop starts: linear ramps on a grid, and seeded departures from them."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quire_preprocessing.draws import uniform
from quire_preprocessing.optimize.ising import Energy

MOST_NUMBERS: Final = 2_048
"""Numbers of a start matrix at most, so that it always travels inside its message."""

_GAMMA: Final = (0.8, 6.4)
"""Slopes of gamma times the square root of the mean degree. On random and regular graphs, spin glasses and QUBOs of 10
to 15 variables with 1 to 5 layers the best slope lay between 1.5 and 5.6, about 2.3 without fields."""

_BETA: Final = (0.35, 1.3)
"""Slopes of beta; the best one lay between 0.5 and 1.3 in the same trials, about 0.7 without fields."""


def start_points(energy: Energy, layers: int, sweep: int, seed: int) -> NDArray[np.float64]:
    """Angles to pre-screen, float64 [rows, 2 * layers]: all gammas, then all betas.

    There are `sweep` rows, or as many as `MOST_NUMBERS` allows. The first three quarters or less are a square grid of
    linear ramps, ``gamma_l = a (l + 1/2) / L`` and ``beta_l = b (1 - (l + 1/2) / L)``, which follow the annealing path
    (Montanez-Barrera, Michielsen, arXiv:2405.09169); the slope a falls with the square root of the mean degree, as the
    best angles do on regular graphs. The others are ramps with random slopes whose every angle is then moved by up to
    half of itself. Equal arguments give equal numbers.
    """
    rows = min(sweep, MOST_NUMBERS // (2 * layers))
    side = max(1, math.isqrt(rows * 3 // 4))
    steps = (np.arange(side) + 0.5) / side
    grid = np.array([(a, b) for a in steps for b in steps])
    draws = uniform(seed, "start-points", rows - len(grid), 2 + 2 * layers)
    ramps = _ramps(np.concatenate((grid, draws[:, :2])), energy, layers)
    ramps[len(grid) :] *= 0.5 + draws[:, 2:]
    return ramps


def _ramps(places: NDArray[np.float64], energy: Energy, layers: int) -> NDArray[np.float64]:
    """Ramps whose slopes stand at `places` [rows, 2], from 0 to 1 on the logarithmic scales of the two ranges."""
    degree = max(1.0, 2 * len(energy.couplings) / energy.variables)
    gamma = np.array([_between(_GAMMA, float(place)) / math.sqrt(degree) for place in places[:, 0]])
    beta = np.array([_between(_BETA, float(place)) for place in places[:, 1]])
    rise = (np.arange(layers) + 0.5) / layers
    return np.concatenate((np.outer(gamma, rise), np.outer(beta, 1.0 - rise)), axis=1)


def _between(limits: tuple[float, float], place: float) -> float:
    low, high = limits
    return float(low * (high / low) ** place)
