"""Problems as mixed-integer linear programs: each kind in the form that bounds it best, its constraints as rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Final, NamedTuple

from quire_contracts.answers import Tour
from quire_contracts.problems import NumberPartitioning, Portfolio, TravellingSalesman
from quire_preprocessing.classical.case import Case
from quire_preprocessing.classical.linear import Model
from quire_preprocessing.optimize.ising import Energy
from quire_problems import Kind
from quire_problems.independent import Independent
from quire_problems.kind import marked
from quire_problems.routing import Routing

Bits = tuple[int, ...]

_INFINITE: Final = float("inf")
_HALF: Final = 0.5
_MOST_TRIANGLES: Final = 4_000


class Formulation(NamedTuple):
    """A program whose least cost is the problem's best objective.

    objective: of the problem, for a cost of the program.
    assignment: of the problem, for the columns of a solution; None where they are none (by a tolerance).
    """

    model: Model
    objective: Callable[[float], float]
    assignment: Callable[[Sequence[float]], Bits | None]


def formulation_of(case: Case) -> Formulation | str:
    """The problem's program, or why there is none."""
    kind, problem = case.kind, case.problem
    if isinstance(kind, Independent):
        return _independent(kind)
    if isinstance(kind, Routing):
        return _routing(kind)
    match problem:
        case NumberPartitioning():
            return "not tried: without its whole numbers a split is always perfect, so that no bound comes of it"
        case TravellingSalesman():
            return _tour(problem, kind)
        case Portfolio():
            return _portfolio(problem)
        case _:
            return _spins(case.energy)


def entries_of(case: Case) -> int:
    """About how many entries the program's matrix has, so that one that is too large is never made."""
    n = case.energy.variables
    match case.problem:
        case NumberPartitioning():
            return 0
        case TravellingSalesman(distances=distances):
            return 9 * len(distances) ** 2
        case Portfolio():
            return 5 * n * n
        case _ if isinstance(case.kind, (Independent, Routing)):
            return 4 * n + len(case.energy.couplings)
        case _:
            return 6 * (len(case.energy.couplings) + n)


def _spins(energy: Energy) -> Formulation:
    """The cut polytope: for each coupling whether its spins differ (Barahona, Mahjoub, 1986).

    With ``s_i = 1 - 2 x_i`` and y_ij the "differ" of a coupling, ``s_i s_j = 1 - 2 y_ij``. Each y is held only on the
    side to which its cost pulls it; triangles of couplings are held on all four.
    """
    model = Model()
    for i, h in enumerate(energy.fields):
        fixed = i == 0 and not any(energy.fields)  # all spins turned are as good: the first stays
        model.column(-2 * h, upper=0.0 if fixed else 1.0, whole=True)
    differ: dict[tuple[int, int], int] = {}
    for i, j, weight in energy.couplings:
        y = differ[i, j] = model.column(-2 * weight)
        if weight > 0:
            model.row(-_INFINITE, {y: 1.0, i: -1.0, j: -1.0}, 0.0)
            model.row(-_INFINITE, {y: 1.0, i: 1.0, j: 1.0}, 2.0)
        else:
            model.row(0.0, {y: 1.0, i: -1.0, j: 1.0}, _INFINITE)
            model.row(0.0, {y: 1.0, i: 1.0, j: -1.0}, _INFINITE)
    for a, b, c in _triangles(differ):
        model.row(-_INFINITE, {a: 1.0, b: 1.0, c: 1.0}, 2.0)
        for one, other, third in ((a, b, c), (b, c, a), (c, a, b)):
            model.row(-_INFINITE, {one: 1.0, other: -1.0, third: -1.0}, 0.0)
    constant = sum(energy.fields) + sum(weight for _, _, weight in energy.couplings) + energy.offset

    def assignment(values: Sequence[float]) -> Bits:
        return _rounded(values[: energy.variables])

    return Formulation(model, lambda cost: energy.own(cost + constant), assignment)


def _triangles(edges: dict[tuple[int, int], int]) -> list[tuple[int, int, int]]:
    """The first triples of columns whose couplings close a triangle."""
    after: dict[int, list[int]] = {}
    for i, j in edges:
        after.setdefault(i, []).append(j)
    found: list[tuple[int, int, int]] = []
    for i, others in after.items():
        for j, k in combinations(sorted(others), 2):
            if (j, k) in edges:
                found.append((edges[i, j], edges[j, k], edges[i, k]))
                if len(found) == _MOST_TRIANGLES:
                    return found
    return found


