"""Random problems of every kind, small enough that every assignment can be looked at."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quire_contracts.problems import (
    IndependentSet,
    Ising,
    MaxCut,
    NumberPartitioning,
    Portfolio,
    Problems,
    Qubo,
    TravellingSalesman,
    VehicleRouting,
)

Random = np.random.Generator
Weigh = Callable[[], float]
Table = tuple[tuple[float, ...], ...]


def maxcut(generator: Random) -> MaxCut:
    """Ties that weigh one, or more and less than nothing."""
    n = int(generator.integers(3, 12))
    weigh: Weigh = (lambda: 1.0) if _heads(generator) else (lambda: round(float(generator.normal()), 3) or 1.0)
    return MaxCut(edges=tuple((i, j, weigh()) for i, j in _pairs(generator, n, 0.5)), n=n)


def qubo(generator: Random) -> Qubo:
    """Any numbers."""
    n = int(generator.integers(2, 12))
    couplings = tuple((i, j, float(generator.normal())) for i, j in _pairs(generator, n, 0.7))
    return Qubo(n=n, linear=_normal(generator, n), quadratic=couplings, offset=float(generator.normal()))


def ising(generator: Random) -> Ising:
    """Whole numbers, of which many are equal, or any."""
    n = int(generator.integers(2, 12))
    weigh: Weigh = (
        (lambda: float(generator.integers(-5, 6))) if _heads(generator) else (lambda: float(generator.normal()))
    )
    couplings = tuple((i, j, weigh() or 1.0) for i, j in _pairs(generator, n, 0.7))
    return Ising(n=n, h=tuple(weigh() for _ in range(n)), j=couplings, offset=weigh())


def independent_set(generator: Random) -> IndependentSet:
    """With and without weights; one edge is named twice, from either end."""
    n = int(generator.integers(3, 12))
    edges = _pairs(generator, n, 0.4)
    weights = tuple(map(float, generator.uniform(0.1, 5, size=n))) if _heads(generator) else ()
    return IndependentSet(edges=(*edges, edges[0][::-1]), n=n, weights=weights)


def number_partitioning(generator: Random) -> NumberPartitioning:
    """Whole numbers."""
    return NumberPartitioning(numbers=tuple(map(float, generator.integers(1, 60, size=int(generator.integers(2, 12))))))


def travelling_salesman(generator: Random) -> TravellingSalesman:
    """Three to five cities."""
    return TravellingSalesman(distances=_distances(generator, int(generator.integers(3, 6))))


def vehicle_routing(generator: Random) -> VehicleRouting:
    """One to four customers, some of whom want nothing; a fifth of the time the vehicles are too few."""
    places = int(generator.integers(2, 6))
    demands = (0.0, *map(float, generator.integers(0, 5, size=places - 1)))
    return VehicleRouting(
        distances=_distances(generator, places),
        demands=demands,
        capacity=float(max(*demands, int(generator.integers(2, 8)))),
        vehicles=int(generator.integers(1, places)),
    )


def portfolio(generator: Random) -> Portfolio:
    """Two to ten assets; the covariance is a risk of three factors, or a table that is none."""
    n = int(generator.integers(2, 11))
    factors = generator.normal(size=(n, 3))
    square = generator.normal(size=(n, n))
    table = factors @ factors.T if _heads(generator) else square
    return Portfolio(
        returns=tuple(map(float, generator.normal(0.1, 0.2, size=n))),
        covariance=_rows((table + table.T) / 2),
        choose=int(generator.integers(1, n + 1)),
        risk_aversion=float(generator.uniform(0, 2)),
    )


MAKERS: Final[Mapping[str, Callable[[Random], Problems]]] = {
    "maxcut": maxcut,
    "qubo": qubo,
    "ising": ising,
    "independent-set": independent_set,
    "number-partitioning": number_partitioning,
    "travelling-salesman": travelling_salesman,
    "vehicle-routing": vehicle_routing,
    "portfolio": portfolio,
}
"""By the kind's name."""


def _heads(generator: Random) -> bool:
    return generator.random() < 0.5


def _pairs(generator: Random, n: int, share: float) -> list[tuple[int, int]]:
    """About such a share of the pairs of n things, each named from either end; at least one."""
    found = [pair for pair in itertools.combinations(range(n), 2) if generator.random() < share] or [(0, 1)]
    return [(i, j) if _heads(generator) else (j, i) for i, j in found]


def _normal(generator: Random, n: int) -> tuple[float, ...]:
    return tuple(map(float, generator.normal(size=n)))


def _rows(table: NDArray[np.float64]) -> Table:
    return tuple(tuple(map(float, row)) for row in table)


def _distances(generator: Random, places: int) -> Table:
    """Between points of the plane; or whole and the same both ways; or neither, and the long way round may be short."""
    points, table = generator.uniform(0, 10, size=(places, 2)), generator.uniform(0, 10, size=(places, places))
    kinds = (np.linalg.norm(points[:, None] - points[None], axis=2), np.rint(table + table.T), table)
    chosen = kinds[generator.integers(len(kinds))]
    np.fill_diagonal(chosen, 0.0)
    return _rows(chosen)
