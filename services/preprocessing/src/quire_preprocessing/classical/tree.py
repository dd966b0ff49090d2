"""The best assignment of a narrow problem, proven: variables are eliminated one by one, along a tree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from quire_preprocessing.classical.case import Case, Found
from quire_preprocessing.optimize.ising import Coupling

_WIDEST: Final = 20
"""Neighbours of a variable when it is eliminated: its table has two entries to the power of that, 8 MB."""

_ENTRIES_A_SECOND: Final = 20e6
_MOST_ENTRIES: Final = 8e6
"""Of all tables, which stand in memory together: 64 MB."""


def tree_decomposition(case: Case) -> Found:
    """Dynamic programming along an elimination order (dwave-samplers' TreeDecompositionSolver), if one is narrow.

    Its energies are float64 sums; one assignment is preferred to another only by what rounding leaves of them.
    """
    most = min(_MOST_ENTRIES, case.seconds * _ENTRIES_A_SECOND)
    order = elimination_order(case.energy.variables, case.energy.couplings, most)
    if order is None:
        return Found(note="not tried: the problem is too densely coupled for the budget")
    import dimod  # noqa: PLC0415 - most problems are enumerated; these are heavy
    from dwave.samplers import TreeDecompositionSolver  # noqa: PLC0415

    energy = case.energy
    model = dimod.BinaryQuadraticModel(dimod.SPIN)
    model.add_linear_from(enumerate(energy.fields))
    model.add_quadratic_from(energy.couplings)
    samples = TreeDecompositionSolver().sample(model, elimination_order=[v for v, _ in order])
    spins = samples.record.sample[0, [samples.variables.index(i) for i in range(energy.variables)]]
    width = max(width for _, width in order)
    return Found(assignment=tuple(((1 - spins) // 2).tolist()), exact=True, tuning=f"width {width}, by least fill")


def elimination_order(
    variables: int, couplings: Iterable[Coupling], most_entries: float
) -> list[tuple[int, int]] | None:
    """The variables in the order in which they are eliminated, each with the neighbours that it then has.

    Next is the one that makes fewest new neighbours (Gogate, Dechter, 2004: min-fill), of equals the one with fewest,
    of equals the first. None if the tables of the elimination have more than `most_entries` in all, or one is too wide.
    """
    near: list[set[int]] = [set() for _ in range(variables)]
    for i, j, _ in couplings:
        near[i].add(j)
        near[j].add(i)
    costs = {v: _cost(v, near) for v in range(variables)}
    order, entries = [], 0.0
    while costs:
        _, width, best = min(costs.values())
        entries += 2.0 ** (width + 1)
        if width > _WIDEST or entries > most_entries:
            return None
        order.append((best, width))
        del costs[best]
        around = near[best]
        for v in around:
            near[v] |= around
            near[v] -= {v, best}
        for v in around.union(*(near[v] for v in around)) & costs.keys():
            costs[v] = _cost(v, near)
    return order


def _cost(v: int, near: list[set[int]]) -> tuple[float, int, int]:
    width = len(near[v])
    if width > _WIDEST:
        return float("inf"), width, v
    missing = sum(width - 1 - len(near[v] & near[other]) for other in near[v])
    return missing / 2, width, v
