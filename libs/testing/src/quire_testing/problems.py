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


def maxcut(random: Random) -> MaxCut:
    """Ties that weigh one, or more and less than nothing."""
    n = int(random.integers(3, 12))
    weigh: Weigh = (lambda: 1.0) if _heads(random) else (lambda: round(float(random.normal()), 3) or 1.0)
    return MaxCut(edges=tuple((i, j, weigh()) for i, j in _pairs(random, n, 0.5)), n=n)


def qubo(random: Random) -> Qubo:
    """Any numbers."""
    n = int(random.integers(2, 12))
    couplings = tuple((i, j, float(random.normal())) for i, j in _pairs(random, n, 0.7))
    return Qubo(n=n, linear=_normal(random, n), quadratic=couplings, offset=float(random.normal()))


def ising(random: Random) -> Ising:
    """Whole numbers, of which many are equal, or any."""
    n = int(random.integers(2, 12))
    weigh: Weigh = (lambda: float(random.integers(-5, 6))) if _heads(random) else (lambda: float(random.normal()))
    couplings = tuple((i, j, weigh() or 1.0) for i, j in _pairs(random, n, 0.7))
    return Ising(n=n, h=tuple(weigh() for _ in range(n)), j=couplings, offset=weigh())


def independent_set(random: Random) -> IndependentSet:
    """With and without weights; one edge is named twice, from either end."""
    n = int(random.integers(3, 12))
    edges = _pairs(random, n, 0.4)
    weights = tuple(map(float, random.uniform(0.1, 5, size=n))) if _heads(random) else ()
    return IndependentSet(edges=(*edges, edges[0][::-1]), n=n, weights=weights)


def number_partitioning(random: Random) -> NumberPartitioning:
    """Whole numbers."""
    return NumberPartitioning(numbers=tuple(map(float, random.integers(1, 60, size=int(random.integers(2, 12))))))


def travelling_salesman(random: Random) -> TravellingSalesman:
    """Three to five cities."""
    return TravellingSalesman(distances=_distances(random, int(random.integers(3, 6))))


def vehicle_routing(random: Random) -> VehicleRouting:
    """One to four customers, some of whom want nothing; a fifth of the time the vehicles are too few."""
    places = int(random.integers(2, 6))
    demands = (0.0, *map(float, random.integers(0, 5, size=places - 1)))
    return VehicleRouting(
        distances=_distances(random, places),
        demands=demands,
        capacity=float(max(*demands, int(random.integers(2, 8)))),
        vehicles=int(random.integers(1, places)),
    )


def portfolio(random: Random) -> Portfolio:
    """Two to ten assets; the covariance is a risk of three factors, or a table that is none."""
    n = int(random.integers(2, 11))
    factors = random.normal(size=(n, 3))
    square = random.normal(size=(n, n))
    table = factors @ factors.T if _heads(random) else square
    return Portfolio(
        returns=tuple(map(float, random.normal(0.1, 0.2, size=n))),
        covariance=_rows((table + table.T) / 2),
        choose=int(random.integers(1, n + 1)),
        risk_aversion=float(random.uniform(0, 2)),
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


def _heads(random: Random) -> bool:
    return random.random() < 0.5


def _pairs(random: Random, n: int, share: float) -> list[tuple[int, int]]:
    """About such a share of the pairs of n things, each named from either end; at least one."""
    found = [pair for pair in itertools.combinations(range(n), 2) if random.random() < share] or [(0, 1)]
    return [(i, j) if _heads(random) else (j, i) for i, j in found]


def _normal(random: Random, n: int) -> tuple[float, ...]:
    return tuple(map(float, random.normal(size=n)))


def _rows(table: NDArray[np.float64]) -> Table:
    return tuple(tuple(map(float, row)) for row in table)


def _distances(random: Random, places: int) -> Table:
    """Between points of the plane; or whole and the same both ways; or neither, and the long way round may be short."""
    points, table = random.uniform(0, 10, size=(places, 2)), random.uniform(0, 10, size=(places, places))
    kinds = (np.linalg.norm(points[:, None] - points[None], axis=2), np.rint(table + table.T), table)
    chosen = kinds[random.integers(len(kinds))]
    np.fill_diagonal(chosen, 0.0)
    return _rows(chosen)
