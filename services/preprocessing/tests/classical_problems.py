"""Random problems of every kind, small enough to enumerate, for the tests of the classical methods."""

import itertools

import numpy as np

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
from quire_preprocessing.classical.case import Case
from quire_preprocessing.optimize.ising import energy_of
from quire_preprocessing.refusal import Refused
from quire_problems import kind_of


def pairs(random, n, share):
    return [pair for pair in itertools.combinations(range(n), 2) if random.random() < share] or [(0, 1)]


def maxcut(random):
    n = int(random.integers(4, 12))
    weigh = (lambda: 1.0) if random.random() < 0.5 else (lambda: round(float(random.normal()), 2) or 1.0)
    return MaxCut(edges=tuple((i, j, weigh()) for i, j in pairs(random, n, 0.5)), n=n)


def qubo(random):
    n = int(random.integers(2, 12))
    couplings = tuple((i, j, float(random.normal())) for i, j in pairs(random, n, 0.6))
    linear = tuple(map(float, random.normal(size=n)))
    return Qubo(n=n, linear=linear, quadratic=couplings, offset=float(random.normal()))


def ising(random):
    n = int(random.integers(2, 12))
    whole = random.random() < 0.5
    weigh = (lambda: float(random.integers(-5, 6))) if whole else (lambda: float(random.normal()))
    couplings = tuple((i, j, weigh() or 1.0) for i, j in pairs(random, n, 0.6))
    return Ising(n=n, h=tuple(weigh() for _ in range(n)), j=couplings, offset=weigh())


def independent_set(random):
    n = int(random.integers(3, 12))
    weights = tuple(map(float, random.uniform(0.1, 5, size=n))) if random.random() < 0.5 else ()
    return IndependentSet(edges=tuple(pairs(random, n, 0.4)), n=n, weights=weights)


def number_partitioning(random):
    return NumberPartitioning(numbers=tuple(map(float, random.integers(1, 60, size=int(random.integers(2, 12))))))


def distances(random, places):
    table = random.uniform(1, 10, size=(places, places))
    if random.random() < 0.5:
        table = np.rint(table + table.T)
    np.fill_diagonal(table, 0.0)
    return tuple(tuple(map(float, row)) for row in table)


def travelling_salesman(random):
    return TravellingSalesman(distances=distances(random, int(random.integers(3, 6))))


def vehicle_routing(random):
    places = int(random.integers(3, 6))
    demands = (0.0, *(float(d) for d in random.integers(0, 5, size=places - 1)))
    capacity = float(max(*demands, int(random.integers(4, 9))))
    return VehicleRouting(
        distances=distances(random, places),
        demands=demands,
        capacity=capacity,
        vehicles=int(random.integers(2, places)),
    )


def portfolio(random):
    n = int(random.integers(2, 11))
    factors = random.normal(size=(n, 3 if random.random() < 0.7 else n))
    table = factors @ factors.T if factors.shape[1] == 3 else factors + factors.T  # a risk, or what is none
    covariance = tuple(tuple(map(float, row)) for row in table)
    returns = tuple(map(float, random.normal(0.1, 0.2, size=n)))
    choose = int(random.integers(1, n + 1))
    return Portfolio(returns=returns, covariance=covariance, choose=choose, risk_aversion=float(random.uniform(0, 2)))


MAKERS = {
    "maxcut": maxcut,
    "qubo": qubo,
    "ising": ising,
    "independent-set": independent_set,
    "number-partitioning": number_partitioning,
    "travelling-salesman": travelling_salesman,
    "vehicle-routing": vehicle_routing,
    "portfolio": portfolio,
}


def case_of(problem, seed=1, seconds=0.05):
    """The problem as the methods are given it."""
    return Case(problem, kind_of(problem), energy_of(problem), seed, seconds)


def cases(seed, seconds=0.05, names=tuple(MAKERS)):
    """One case of each kind by name; of a kind whose problem has nothing to decide, the next one."""
    found = {}
    for name in names:
        for attempt in itertools.count():
            problem = MAKERS[name](np.random.default_rng([seed, attempt]))
            try:
                found[name] = case_of(problem, seed, seconds)
            except Refused:
                continue
            break
    return found
