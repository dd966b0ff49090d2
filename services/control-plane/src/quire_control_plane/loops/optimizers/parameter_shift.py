"""Gradient descent by the general parameter-shift rule, every shifted circuit of a round in one task.

An angle that many gates share has several frequencies, for which the two-term rule is wrong; `curves` has the general
one. Adam is D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980, with its own constants.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from quire_contracts.preparation import Spectrum
from quire_control_plane.loops.optimizers.curves import gradient, gradient_points
from quire_control_plane.loops.optimizers.start import Point, Points

if TYPE_CHECKING:
    from quire_contracts.optimizers import ParameterShift
    from quire_control_plane.loops.optimizers.start import Start

FIRST_DECAY: Final = 0.9
SECOND_DECAY: Final = 0.999
SMALLEST: Final = 1e-8


class State(msgspec.Struct, frozen=True):
    """A run between two rounds; `first` and `second` are Adam's moments, both zero for plain descent."""

    method: Literal["adam", "plain"]
    learning_rate: float
    difference: float
    spectra: tuple[Spectrum | None, ...]
    parameters: Point
    first: tuple[float, ...]
    second: tuple[float, ...]
    step: int = 0


def begin(settings: ParameterShift, start: Start) -> State:
    """A run that begins at `start.parameters`."""
    still = (0.0,) * len(start.parameters)
    return State(
        settings.method, settings.learning_rate, settings.difference, start.spectra, start.parameters, still, still
    )


def ask(state: State) -> Points:
    """The present point first, then the shifted ones, parameter by parameter."""
    return gradient_points(state.parameters, state.spectra, state.difference)


def tell(state: State, values: tuple[float, ...]) -> State:
    """The run after a round, given the values of the points that `ask` gave, in that order, to be minimised.

    Raises:
        ValueError: if the number of values is not the number of points.
    """
    slopes = gradient(values, len(state.parameters), state.spectra, state.difference)
    step, rate = state.step + 1, state.learning_rate
    first, second, ways = state.first, state.second, slopes
    if state.method == "adam":
        first = tuple(FIRST_DECAY * old + (1 - FIRST_DECAY) * slope for old, slope in zip(first, slopes, strict=True))
        second = tuple(
            SECOND_DECAY * old + (1 - SECOND_DECAY) * slope**2 for old, slope in zip(second, slopes, strict=True)
        )
        ways = tuple(
            (mean / (1 - FIRST_DECAY**step)) / (math.sqrt(square / (1 - SECOND_DECAY**step)) + SMALLEST)
            for mean, square in zip(first, second, strict=True)
        )
    parameters = tuple(here - rate * way for here, way in zip(state.parameters, ways, strict=True))
    return msgspec.structs.replace(state, parameters=parameters, first=first, second=second, step=step)
