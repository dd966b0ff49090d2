"""The kinds of problems that an `optimize` job may have, each in the words of its own domain."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from quire_contracts import limits
from quire_contracts.value import Strict

Index = Annotated[int, Meta(ge=0, lt=limits.VARIABLES)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Distances = tuple[Annotated[tuple[NotNegative, ...], Meta(max_length=limits.CITIES)], ...]


class MaxCut(Strict, frozen=True, tag_field="type", tag="maxcut"):
    """Split the nodes of a weighted graph in two so that the weight between the parts is largest.

    `edges` are [i, j, weight]; nodes are numbered from 0 and there are `n` of them (default: the largest index + 1).
    """

    edges: Annotated[tuple[tuple[Index, Index, float], ...], Meta(min_length=1, max_length=limits.COUPLINGS)]
    n: Annotated[int, Meta(ge=1, le=limits.VARIABLES)] | None = None


class Qubo(Strict, frozen=True, tag_field="type", tag="qubo"):
    """Minimise offset + sum linear[i] x_i + sum w x_i x_j over x in {0, 1}^n; `quadratic` is [i, j, w]."""

    n: Annotated[int, Meta(ge=1, le=limits.VARIABLES)]
    linear: Annotated[tuple[float, ...], Meta(max_length=limits.VARIABLES)] = ()
    quadratic: Annotated[tuple[tuple[Index, Index, float], ...], Meta(max_length=limits.COUPLINGS)] = ()
    offset: float = 0.0


class Ising(Strict, frozen=True, tag_field="type", tag="ising"):
    """Minimise offset + sum h[i] s_i + sum w s_i s_j over s in {-1, +1}^n; `j` is [i, j, w]."""

    n: Annotated[int, Meta(ge=1, le=limits.VARIABLES)]
    h: Annotated[tuple[float, ...], Meta(max_length=limits.VARIABLES)] = ()
    j: Annotated[tuple[tuple[Index, Index, float], ...], Meta(max_length=limits.COUPLINGS)] = ()
    offset: float = 0.0


class IndependentSet(Strict, frozen=True, tag_field="type", tag="independent-set"):
    """Choose nodes of a graph, no two of them joined by an edge, so that their weights sum to the most.

    `edges` are [i, j]; nodes are numbered from 0 and there are `n` of them (default: the largest index + 1). `weights`
    has one number above zero for each node; by default each weighs 1.
    """

    edges: Annotated[tuple[tuple[Index, Index], ...], Meta(min_length=1, max_length=limits.COUPLINGS)]
    n: Annotated[int, Meta(ge=1, le=limits.VARIABLES)] | None = None
    weights: Annotated[tuple[Positive, ...], Meta(max_length=limits.VARIABLES)] = ()


class NumberPartitioning(Strict, frozen=True, tag_field="type", tag="number-partitioning"):
    """Split numbers in two parts so that the sums of the parts differ by the least."""

    numbers: Annotated[tuple[Positive, ...], Meta(min_length=2, max_length=limits.VARIABLES)]


class TravellingSalesman(Strict, frozen=True, tag_field="type", tag="travelling-salesman"):
    """Visit every city once and return to the first, by the shortest way.

    `distances[i][j]` is the way from city i to city j; it may differ from the way back. Of n cities the first stands at
    the start of the tour, so that (n - 1)^2 variables are needed.
    """

    distances: Annotated[Distances, Meta(min_length=3, max_length=limits.CITIES)]


class VehicleRouting(Strict, frozen=True, tag_field="type", tag="vehicle-routing"):
    """Visit every place once with at most so many vehicles of one capacity, all from the depot, by the shortest ways.

    Place 0 is the depot. `distances` are as in a travelling salesman problem, `demands[i]` is what place i is brought;
    the depot's is 0. Each set of places that one vehicle can serve is a variable, so that few places are possible.
    """

    distances: Annotated[Distances, Meta(min_length=2, max_length=limits.ROUTED_PLACES)]
    demands: Annotated[tuple[NotNegative, ...], Meta(max_length=limits.ROUTED_PLACES)]
    capacity: Positive
    vehicles: Annotated[int, Meta(ge=1, le=limits.ROUTED_PLACES)]


class Portfolio(Strict, frozen=True, tag_field="type", tag="portfolio"):
    """Choose exactly so many assets that their return less the price of their risk is largest.

    The objective is the sum of the chosen `returns` minus `risk_aversion` times the sum of their `covariance`, over all
    pairs and the variances themselves: x'Cx for x in {0, 1}^n. Each chosen asset counts once.
    """

    returns: Annotated[tuple[float, ...], Meta(min_length=2, max_length=limits.ASSETS)]
    covariance: Annotated[
        tuple[Annotated[tuple[float, ...], Meta(max_length=limits.ASSETS)], ...], Meta(max_length=limits.ASSETS)
    ]
    choose: Annotated[int, Meta(ge=1, le=limits.ASSETS)]
    risk_aversion: NotNegative = 0.5


Problems = MaxCut | Qubo | Ising | IndependentSet | NumberPartitioning | TravellingSalesman | VehicleRouting | Portfolio
