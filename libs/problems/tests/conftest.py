"""Random problems of every kind, small enough that every assignment can be looked at."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import strategies as st

from quire_contracts.problems import (
    IndependentSet,
    Ising,
    MaxCut,
    NumberPartitioning,
    Portfolio,
    Qubo,
    TravellingSalesman,
    VehicleRouting,
)

MOST_VARIABLES = 18


def max_cut(random):
    n = int(random.integers(3, 9))
    pairs = [(i, j) for i in range(n) for j in range(i) if random.random() < 0.6] or [(0, 1)]
    return MaxCut(edges=tuple((i, j, round(float(random.normal()), 3)) for i, j in pairs), n=n)


def qubo(random):
    n = int(random.integers(2, 9))
    pairs = tuple((i, j, float(random.normal())) for i in range(n) for j in range(i))
    return Qubo(n=n, linear=tuple(map(float, random.normal(size=n))), quadratic=pairs, offset=float(random.normal()))


def ising(random):
    n = int(random.integers(2, 9))
    pairs = tuple((i, j, float(random.normal())) for i in range(n) for j in range(i))
    return Ising(n=n, h=tuple(map(float, random.normal(size=n))), j=pairs, offset=float(random.normal()))


def independent_set(random):
    n = int(random.integers(3, 10))
    pairs = [(i, j) for i in range(n) for j in range(i) if random.random() < 0.4] or [(0, 1)]
    weights = tuple(map(float, random.uniform(0.1, 5, size=n))) if random.random() < 0.5 else ()
    return IndependentSet(edges=(*pairs, pairs[0][::-1]), n=n, weights=weights)


def number_partitioning(random):
    whole = random.integers(1, 50, size=int(random.integers(2, 10))).tolist()
    return NumberPartitioning(numbers=tuple(float(n) for n in whole))


def distances(random, places):
    if random.random() < 0.5:
        points = random.uniform(0, 10, size=(places, 2))
        table = np.linalg.norm(points[:, None] - points[None], axis=2)
    else:  # one way is not the other, and the long way around may be the shorter one
        table = random.uniform(0, 10, size=(places, places))
    np.fill_diagonal(table, 0.0)
    return tuple(tuple(map(float, row)) for row in table)


def travelling_salesman(random):
    return TravellingSalesman(distances=distances(random, int(random.integers(3, 6))))


def vehicle_routing(random):
    places = int(random.integers(2, 6))
    demands = (0.0, *(float(d) for d in random.integers(0, 5, size=places - 1)))
    capacity = float(max(*demands, int(random.integers(3, 9))))
    vehicles = max(int(random.integers(1, places)), packed(demands[1:], capacity))
    return VehicleRouting(distances=distances(random, places), demands=demands, capacity=capacity, vehicles=vehicles)


def packed(demands, capacity):
    """Vehicles that are enough: first fit, the heaviest first."""
    free = []
    for demand in sorted(demands, reverse=True):
        place = next((i for i, left in enumerate(free) if left >= demand), None)
        if place is None:
            free.append(capacity - demand)
        else:
            free[place] -= demand
    return len(free)


def portfolio(random):
    n = int(random.integers(2, 9))
    factors = random.normal(size=(n, 3))
    covariance = factors @ factors.T
    covariance = (covariance + covariance.T) / 2
    return Portfolio(
        returns=tuple(map(float, random.normal(0.1, 0.2, size=n))),
        covariance=tuple(tuple(map(float, row)) for row in covariance),
        choose=int(random.integers(1, n + 1)),
        risk_aversion=float(random.uniform(0, 2)),
    )


MAKERS = {
    "maxcut": max_cut,
    "qubo": qubo,
    "ising": ising,
    "independent-set": independent_set,
    "number-partitioning": number_partitioning,
    "travelling-salesman": travelling_salesman,
    "vehicle-routing": vehicle_routing,
    "portfolio": portfolio,
}


def instances():
    """Twenty of each kind, with a name each."""
    for name, make in MAKERS.items():
        for seed in range(20):
            yield pytest.param(make(np.random.default_rng([seed, len(name)])), id=f"{name}-{seed}")


def pytest_generate_tests(metafunc):
    if "instance" in metafunc.fixturenames:
        metafunc.parametrize("instance", list(instances()))
    if "kind_name" in metafunc.fixturenames:
        metafunc.parametrize("kind_name", list(MAKERS))


@pytest.fixture
def make():
    """`make(name, seed)`: a random problem of a kind."""
    return lambda name, seed=0: MAKERS[name](np.random.default_rng(seed))


@pytest.fixture
def any_problem():
    """A hypothesis strategy: problems of every kind."""
    return st.builds(
        lambda name, seed: MAKERS[name](np.random.default_rng(seed)),
        st.sampled_from(sorted(MAKERS)),
        st.integers(0, 2**32),
    )


@pytest.fixture
def every():
    """`every(n)`: all assignments of n variables as bits, [2^n, n]."""

    def table(variables):
        assert variables <= MOST_VARIABLES
        numbers = np.arange(1 << variables, dtype=np.int64)
        return (numbers[:, None] >> np.arange(variables) & 1).astype(np.uint8)

    return table


def way(table, stops):
    return sum(table[a][b] for a, b in itertools.pairwise((0, *stops, 0)))


def best_routes(problem, left, vehicles):
    if not left:
        return 0.0
    found = [float("inf")]
    for size in range(1, len(left) + 1) if vehicles else ():
        for others in itertools.combinations(left[1:], size - 1):
            group = (left[0], *others)
            if sum(problem.demands[p] for p in group) <= problem.capacity:
                length = min(way(problem.distances, order) for order in itertools.permutations(group))
                rest = tuple(p for p in left if p not in group)
                found.append(length + best_routes(problem, rest, vehicles - 1))
    return min(found)


def best_difference(problem):
    sums = {0.0}
    for number in problem.numbers:
        sums = {each + sign * number for each in sums for sign in (1, -1)}
    return min(map(abs, sums))


def best_set(problem):
    weights, apart = problem.weights or (1.0,) * problem.n, {frozenset(edge) for edge in problem.edges}
    sets = (s for k in range(problem.n + 1) for s in itertools.combinations(range(problem.n), k))
    free = (s for s in sets if not any(frozenset(p) in apart for p in itertools.combinations(s, 2)))
    return max(sum(weights[i] for i in s) for s in free)


def best_assets(problem):
    gains, table, q = np.array(problem.returns), np.array(problem.covariance), problem.risk_aversion
    chosen = [list(s) for s in itertools.combinations(range(len(gains)), problem.choose)]
    return max(gains[s].sum() - q * table[np.ix_(s, s)].sum() for s in chosen)


@pytest.fixture
def best_by_hand():
    """`best_by_hand(problem)`: the best objective by another way than bits: over tours, partitions, subsets."""

    def best(problem):
        match problem:
            case TravellingSalesman():
                cities = range(1, len(problem.distances))
                return min(way(problem.distances, order) for order in itertools.permutations(cities))
            case VehicleRouting():
                return best_routes(problem, tuple(range(1, len(problem.demands))), problem.vehicles)
            case NumberPartitioning():
                return best_difference(problem)
            case IndependentSet():
                return best_set(problem)
            case Portfolio():
                return best_assets(problem)
            case _:
                return None

    return best
