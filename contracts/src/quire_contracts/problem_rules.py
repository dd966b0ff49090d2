"""The rules of each kind of optimisation problem that a type cannot say."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
from quire_contracts.value import Problem

_MOST = 10
"""Faults that are told of one problem: who makes one mistake in each row need not read all of them."""


def problem_rules(problem: Problems) -> list[Problem]:
    """What is wrong with a problem, at most ten faults; pointers begin at the document's root."""
    found: list[Problem] = []
    match problem:
        case MaxCut():
            found = _couplings("edges", problem.edges, size_of_graph(problem))
        case Qubo():
            found = _couplings("quadratic", problem.quadratic, problem.n)
            found += _lengths("linear", problem.linear, problem.n)
        case Ising():
            found = _couplings("j", problem.j, problem.n) + _lengths("h", problem.h, problem.n)
        case IndependentSet():
            size = size_of_graph(problem)
            found = _couplings("edges", problem.edges, size) + _lengths("weights", problem.weights, size)
        case NumberPartitioning():  # numbers above zero are all it needs
            pass
        case TravellingSalesman():
            found = _distances(problem.distances)
        case VehicleRouting():
            found = _distances(problem.distances) + _demands(problem)
        case Portfolio():
            found = _covariance(problem)
    return found[:_MOST]


def size_of_graph(problem: MaxCut | IndependentSet) -> int:
    """How many nodes a graph has; without `n` it ends at its largest index."""
    return problem.n if problem.n is not None else 1 + max(max(edge[0], edge[1]) for edge in problem.edges)


def _fault(where: str, reason: str, hint: str, limit: str | None = None) -> Problem:
    return Problem(pointer=f"/problem/{where}", reason=reason, limit=limit, hint=hint)


def _couplings(field: str, couplings: Sequence[tuple[int, int, float] | tuple[int, int]], size: int) -> list[Problem]:
    problems = []
    for row, (i, j, *_) in enumerate(couplings):
        if i == j:
            reason, limit = f"variable {i} is coupled to itself", None
            hint = "leave this edge out" if field == "edges" else "put a term of one variable into the linear part"
        elif max(i, j) >= size:
            reason, limit = f"variable {max(i, j)} does not exist", f"indices below n = {size}"
            hint = "raise n or correct the index"
        else:
            continue
        problems.append(_fault(f"{field}/{row}", reason, hint, limit))
    return problems


def _lengths(field: str, values: Sequence[float], size: int) -> list[Problem]:
    if len(values) in {0, size}:
        return []
    reason, hint = (
        f"{len(values)} numbers for n = {size} variables",
        "give one number for each variable, or leave the field out",
    )
    return [_fault(field, reason, hint, f"none or exactly {size}")]


def _square(field: str, rows: Sequence[Sequence[float]], size: int) -> list[Problem]:
    hint = f"give {size} rows of {size} numbers each"
    if len(rows) != size:
        return [_fault(field, f"{len(rows)} rows for {size}", hint, f"exactly {size} rows")]
    return [
        _fault(f"{field}/{i}", f"this row has {len(row)} numbers", hint, f"exactly {size} numbers")
        for i, row in enumerate(rows)
        if len(row) != size
    ]


def _distances(distances: Sequence[Sequence[float]]) -> list[Problem]:
    found = _square("distances", distances, len(distances))
    return found or [
        _fault(
            f"distances/{i}/{i}",
            f"the way from place {i} to itself is {row[i]:g}",
            "put 0 on the diagonal; check that no row is shifted",
            "exactly 0",
        )
        for i, row in enumerate(distances)
        if row[i] != 0
    ]


def _demands(problem: VehicleRouting) -> list[Problem]:
    places, demands, capacity = len(problem.distances), problem.demands, problem.capacity
    if len(demands) != places:
        reason, hint = f"{len(demands)} demands for {places} places", "give one for each place, 0 for the depot"
        return [_fault("demands", reason, hint, f"exactly {places}")]
    found = []
    if demands[0] != 0:
        found.append(_fault("demands/0", f"the depot demands {demands[0]:g}", "place 0 is the depot", "exactly 0"))
    found += [
        _fault(
            f"demands/{i}",
            f"{demand:g} is more than a vehicle carries",
            "split the place in two",
            f"at most {capacity:g}",
        )
        for i, demand in enumerate(demands)
        if demand > capacity
    ]
    total = math.fsum(demands)
    if not found and total > problem.vehicles * capacity:
        reason, limit = (
            f"{problem.vehicles} vehicles carry less than all demands, {total:g}",
            f"at least {total:g} in all",
        )
        found.append(_fault("vehicles", reason, "raise vehicles or capacity", limit))
    return found


def _covariance(problem: Portfolio) -> list[Problem]:
    assets, rows = len(problem.returns), problem.covariance
    found = _square("covariance", rows, assets)
    if not found:
        found = [
            _fault(
                f"covariance/{i}/{j}",
                f"{rows[i][j]:g} is not {rows[j][i]:g}, which stands across the diagonal",
                "a covariance is symmetric: correct one of the two",
            )
            for i in range(assets)
            for j in range(i)
            if not math.isclose(rows[i][j], rows[j][i], rel_tol=1e-9, abs_tol=1e-15)
        ]
    if problem.choose > assets:
        reason = f"{problem.choose} of {assets} assets cannot be chosen"
        found.append(_fault("choose", reason, "choose fewer, or name more assets", f"at most {assets}"))
    return found
