"""Problems with constraints get a loop, a baseline in their own terms, and a reason where nothing is feasible."""

import itertools

import msgspec
import numpy as np
import pytest

from quire_contracts.answers import Holdings, Parts, Routes, Subset, Tour
from quire_contracts.family import FamilyPlanned
from quire_contracts.preparation import BaselineFailed
from quire_contracts.problems import IndependentSet, NumberPartitioning, Problems, TravellingSalesman, VehicleRouting
from quire_preprocessing.classical.baseline import Budget, solve
from quire_preprocessing.optimize.ising import energy_of
from quire_preprocessing.refusal import Refused
from quire_problems import kind_of
from quire_resilience.clock import SystemClock

SQUARE = [[0, 1, 5, 4], [1, 0, 1, 5], [5, 1, 0, 2], [4, 5, 2, 0]]
PROBLEMS = {
    "independent-set": {"edges": [[0, 1], [1, 2], [2, 3]], "weights": [1, 3, 1, 1]},
    "number-partitioning": {"numbers": [8, 7, 6, 5, 4]},
    "travelling-salesman": {"distances": SQUARE},
    "vehicle-routing": {"distances": SQUARE, "demands": [0, 1, 1, 1], "capacity": 2, "vehicles": 2},
    "portfolio": {
        "returns": [3, 2, 1],
        "covariance": [[1, 2, 0], [2, 1, 0], [0, 0, 1]],
        "choose": 2,
        "risk_aversion": 1,
    },
    "maxcut": {"edges": [[0, 1, 1], [1, 2, 2]]},
}
EXPECTED = {
    "independent-set": (4.0, 0.0, Subset((1, 3))),
    "number-partitioning": (0.0, 30.0, Parts(((2, 3, 4), (0, 1)), (15.0, 15.0))),
    "travelling-salesman": (8.0, 15.0, Tour((0, 3, 2, 1))),
    "vehicle-routing": (13.0, 20.0, None),
    "portfolio": (2.0, -1.0, Holdings((0, 2), 4.0, 2.0)),
    "maxcut": (3.0, 0.0, Parts(((1,), (0, 2)))),
}


def document(kind):
    return {"kind": "optimize", "problem": {"type": kind} | PROBLEMS[kind]}


@pytest.mark.parametrize("kind", PROBLEMS)
async def test_the_baseline_is_told_in_the_problems_own_terms(make_preparer, command_for, found, kind):
    preparation = (await make_preparer().prepare(*command_for(document(kind)))).preparation
    baseline, (value, worst, answer) = (await found(*command_for(document(kind)))).baseline, EXPECTED[kind]
    assert (baseline.exact, baseline.feasible, baseline.violations) == (True, True, ())
    assert baseline.value == value
    assert baseline.worst == pytest.approx(worst)
    if answer is not None:
        assert mirrored(baseline.answer) == mirrored(answer)
    problem = msgspec.json.decode(preparation.loop.problem.inline, type=Problems)
    assert problem.__struct_config__.tag == kind
    assert kind_of(problem).objective(baseline.assignment) == value
    assert preparation.loop.unit == kind_of(problem).unit


def mirrored(answer):
    """Which part is first, and which way around, is nobody's business."""
    match answer:
        case Parts(parts=parts, sums=sums):
            return sorted(parts), sorted(sums)
        case Tour(stops=stops):
            return min(stops[1:], stops[:0:-1])
        case _:
            return answer


async def test_routes_of_the_baseline_carry_what_a_vehicle_can(found, command_for):
    baseline = (await found(*command_for(document("vehicle-routing")))).baseline
    assert isinstance(baseline.answer, Routes)
    assert sorted(itertools.chain(*baseline.answer.routes)) == [1, 2, 3]
    assert max(baseline.answer.loads) <= 2
    assert sum(baseline.answer.lengths) == baseline.value == 13


async def test_what_cannot_be_packed_is_refused_with_a_reason(found, command_for):
    """Three places of 2 in two vehicles of 3: the sums fit, the places do not."""
    three = {"demands": [0, 2, 2, 2], "capacity": 3, "vehicles": 2}
    wrong = {"kind": "optimize", "problem": {"type": "vehicle-routing", "distances": SQUARE} | three}
    failed = await found(*command_for(wrong))
    assert isinstance(failed, BaselineFailed)
    (problem,) = failed.problems
    assert (failed.fault.code, failed.fault.kind, problem.pointer) == ("problem-infeasible", "invalid", "/problem")
    assert "place" in problem.reason or "vehicles" in problem.reason
    assert problem.hint


async def test_too_many_variables_are_counted_as_encoded(make_preparer, found, command_for):
    cities = 8
    far = [[int(i != j) for j in range(cities)] for i in range(cities)]
    wide = {"kind": "optimize", "problem": {"type": "travelling-salesman", "distances": far}}
    planned = await make_preparer().prepare(*command_for(wide))
    assert isinstance(planned, FamilyPlanned), "49 variables are more than 30"
    assert len(planned.children) > 1
    assert planned.baseline_to_come
    baseline = (await found(*command_for(wide))).baseline
    assert (baseline.value, baseline.bound, baseline.exact) == (8.0, 8.0, True), "every way is 1 long"
    assert len(baseline.assignment) == 49


def solved(problem, **budget):
    return solve(problem, energy_of(problem), 1, SystemClock(), Budget(seconds=0.1, **budget)).baseline


def test_searching_finds_tours_too():
    random = np.random.default_rng(4)
    table = random.uniform(1, 9, size=(5, 5))
    np.fill_diagonal(table, 0)
    problem = TravellingSalesman(distances=tuple(tuple(map(float, row)) for row in table))
    exact, searched = solved(problem), solved(problem, exact_variables=0)
    assert searched.feasible
    assert searched.worst is None
    assert searched.value == pytest.approx(exact.value)
    ways = [
        sum(table[a, b] for a, b in itertools.pairwise((0, *order, 0))) for order in itertools.permutations(range(1, 5))
    ]
    assert exact.value == pytest.approx(min(ways))
    assert exact.worst == pytest.approx(max(ways)), "the worst tour, not the worst penalty"


def test_a_difference_is_no_square():
    problem = NumberPartitioning(numbers=(5.0, 3.0, 1.0))
    for exact_variables in (24, 0):
        baseline = solved(problem, exact_variables=exact_variables)
        assert (baseline.value, baseline.worst) == (1.0, 9.0)


def test_numbers_too_large_to_square_are_refused():
    for problem in (
        NumberPartitioning(numbers=(1e200, 1e200)),
        VehicleRouting(distances=((0.0, 1e308), (1e308, 0.0)), demands=(0.0, 1.0), capacity=1.0, vehicles=1),
    ):
        with pytest.raises(Refused) as caught:
            energy_of(problem)
        assert caught.value.code == "weights-too-large"


def test_edges_in_another_order_turned_around_and_said_twice_make_no_other_energy():
    once = IndependentSet(edges=((0, 1), (1, 2), (2, 3)), weights=(1.0, 3.0, 1.0, 1.0))
    again = IndependentSet(edges=((3, 2), (1, 0), (2, 1), (0, 1)), weights=(1.0, 3.0, 1.0, 1.0))
    assert energy_of(again) == energy_of(once)
