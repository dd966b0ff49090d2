"""The answer that takes at each step what looks best, by the rule of thumb of each kind of problem."""

from __future__ import annotations

import heapq
from itertools import combinations

import numpy as np

from quire_contracts.answers import Tour
from quire_contracts.problems import NumberPartitioning, Portfolio, TravellingSalesman
from quire_preprocessing.classical.case import Case, Found
from quire_preprocessing.optimize.ising import Energy
from quire_problems.independent import Independent
from quire_problems.kind import marked
from quire_problems.routing import Routing


def greedy(case: Case) -> Found:
    """One pass, without random numbers; it takes no more than a few milliseconds for hundreds of variables."""
    kind, problem = case.kind, case.problem
    if isinstance(kind, Independent):
        return Found(assignment=_free_nodes(kind), tuning="the node with most weight for the neighbours it rules out")
    if isinstance(kind, Routing):
        return Found(assignment=_savings(kind), tuning="joining the two routes that save most (Clarke, Wright, 1964)")
    match problem:
        case NumberPartitioning():
            differences = _differences(problem.numbers)
            return Found(assignment=differences, tuning="the two largest differences (Karmarkar, Karp, 1982)")
        case TravellingSalesman():
            tour = kind.assignment(Tour(_nearest(problem)))
            return Found(assignment=tour, tuning="the nearest city that is left")
        case Portfolio():
            return Found(assignment=_gains(problem), tuning="the asset that gains most beside those chosen")
        case _:
            return Found(assignment=_fields(case.energy), tuning="the spin that feels most from those decided")


def _fields(energy: Energy) -> tuple[int, ...]:
    """Spins one by one: of those left the one in the strongest field, turned against it."""
    near: list[list[tuple[int, float]]] = [[] for _ in range(energy.variables)]
    for i, j, weight in energy.couplings:
        near[i].append((j, weight))
        near[j].append((i, weight))
    felt, left = np.array(energy.fields, np.float64), np.ones(energy.variables, np.bool_)
    bits = [0] * energy.variables
    for _ in range(energy.variables):
        chosen = int(np.where(left, np.abs(felt), -1.0).argmax())
        left[chosen] = False
        bits[chosen] = int(felt[chosen] > 0)
        for other, weight in near[chosen]:
            felt[other] += weight * (1 - 2 * bits[chosen])
    return tuple(bits)


def _free_nodes(kind: Independent) -> tuple[int, ...]:
    near: dict[int, set[int]] = {node: set() for node in range(kind.variables)}
    for i, j in kind.edges:
        near[i].add(j)
        near[j].add(i)
    members = []
    while near:
        best = max(near, key=lambda node: (kind.weights[node] / (len(near[node]) + 1), -node))
        members.append(best)
        gone = near[best] | {best}
        for node in gone:
            for other in near.pop(node):
                if other not in gone:
                    near[other].discard(node)
    return marked(members, kind.variables)


def _differences(numbers: tuple[float, ...]) -> tuple[int, ...]:
    """The two largest numbers go to different sides, and their difference stands for both."""
    heap = [(-number, i) for i, number in enumerate(numbers)]
    heapq.heapify(heap)
    apart: list[tuple[int, int]] = []
    while len(heap) > 1:
        (large, i), (small, j) = heapq.heappop(heap), heapq.heappop(heap)
        apart.append((i, j))
        heapq.heappush(heap, (large - small, i))
    bits = [0] * len(numbers)
    for i, j in reversed(apart):  # a node stands for its tree until it is joined to another, so that i is known by then
        bits[j] = 1 - bits[i]
    return tuple(bits)


def _nearest(problem: TravellingSalesman) -> tuple[int, ...]:
    stops, left = [0], set(range(1, len(problem.distances)))
    while left:
        ways = problem.distances[stops[-1]]
        stops.append(min(left, key=lambda city: (ways[city], city)))
        left.remove(stops[-1])
    return tuple(stops)


def _savings(kind: Routing) -> tuple[int, ...] | None:
    """A route for each place, joined while that saves way, or while there are too few vehicles; None if stuck."""
    lengths = dict(zip(kind.sets, kind.lengths, strict=True))
    routes: list[tuple[int, ...]] = [(place,) for place in range(1, len(kind.problem.demands))]
    while True:
        joined = [(a, b, tuple(sorted((*a, *b)))) for a, b in combinations(routes, 2)]
        joins = [(lengths[a] + lengths[b] - lengths[both], a, b, both) for a, b, both in joined if both in lengths]
        saved, first, second, both = max(joins, default=(-np.inf, (), (), ()))
        if saved <= 0 and len(routes) <= kind.problem.vehicles:
            break
        if not joins:
            return None
        routes = [*(route for route in routes if route not in (first, second)), both]
    bits = marked((kind.sets.index(route) for route in routes), kind.variables)
    answer = kind.answer(bits)
    return None if answer is None else kind.assignment(answer)


def _gains(problem: Portfolio) -> tuple[int, ...]:
    covariance, returns = np.array(problem.covariance), np.array(problem.returns)
    gains = returns - problem.risk_aversion * covariance.diagonal()
    assets: list[int] = []
    for _ in range(problem.choose):
        assets.append(int(gains.argmax()))
        gains -= problem.risk_aversion * (covariance[assets[-1]] + covariance[:, assets[-1]])
        gains[assets] = -np.inf
    return marked(assets, len(returns))
