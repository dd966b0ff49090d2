"""Every kind against every assignment of small problems: the encoding's law, decoding, bounds, and the true optimum."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_contracts.answers import Routes, Tour
from quire_contracts.document import OptimizeJob
from quire_contracts.intake import DocumentError, encode_document, parse_document
from quire_contracts.problems import IndependentSet, Ising, Portfolio, TravellingSalesman, VehicleRouting
from quire_problems import contradiction, kind_of, tell, tolerance


def energies(model, bits):
    """By the definition of the model's class."""
    values = 1.0 - 2.0 * bits if isinstance(model, Ising) else bits.astype(float)
    single, pairs = (model.h, model.j) if isinstance(model, Ising) else (model.linear, model.quadratic)
    result = np.full(len(bits), model.offset)
    if single:
        result += values @ np.array(single)
    for i, j, weight in pairs:
        result += weight * values[:, i] * values[:, j]
    return result


def test_the_encodings_law_holds_for_every_assignment(instance, every):
    kind = kind_of(instance)
    encoding, bits = kind.encoding(), every(kind.variables)
    energy, feasible, objective = energies(encoding.model, bits), kind.feasible(bits), kind.objectives(bits)
    own = encoding.scale * (objective**2 if encoding.squared else objective)
    close = 1e-9 * max(1.0, np.abs(energy).max())
    helped = encoding.helped
    if helped:
        assert (energy[feasible] >= own[feasible] - close).all()
    else:
        np.testing.assert_allclose(energy[feasible], own[feasible], atol=close)
    if encoding.ceiling is None:
        assert feasible.all()
    else:
        assert (energy[~feasible] > encoding.ceiling).all(), "every infeasible assignment is worse than any feasible"
        assert own[feasible].max() < encoding.ceiling
        if not helped:
            assert ((energy < encoding.ceiling) == feasible).all()


def test_the_encodings_minimum_decodes_to_the_true_optimum(instance, every, best_by_hand):
    kind = kind_of(instance)
    bits = every(kind.variables)
    energy, feasible = energies(kind.encoding().model, bits), kind.feasible(bits)
    lowest = bits[energy.argmin()].tolist()
    told = tell(kind, lowest, math.nan)
    assert told.feasible, told.violations
    best = {"min": np.min, "max": np.max}[kind.sense](kind.objectives(bits)[feasible])
    assert told.value == pytest.approx(best, abs=tolerance(kind))
    by_hand = best_by_hand(instance)
    assert by_hand is None or told.value == pytest.approx(by_hand, abs=1e-9)


def test_many_and_one_are_judged_alike_and_within_the_bounds(instance, every):
    kind = kind_of(instance)
    bits = every(kind.variables)
    some = np.random.default_rng(1).permutation(len(bits))[:200]
    some = np.concatenate((some, np.flatnonzero(kind.feasible(bits))[:50]))
    feasible, objectives = kind.feasible(bits[some]), kind.objectives(bits[some])
    low, high = kind.bounds
    for row, assignment in enumerate(bits[some].tolist()):
        violations = kind.violations(assignment)
        assert feasible[row] == (not violations)
        if not violations:
            objective = kind.objective(assignment)
            assert objective == pytest.approx(objectives[row], abs=tolerance(kind))
            assert low - tolerance(kind) <= objective <= high + tolerance(kind)


def test_encoding_and_decoding_round_trip(any_problem):
    @settings(max_examples=150)
    @given(any_problem, st.randoms(use_true_random=False))
    def round_trips(problem, random):
        kind = kind_of(problem)
        bits = np.array([[random.getrandbits(1) for _ in range(kind.variables)] for _ in range(64)], np.uint8)
        for assignment in bits[kind.feasible(bits)].tolist():
            answer = kind.answer(assignment)
            if answer is None:
                continue
            again = kind.assignment(answer)
            assert kind.answer(again) == answer
            assert kind.objective(again) == kind.objective(assignment)
            if not isinstance(problem, VehicleRouting):  # helping variables mean nothing
                assert again == tuple(assignment)

    round_trips()


def test_every_tour_has_its_assignment_and_back():
    @given(st.integers(3, 9).flatmap(lambda n: st.permutations(range(1, n))), st.integers(0, 2**32))
    def round_trips(order, seed):
        n = len(order) + 1
        table = np.random.default_rng(seed).uniform(0, 9, size=(n, n))
        np.fill_diagonal(table, 0)
        kind = kind_of(TravellingSalesman(distances=tuple(tuple(map(float, row)) for row in table)))
        tour = Tour((0, *order))
        assignment = kind.assignment(tour)
        assert kind.violations(assignment) == ()
        assert kind.answer(assignment) == tour
        stops = [0, *order, 0]
        assert kind.objective(assignment) == pytest.approx(sum(table[a, b] for a, b in itertools.pairwise(stops)))

    round_trips()


def test_routes_say_order_load_and_length():
    line = tuple(tuple(float(abs(i - j)) for j in range(5)) for i in range(5))
    problem = VehicleRouting(distances=line, demands=(0.0, 1.0, 2.0, 3.0, 1.0), capacity=4.0, vehicles=2)
    kind = kind_of(problem)
    answer = Routes(((1, 2), (3, 4)), (3.0, 4.0), (4.0, 8.0))
    assignment = kind.assignment(answer)
    assert kind.violations(assignment) == ()
    assert kind.answer(assignment) == answer
    assert kind.objective(assignment) == 12.0
    assert (len(kind.sets), kind.idle) == (4 + 5 + 1, ()), "both vehicles are needed"


