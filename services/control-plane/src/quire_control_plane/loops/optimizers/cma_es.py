"""CMA-ES by the library `cmaes` (MIT), its state read from and written into the library's object.

The library's own pickle forgets its random generator, so that a resumed run differs. Here a generator whose state is
JSON is put in its place, and the state is all that changes between generations; the rest follows from the first mean,
deviation and population. Source: N. Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from cmaes import CMA

from quire_control_plane.loops.optimizers.randomness import Random, dump, load, seeded
from quire_control_plane.loops.optimizers.start import Point, Points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_contracts.optimizers import CmaEs
    from quire_control_plane.loops.optimizers.start import Start


class State(msgspec.Struct, frozen=True):
    """A run between two generations.

    `first_sigma` is the deviation that it began with; `covariance` is the upper triangle, row by row; `spread` has the
    lowest and the highest value of the latest generations, the library's memory of progress. `random` is the state
    before the next generation is drawn.
    """

    population: int
    first_sigma: float
    parameters: Point
    sigma: float
    covariance: tuple[float, ...]
    sigma_path: tuple[float, ...]
    covariance_path: tuple[float, ...]
    generation: int
    spread: tuple[float, ...]
    random: Random


def begin(settings: CmaEs, start: Start) -> State:
    """A run whose first generation is spread around `start.parameters`."""
    width = len(start.parameters)
    fresh = CMA(np.array(start.parameters), settings.sigma, population_size=settings.size(width), seed=0)
    fresh._funhist_values[:] = 0.0  # the library leaves them unset until they are written
    return _state(fresh, settings.sigma, seeded(start.seed))


def ask(state: State) -> Points:
    """The next generation; none when the library's own criteria say that nothing is to be gained any more."""
    library, _ = _library(state)
    if library.should_stop():
        return ()
    return tuple(tuple(point.tolist()) for point in _generation(library))


def tell(state: State, values: tuple[float, ...]) -> State:
    """The run after a generation, given the values of the points that `ask` gave, in that order, to be minimised.

    Raises:
        ValueError: if the number of values is not the number of points.
    """
    if len(values) != state.population:
        raise ValueError(f"{len(values)} values for {state.population} points")
    library, draws = _library(state)
    library.tell(list(zip(_generation(library), values, strict=True)))
    return _state(library, state.first_sigma, dump(draws.generator))


@dataclass(frozen=True, slots=True)
class _Draws:
    """What the library asks of its random generator."""

    generator: np.random.Generator

    def randn(self, count: int) -> NDArray[np.float64]:
        return self.generator.standard_normal(count)


def _generation(library: CMA) -> list[NDArray[np.float64]]:
    return [library.ask() for _ in range(library.population_size)]


# The library's attributes are private, and so its minor version is fixed; a test compares a resumed run with its own.
# ruff: noqa: SLF001
def _library(state: State) -> tuple[CMA, _Draws]:
    library = CMA(np.array(state.parameters), state.first_sigma, population_size=state.population, seed=0)
    draws = _Draws(load(state.random))
    width = len(state.parameters)
    covariance = np.zeros((width, width))
    rows, columns = np.triu_indices(width)
    covariance[rows, columns] = covariance[columns, rows] = state.covariance
    library._C = covariance
    library._sigma = state.sigma
    library._p_sigma = np.array(state.sigma_path)
    library._pc = np.array(state.covariance_path)
    library._g = state.generation
    library._funhist_values = np.array(state.spread)
    library._rng = draws
    return library, draws


def _state(library: CMA, first_sigma: float, random: Random) -> State:
    """The library makes its covariance symmetric, as here, before it is next used: the triangle is all of it."""
    symmetric = (library._C + library._C.T) / 2
    return State(
        population=library.population_size,
        first_sigma=first_sigma,
        parameters=tuple(library.mean.tolist()),
        sigma=float(library._sigma),
        covariance=tuple(symmetric[np.triu_indices(library.dim)].tolist()),
        sigma_path=tuple(library._p_sigma.tolist()),
        covariance_path=tuple(library._pc.tolist()),
        generation=library.generation,
        spread=tuple(library._funhist_values.tolist()),
        random=random,
    )
