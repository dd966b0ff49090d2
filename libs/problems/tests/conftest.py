"""Random problems of every kind with an answer, all their assignments, and the best objective by another way."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import strategies as st

from quire_contracts.problems import (
    IndependentSet,
    NumberPartitioning,
    Portfolio,
    TravellingSalesman,
    VehicleRouting,
)
from quire_testing.problems import MAKERS

MOST_VARIABLES = 18


def solvable(name, *seed):
    """A random problem of a kind, with vehicles enough."""
    problem = MAKERS[name](np.random.default_rng(seed))
    if not isinstance(problem, VehicleRouting):
        return problem
    enough = packed(problem.demands[1:], problem.capacity)
    return msgspec.structs.replace(problem, vehicles=max(problem.vehicles, enough))


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


def instances():
    """Twenty of each kind, with a name each."""
    for name in MAKERS:
        for seed in range(20):
            yield pytest.param(solvable(name, seed, len(name)), id=f"{name}-{seed}")


def pytest_generate_tests(metafunc):
    if "instance" in metafunc.fixturenames:
        metafunc.parametrize("instance", list(instances()))
    if "kind_name" in metafunc.fixturenames:
        metafunc.parametrize("kind_name", list(MAKERS))


@pytest.fixture
def make():
    """`make(name, seed)`: a random problem of a kind."""
    return lambda name, seed=0: solvable(name, seed)


@pytest.fixture
def any_problem():
    """A hypothesis strategy: problems of every kind."""
    return st.builds(
        solvable,
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