def test_vehicles_that_may_stay_are_counted_by_few_variables():
    n = 10
    far = tuple(tuple(float(i != j) for j in range(n)) for i in range(n))
    problem = VehicleRouting(distances=far, demands=(0.0,) + (1.0,) * (n - 1), capacity=1.5, vehicles=9)
    assert (kind_of(problem).idle, kind_of(problem).variables) == ((), 9)
    light = kind_of(VehicleRouting(distances=far, demands=(0.0,) + (0.1,) * (n - 1), capacity=1.5, vehicles=7))
    assert sum(light.idle) == 6
    assert light.idle == (1, 2, 3)


@pytest.mark.parametrize(
    ("problem", "assignment", "violation"),
    [
        (IndependentSet(edges=((0, 1), (1, 2))), (0, 1, 1), "nodes 1 and 2 are joined by an edge"),
        (TravellingSalesman(distances=((0.0,) * 3,) * 3), (1, 0, 1, 0), "place 1 of the tour is taken by 2 cities"),
        (TravellingSalesman(distances=((0.0,) * 3,) * 3), (1, 1, 0, 0), "city 1 is visited 2 times"),
        (
            VehicleRouting(distances=((0.0,) * 3,) * 3, demands=(0.0, 1.0, 1.0), capacity=2.0, vehicles=1),
            (1, 1, 0),
            "2 vehicles are used, there are 1",
        ),
        (
            VehicleRouting(distances=((0.0,) * 3,) * 3, demands=(0.0, 1.0, 1.0), capacity=2.0, vehicles=2),
            (1, 0, 1),
            "place 1 is visited 2 times",
        ),
        (
            Portfolio(returns=(0.1, 0.2), covariance=((0.1, 0.0), (0.0, 0.1)), choose=1),
            (1, 1),
            "2 assets are chosen, 1 were asked for",
        ),
    ],
)
def test_a_violation_is_named(problem, assignment, violation):
    told = tell(kind_of(problem), assignment, encoded=77.0)
    assert violation in told.violations
    assert (told.value, told.feasible, told.answer) == (77.0, False, None)


def test_of_many_violations_the_first_are_told():
    problem = IndependentSet(edges=tuple((i, j) for i in range(6) for j in range(i)))
    violations = kind_of(problem).violations((1,) * 6)
    assert len(violations) == 9
    assert violations[-1] == "and 7 more"


def test_a_planted_objective_out_of_bounds_is_caught(kind_name, make, every):
    kind, assignment = solved(make(kind_name), every)
    low, high = kind.bounds
    for planted in (high + 1 + abs(high), low - 1 - abs(low), math.nan, math.inf):
        assert "every one lies between" in contradiction(kind, assignment, planted, feasible=True)


def test_a_planted_objective_of_another_assignment_is_caught(kind_name, make, every):
    kind, assignment = solved(make(kind_name, 3), every)
    low, high = kind.bounds
    value = kind.objective(assignment)
    planted = value + 0.01 * (high - low) if value < (low + high) / 2 else value - 0.01 * (high - low)
    assert "is said to be" in contradiction(kind, assignment, planted, feasible=True)
    assert contradiction(kind, assignment, value, feasible=True) is None


def test_an_infeasible_answer_that_is_said_to_be_feasible_is_caught(kind_name, make, every):
    kind, assignment = solved(make(kind_name, 2), every)
    value, bits = kind.objective(assignment), every(kind.variables)
    wrong = bits[~kind.feasible(bits)]
    if kind.encoding().ceiling is None:
        assert not len(wrong)
        assert contradiction(kind, assignment, value, feasible=False) == "a feasible answer is said to be infeasible"
    else:
        said = contradiction(kind, wrong[0].tolist(), value, feasible=True)
        assert said.startswith("an infeasible answer is said to be feasible: ")
        assert contradiction(kind, wrong[0].tolist(), 1e9, feasible=False) is None


def test_an_assignment_of_another_width_is_caught(kind_name, make, every):
    kind, assignment = solved(make(kind_name), every)
    assert "variables is no answer" in contradiction(kind, (*assignment, 0), 0.0, feasible=True)


def solved(problem, every):
    kind = kind_of(problem)
    bits = every(kind.variables)
    return kind, bits[energies(kind.encoding().model, bits).argmin()].tolist()


def test_instances_are_documents_that_the_door_accepts(instance):
    body = encode_document(OptimizeJob(problem=instance))
    try:
        assert parse_document(body).problem == instance
    except DocumentError as error:
        pytest.fail(str(error))


def test_an_answer_of_another_kind_is_refused(kind_name, make):
    kind = kind_of(make(kind_name))
    foreign = Routes(((1,),), (1.0,), (1.0,)) if kind_name != "vehicle-routing" else Tour((0, 1, 2))
    with pytest.raises(ValueError, match="does not belong"):
        kind.assignment(foreign)


def test_places_that_share_no_vehicle_cost_no_orders():
    """Twelve customers, none of whom fit together: each has one trip, not 2^12 of them."""
    n = 13
    far = tuple(tuple(float(i != j) for j in range(n)) for i in range(n))
    kind = kind_of(VehicleRouting(distances=far, demands=(0.0,) + (1.0,) * (n - 1), capacity=1.0, vehicles=12))
    assert kind.variables == len(kind._trips._ends) == 12
    assert kind.objective((1,) * 12) == 24.0