def _independent(kind: Independent) -> Formulation:
    """At most one node of each clique; cliques are grown from edges that none holds yet."""
    model, near = Model(), {node: set[int]() for node in range(kind.variables)}
    for i, j in kind.edges:
        near[i].add(j)
        near[j].add(i)
    for weight in kind.weights:
        model.column(-weight, whole=True)
    held: set[tuple[int, int]] = set()
    for i, j in kind.edges:
        if (i, j) in held:
            continue
        clique, others = [i, j], near[i] & near[j]
        while others:
            clique.append(min(others))
            others = others & near[clique[-1]]
        held.update(combinations(sorted(clique), 2))
        model.row(-_INFINITE, dict.fromkeys(clique, 1.0), 1.0)
    return Formulation(model, lambda cost: -cost, _rounded)


def _routing(kind: Routing) -> Formulation:
    """Set partitioning: each place in one set, no more sets than vehicles (Balinski, Quandt, 1964)."""
    model = Model()
    for length in kind.lengths:
        model.column(length, whole=True)
    for place in range(1, len(kind.problem.demands)):
        model.row(1.0, {i: 1.0 for i, group in enumerate(kind.sets) if place in group}, 1.0)
    model.row(-_INFINITE, dict.fromkeys(range(len(kind.sets)), 1.0), float(kind.problem.vehicles))

    def assignment(values: Sequence[float]) -> Bits | None:
        bits = (*_rounded(values), *(0 for _ in kind.idle))
        answer = None if kind.violations(bits) else kind.answer(bits)
        return None if answer is None else kind.assignment(answer)

    return Formulation(model, lambda cost: cost, assignment)


def _tour(problem: TravellingSalesman, kind: Kind) -> Formulation:
    """Arcs, and a commodity of which each city keeps one, so that no tour misses the first (Gavish, Graves, 1978)."""
    model, size = Model(), len(problem.distances)
    arcs = {
        (c, d): model.column(problem.distances[c][d], whole=True) for c in range(size) for d in range(size) if c != d
    }
    flows = {arc: model.column(0.0, upper=float(size - 1)) for arc in arcs}
    for city in range(size):
        model.row(1.0, {arcs[arc]: 1.0 for arc in arcs if arc[0] == city}, 1.0)
        model.row(1.0, {arcs[arc]: 1.0 for arc in arcs if arc[1] == city}, 1.0)
        if city:
            into = {flows[arc]: 1.0 for arc in arcs if arc[1] == city}
            model.row(1.0, into | {flows[arc]: -1.0 for arc in arcs if arc[0] == city}, 1.0)
    for (c, d), arc in arcs.items():
        most = float(size - 1 if c == 0 else size - 2) if d else 0.0
        model.row(-_INFINITE, {flows[c, d]: 1.0, arc: -most}, 0.0)
        if c and d:
            model.row(0.0, {flows[c, d]: 1.0, arc: -1.0}, _INFINITE)
        if 0 < c < d:
            model.row(-_INFINITE, {arc: 1.0, arcs[d, c]: 1.0}, 1.0)

    def assignment(values: Sequence[float]) -> Bits | None:
        follows = {c: d for (c, d), arc in arcs.items() if values[arc] > _HALF}
        stops = [0]
        while len(stops) < size and (following := follows.get(stops[-1], 0)):
            stops.append(following)
        return kind.assignment(Tour(tuple(stops))) if len(set(stops)) == size else None

    return Formulation(model, lambda cost: cost, assignment)


def _portfolio(problem: Portfolio) -> Formulation:
    """A column for each pair of assets, of which each chosen one has ``k - 1`` (Adams, Sherali, 1986)."""
    model, size, k = Model(), len(problem.returns), problem.choose
    q, covariance = problem.risk_aversion, problem.covariance
    for i, gain in enumerate(problem.returns):
        model.column(q * covariance[i][i] - gain, whole=True)
    model.row(float(k), dict.fromkeys(range(size), 1.0), float(k))
    pairs: dict[tuple[int, int], int] = {}
    for i, j in combinations(range(size), 2):
        cost = q * (covariance[i][j] + covariance[j][i])
        pair = pairs[i, j] = model.column(cost)
        if cost > 0:
            model.row(-1.0, {pair: 1.0, i: -1.0, j: -1.0}, _INFINITE)
        else:
            model.row(-_INFINITE, {pair: 1.0, i: -1.0}, 0.0)
            model.row(-_INFINITE, {pair: 1.0, j: -1.0}, 0.0)
    for i in range(size):
        own = {pairs[min(i, j), max(i, j)]: 1.0 for j in range(size) if j != i}
        model.row(0.0, own | {i: float(1 - k)}, 0.0)

    def assignment(values: Sequence[float]) -> Bits | None:
        assets = [i for i in range(size) if values[i] > _HALF]
        return marked(assets, size) if len(assets) == k else None

    return Formulation(model, lambda cost: -cost, assignment)


def _rounded(values: Sequence[float]) -> Bits:
    return tuple(int(value > _HALF) for value in values)
