"""Samples are scored by their problem: the best feasible one counts, and what contradicts the problem is caught."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_aggregation.checks import CHECKS, examine
from quire_aggregation.evidence import Evidence
from quire_aggregation.question import Question
from quire_aggregation.scoring import energy_at, score
from quire_aggregation.solving import solve
from quire_aggregation.yardstick import yardstick
from quire_contracts.answers import Holdings, Parts, Routes, Subset, Tour
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
from quire_contracts.result import Best
from quire_contracts.task import Scoring
from quire_contracts.value import Observable
from quire_quantum.counts import pack
from quire_quantum.observables import group
from quire_resilience.errors import Permanent

SQUARE = ((0.0, 1.0, 5.0, 4.0), (1.0, 0.0, 1.0, 5.0), (5.0, 1.0, 0.0, 2.0), (4.0, 5.0, 2.0, 0.0))
PROBLEMS = {
    "maxcut": MaxCut(edges=((0, 1, 1.0), (1, 2, 2.0))),
    "qubo": Qubo(n=3, linear=(1.0, -2.0, 0.5), quadratic=((0, 1, 3.0), (1, 2, -1.0)), offset=1.0),
    "ising": Ising(n=3, h=(1.0, 0.0, 0.5), j=((0, 1, 1.0), (1, 2, -1.0))),
    "independent-set": IndependentSet(edges=((0, 1), (1, 2), (2, 3)), weights=(1.0, 3.0, 1.0, 1.0)),
    "number-partitioning": NumberPartitioning(numbers=(8.0, 7.0, 6.0, 5.0, 4.0)),
    "travelling-salesman": TravellingSalesman(distances=SQUARE),
    "vehicle-routing": VehicleRouting(distances=SQUARE, demands=(0.0, 1.0, 1.0, 1.0), capacity=2.0, vehicles=2),
    "portfolio": Portfolio(
        returns=(3.0, 2.0, 1.0),
        covariance=((1.0, 2.0, 0.0), (2.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        choose=2,
        risk_aversion=1.0,
    ),
}
OPTIMA = {
    "maxcut": (3.0, Parts(((0, 2), (1,)))),
    "qubo": (-1.5, None),
    "ising": (-2.5, None),
    "independent-set": (4.0, Subset((1, 3))),
    "number-partitioning": (0.0, Parts(((2, 3, 4), (0, 1)), (15.0, 15.0))),
    "travelling-salesman": (8.0, Tour((0, 3, 2, 1))),
    "vehicle-routing": (13.0, Routes(((1,), (2, 3)), (1.0, 2.0), (2.0, 11.0))),
    "portfolio": (2.0, Holdings((0, 2), 4.0, 2.0)),
}
CONSTRAINED = ["independent-set", "travelling-salesman", "vehicle-routing", "portfolio"]


def label(bits, *ones):
    return "".join("Z" if bit in ones else "I" for bit in reversed(range(bits)))


def observable_of(measure):
    """The encoding as a Pauli sum, by substituting x = (1 - Z) / 2."""
    model, bits = measure.encoding.model, measure.kind.variables
    terms = {label(bits): model.offset}

    def add(key, weight):
        terms[key] = terms.get(key, 0.0) + weight

    if isinstance(model, Ising):
        for i, h in enumerate(model.h):
            add(label(bits, i), h)
        for i, j, weight in model.j:
            add(label(bits, i, j), weight)
    else:
        for i, a in enumerate(model.linear):
            add(label(bits), a / 2)
            add(label(bits, i), -a / 2)
        for i, j, weight in model.quadratic:
            for key, sign in ((label(bits), 1), (label(bits, i), -1), (label(bits, j), -1), (label(bits, i, j), 1)):
                add(key, sign * weight / 4)
    return Observable(tuple(sorted(terms)), tuple(terms[key] for key in sorted(terms)))


def case(name, rows, **scoring):
    """Evidence of these rows of counts, whose keys are assignments, variable 0 first."""
    measure = yardstick(msgspec.json.encode(PROBLEMS[name]))
    observable, bits = observable_of(measure), measure.kind.variables
    counts = pack([{outcome[::-1]: shots for outcome, shots in row.items()} for row in rows], bits=bits)
    question = Question(bits=bits, shots=100, observables=(observable,), grouping=group((observable,)))
    asked = Scoring(scale=measure.encoding.scale, **scoring)
    return counts, Evidence(question, len(rows), (), asked, measure)


def solved(name, rows, **scoring):
    counts, evidence = case(name, rows, **scoring)
    return solve(counts, evidence.question.observables[0], evidence.scoring, evidence.yardstick)


def every(name):
    measure = yardstick(msgspec.json.encode(PROBLEMS[name]))
    return [format(number, f"0{measure.kind.variables}b") for number in range(2**measure.kind.variables)]


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_best_of_all_assignments_is_the_optimum_in_the_problems_terms(name):
    best = solved(name, [dict.fromkeys(every(name), 1)]).best
    value, answer = OPTIMA[name]
    assert best.value == pytest.approx(value, abs=1e-12)
    assert (best.feasible, best.violations) == (True, ())
    if isinstance(answer, Tour):
        assert answer.stops in (best.answer.stops, (0, *best.answer.stops[:0:-1]))
    else:
        assert best.answer == answer


@pytest.mark.parametrize("name", PROBLEMS)
@settings(max_examples=40)
@given(data=st.data())
def test_any_samples_are_scored_as_their_problem_says(name, data):
    rows = data.draw(
        st.lists(st.dictionaries(st.sampled_from(every(name)), st.integers(1, 9), min_size=1), min_size=1, max_size=3)
    )
    scored, measure = solved(name, rows), yardstick(msgspec.json.encode(PROBLEMS[name]))
    kind, scale = measure.kind, measure.encoding.scale
    shots = {}
    for row in rows:
        for outcome, number in row.items():
            shots[outcome] = shots.get(outcome, 0) + number
    feasible = {o: kind.objective([int(b) for b in o]) for o in shots if not kind.violations([int(b) for b in o])}
    total, good = sum(shots.values()), sum(shots[o] for o in feasible)
    assert scored.best.feasible == bool(feasible)
    assert scored.figures.feasible_share == (good / total if name in CONSTRAINED else None)
    if feasible:
        best = min(feasible.values(), key=lambda value: scale * value)
        assert scored.best.value == pytest.approx(best, abs=1e-9)
        hits = sum(shots[o] for o, value in feasible.items() if abs(value - best) < 1e-9)
        assert scored.figures.success_probability == pytest.approx(hits / total)
        mean = sum(shots[o] * value for o, value in feasible.items()) / good
        assert scored.figures.mean_objective == pytest.approx(mean, abs=1e-9)
        own = shots["".join(map(str, scored.best.assignment))]
        assert scored.best.probability == pytest.approx(own / total)
    else:
        assert scored.best.violations
        assert (scored.best.answer, scored.figures.mean_objective, scored.figures.gap) == (None, None, None)


@pytest.mark.parametrize("name", ["maxcut", "qubo", "ising"])
def test_what_has_no_constraints_is_scored_as_by_its_energy(name):
    counts, evidence = case(name, [dict.fromkeys(every(name), 3)], reference=1.0, worst=5.0, reference_exact=True)
    by_energy = score(counts, evidence.question.observables[0], evidence.scoring)
    by_problem = solve(counts, evidence.question.observables[0], evidence.scoring, evidence.yardstick)
    assert by_problem.best.assignment == by_energy.best.assignment
    assert by_problem.best.value == pytest.approx(by_energy.best.value)
    assert msgspec.to_builtins(by_problem.figures) == pytest.approx(msgspec.to_builtins(by_energy.figures))


def test_a_feasible_sample_beats_an_earlier_infeasible_one_whatever_its_value():
    worse = Best(-99.0, (1, 1, 0, 0), feasible=False, violations=("nodes 0 and 1 are joined by an edge",))
    best = solved("independent-set", [{"1000": 5}], best=worse).best
    assert (best.value, best.feasible, best.assignment) == (1.0, True, (1, 0, 0, 0))


def test_an_earlier_feasible_answer_stays_before_infeasible_samples():
    earlier = Best(1.0, (1, 0, 0, 0), answer=Subset((0,)))
    scored = solved("independent-set", [{"1111": 5}], best=earlier, reference=4.0, worst=0.0, reference_exact=True)
    assert (scored.best.value, scored.best.probability, scored.best.answer) == (1.0, 0.0, Subset((0,)))
    assert (scored.figures.approximation_ratio, scored.figures.optimal, scored.figures.feasible_share) == (
        0.25,
        False,
        0.0,
    )


def test_without_samples_the_earlier_answer_is_scored():
    counts, evidence = case("independent-set", [{"1000": 5}], reference=4.0, worst=0.0, best=Best(1.0, (1, 0, 0, 0)))
    assert counts is not None
    scored = solve(None, evidence.question.observables[0], evidence.scoring, evidence.yardstick)
    assert (scored.best, scored.figures.approximation_ratio) == (evidence.scoring.best, 0.25)


def test_helping_variables_change_no_value():
    problem = VehicleRouting(distances=SQUARE, demands=(0.0, 1.0, 1.0, 1.0), capacity=3.0, vehicles=2)
    measure = yardstick(msgspec.json.encode(problem))
    assert (len(measure.kind.sets), measure.kind.idle) == (7, (1,))
    observable = observable_of(measure)
    for helping in "01":  # one route through all places; the other vehicle stays, or is said not to
        counts = pack([{(helping + "1000000"): 10}], bits=8)
        best = solve(counts, observable, Scoring(scale=1), measure).best
        assert (best.value, best.feasible) == (8.0, True)
        assert best.answer.routes in (((1, 2, 3),), ((3, 2, 1),)), "the way back is as long"


def judged(counted, name, rows, **scoring):
    counts, evidence = case(name, rows, **scoring)
    return replace(evidence, pieces=(counted(0, counts),))


@pytest.mark.parametrize("name", PROBLEMS)
def test_right_answers_pass_every_check(counted, name):
    outcomes = every(name)
    shots = dict.fromkeys(outcomes[:99], 1)
    shots[outcomes[0]] += 100 - len(shots)
    value = OPTIMA[name][0]
    verdict = examine(judged(counted, name, [shots], reference=value, reference_exact=True))
    assert verdict.fault is None, verdict.fault
    elsewhere = {"bound", "steady", "ground", "kernel", "errors"}
    assert verdict.passed == tuple(check.name for check in CHECKS if check.name not in elsewhere)


def caught(evidence):
    fault = examine(evidence).fault
    assert fault is not None
    return fault.code.removeprefix("check-"), fault.reason


def anything(name):
    """A hundred shots at one feasible assignment."""
    measure = yardstick(msgspec.json.encode(PROBLEMS[name]))
    bits = np.array([[int(b) for b in outcome] for outcome in every(name)], np.uint8)
    found = bits[measure.kind.feasible(bits)][0].tolist()
    return measure.kind, found, [{"".join(map(str, found)): 100}]


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_planted_objective_out_of_bounds_is_caught(counted, name):
    kind, assignment, rows = anything(name)
    low, high = kind.bounds
    planted = Best(high + 1 if kind.sense == "max" else low - 1, tuple(assignment))
    code, reason = caught(judged(counted, name, rows, best=planted))
    assert code == "solution"
    assert "cannot be" in reason


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_planted_objective_that_is_not_the_assignments_is_caught(counted, name):
    kind, assignment, rows = anything(name)
    low, high = kind.bounds
    best = high if kind.sense == "max" else low
    if abs(kind.objective(assignment) - best) < 1e-6:
        assignment = next(
            a
            for a in ([int(b) for b in o] for o in every(name))
            if not kind.violations(a) and abs(kind.objective(a) - best) > 1e-6
        )
    code, reason = caught(judged(counted, name, rows, best=Best(best, tuple(assignment))))
    assert code == "solution"
    assert "is said to be" in reason


@pytest.mark.parametrize("name", CONSTRAINED)
def test_an_infeasible_answer_said_to_be_feasible_is_caught(counted, name):
    kind, _, rows = anything(name)
    wrong = next(a for a in ([int(b) for b in o] for o in every(name)) if kind.violations(a))
    low, high = kind.bounds
    code, reason = caught(judged(counted, name, rows, best=Best(high if kind.sense == "max" else low, tuple(wrong))))
    assert code == "solution"
    assert "is said to be feasible" in reason


@pytest.mark.parametrize(
    "name", sorted(PROBLEMS.keys() - {"vehicle-routing"})
)  # its feasible ones read alike both ways
def test_an_encoding_with_its_bits_turned_around_is_caught(counted, name):
    measure = yardstick(msgspec.json.encode(PROBLEMS[name]))
    right = observable_of(measure)
    turned = Observable(tuple(text[::-1] for text in right.labels), right.coefficients)
    feasible = [outcome for outcome in every(name) if not measure.kind.violations([int(bit) for bit in outcome])]
    differing = [o for o in feasible if abs(at(right, o) - at(turned, o)) > 1e-3]
    evidence = judged(counted, name, [{differing[0]: 100}])
    question = replace(evidence.question, observables=(turned,), grouping=group((turned,)))
    code, reason = caught(replace(evidence, question=question))
    assert code == "solution"
    assert "its energy is" in reason


def at(observable, outcome):
    return energy_at(observable, tuple(int(bit) for bit in outcome))


def test_a_problem_of_another_width_is_caught(counted):
    evidence = judged(counted, "maxcut", [{"000": 100}])
    other = yardstick(msgspec.json.encode(PROBLEMS["independent-set"]))
    code, reason = caught(replace(evidence, yardstick=other))
    assert (code, reason.endswith("the problem has 4 variables, outcomes have 3 bits")) == ("solution", True)


def test_a_value_better_than_the_proven_optimum_is_caught_in_own_terms(counted):
    evidence = judged(counted, "number-partitioning", [{"11000": 100}], reference=2.0, reference_exact=True)
    assert caught(evidence)[0] == "optimum"


def test_a_problem_that_cannot_be_read_is_permanent():
    with pytest.raises(Permanent, match="cannot be read"):
        yardstick(b'{"type": "unheard-of"}')
