"""Simultaneous perturbation stochastic approximation, ask-and-tell, with its whole state as plain JSON.

Source: J. C. Spall, "Implementation of the simultaneous perturbation algorithm for stochastic optimization", IEEE
Transactions on Aerospace and Electronic Systems 34(3), 1998. Gains are a_k = a / (A + k + 1)^0.602 and
c_k = c / (k + 1)^0.101 with A a tenth of the rounds; directions are Rademacher.
"""

from __future__ import annotations

import functools
from typing import Final

import msgspec
import numpy as np

from quire_contracts.optimizers import Spsa
from quire_control_plane.loops.optimizers.randomness import Random, dump, load, seeded
from quire_control_plane.loops.optimizers.start import Point, Points, Start

ALPHA: Final = 0.602
GAMMA: Final = 0.101
CALIBRATION_PAIRS: Final = 5
"""Directions probed in the first round, whose average slope sets the gain when none was given."""

FIRST_STEP: Final = 0.1
"""Length, in radians, of the first step along each angle when the gain is calibrated."""


class State(msgspec.Struct, frozen=True):
    """An SPSA run between two rounds.

    `parameters` [P] is the point the next round is around; `step` counts finished rounds; `gain` is Spall's a, set by
    the first `tell` when it was None.
    """

    rounds: int
    perturbation: float
    gain: float | None
    step: int
    parameters: Point
    random: Random


def begin(settings: Spsa, start: Start) -> State:
    """A run that is told the values of `start.rounds` rounds.

    `perturbation` is c in radians; `learning_rate` is the first step's gain a_0, or None to calibrate it.
    """
    rate = settings.learning_rate
    gain = None if rate is None else rate * (_stability(start.rounds) + 1) ** ALPHA
    return State(start.rounds, settings.perturbation, gain, 0, start.parameters, seeded(start.seed))


def ask(state: State) -> Points:
    """The points to evaluate in this round: the current one first, then pairs (+, -) along random directions.

    Pure: asking twice gives the same points.
    """
    directions, _ = _directions(state)
    centre = np.asarray(state.parameters)
    offset = state.perturbation / (state.step + 1) ** GAMMA
    points = [centre]
    for direction in directions:
        points += [centre + offset * direction, centre - offset * direction]
    return tuple(tuple(point.tolist()) for point in points)


def tell(state: State, values: tuple[float, ...]) -> State:
    """The run after a round, given the values of the points that `ask` gave, in that order, to be minimised.

    Raises:
        ValueError: if the number of values is not the number of points.
    """
    directions, random = _directions(state)
    if len(values) != 1 + 2 * len(directions):
        raise ValueError(f"{len(values)} values for {1 + 2 * len(directions)} points")
    offset = state.perturbation / (state.step + 1) ** GAMMA
    plus, minus = np.asarray(values[1::2]), np.asarray(values[2::2])
    slopes = (plus - minus) / (2 * offset)
    gradient = np.mean(slopes[:, np.newaxis] * directions, axis=0)
    gain = state.gain
    if gain is None:
        steepness = float(np.mean(np.abs(slopes)))
        gain = FIRST_STEP * (_stability(state.rounds) + 1) ** ALPHA / steepness if steepness > 0 else FIRST_STEP
    rate = gain / (_stability(state.rounds) + state.step + 1) ** ALPHA
    parameters = np.asarray(state.parameters) - rate * gradient
    return State(
        rounds=state.rounds,
        perturbation=state.perturbation,
        gain=gain,
        step=state.step + 1,
        parameters=tuple(parameters.tolist()),
        random=random,
    )


def _stability(rounds: int) -> float:
    return 0.1 * rounds


def _directions(state: State) -> tuple[np.ndarray, Random]:
    """The round's Rademacher directions [pairs, P], and the generator's state after drawing them."""
    pairs = CALIBRATION_PAIRS if state.gain is None else 1
    return _drawn(tuple(state.random.items()), pairs, len(state.parameters))


@functools.lru_cache(maxsize=256)
def _drawn(random: tuple[tuple[str, str], ...], pairs: int, parameters: int) -> tuple[np.ndarray, Random]:
    """Drawn once by a process that sends a round, hears of it and goes on from it."""
    generator = load(dict(random))
    directions = 2.0 * generator.integers(0, 2, size=(pairs, parameters)) - 1.0
    directions.flags.writeable = False
    return directions, dump(generator)
