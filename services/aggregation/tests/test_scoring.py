"""Energies against brute force, and figures against values worked out by hand."""

from __future__ import annotations

import itertools
import time

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_aggregation.scoring import energies, is_diagonal, score, tolerance
from quire_contracts.result import Best
from quire_contracts.task import Scoring
from quire_contracts.value import Observable
from quire_quantum.counts import pack, pack_integers
from quire_quantum.observables import expectation, group

labels = st.text("IZ", min_size=1, max_size=9)


def energy_of(outcome: str, observable: Observable) -> float:
    """The definition: the product of the signs of a term's qubits, term by term, right-most character first."""
    total = 0.0
    for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
        sign = 1
        for pauli, bit in zip(label, outcome, strict=True):
            sign *= -1 if pauli == "Z" and bit == "1" else 1
        total += coefficient * sign
    return total


@st.composite
def problems(draw):
    qubits = draw(st.integers(1, 9))
    terms = draw(st.sets(st.text("IZ", min_size=qubits, max_size=qubits), min_size=1, max_size=12))
    observable = Observable(tuple(sorted(terms)), tuple(draw(st.floats(-5, 5)) for _ in terms))
    outcomes = st.text("01", min_size=qubits, max_size=qubits)
    rows = draw(st.lists(st.dictionaries(outcomes, st.integers(1, 50), min_size=1), min_size=1, max_size=4))
    return qubits, observable, rows


@given(problems())
def test_energies_are_those_of_the_definition(problem):
    qubits, observable, rows = problem
    counts = pack(rows, bits=qubits)
    expected = [energy_of(outcome, observable) for row in rows for outcome in sorted(row)]
    np.testing.assert_allclose(energies(counts, observable), expected, atol=1e-12)


@given(problems())
def test_mean_of_the_energies_is_the_expectation_value(problem):
    qubits, observable, rows = problem
    counts = pack(rows[:1], bits=qubits)
    value, _ = expectation(counts, [observable], group([observable]))
    figures = score(counts, observable, Scoring(scale=1)).figures
    assert figures.mean_objective == pytest.approx(value[0, 0], abs=1e-9)


@given(problems(), st.sampled_from([1, -1]))
def test_best_is_the_lowest_energy_and_its_assignment_gives_it(problem, scale):
    qubits, observable, rows = problem
    best = score(pack(rows, bits=qubits), observable, Scoring(scale=scale)).best
    lowest = min(energy_of(outcome, observable) for row in rows for outcome in row)
    outcome = "".join(map(str, reversed(best.assignment)))
    equal = 1.001 * tolerance(observable)  # of equally good outcomes it is the lowest number, not the lowest energy
    assert best.value == pytest.approx(scale * lowest, abs=equal)
    assert energy_of(outcome, observable) == pytest.approx(lowest, abs=equal)
    shots = sum(sum(row.values()) for row in rows)
    assert best.probability == pytest.approx(sum(row.get(outcome, 0) for row in rows) / shots)


def test_variable_i_is_qubit_i():
    observable = Observable(("IIZ", "IZI", "ZII"), (1.0, 2.0, -4.0))
    best = score(pack([{"011": 1, "100": 1}], bits=3), observable, Scoring(scale=1)).best
    assert (best.value, best.assignment) == (-7.0, (1, 1, 0))


def test_figures_of_a_path_of_three(cut_problem):
    scored = score(cut_problem.counts, cut_problem.question.observables[0], cut_problem.scoring)
    assert scored.best == Best(2.0, (0, 1, 0), 0.15)
    figures = scored.figures
    assert (figures.approximation_ratio, figures.gap, figures.optimal) == (1.0, 0.0, True)
    assert figures.success_probability == pytest.approx((30 + 10) / 200)
    assert figures.mean_objective == pytest.approx((30 * 2 + 20 * 1 + 10 * 2) / 200)


def test_figures_short_of_the_optimum(cut_problem):
    observable = cut_problem.question.observables[0]
    scored = score(pack([{"001": 25, "000": 75}], bits=3), observable, cut_problem.scoring)
    assert scored.best == Best(1.0, (1, 0, 0), 0.25)
    figures = scored.figures
    assert (figures.approximation_ratio, figures.gap, figures.optimal) == (0.5, 0.5, False)
    assert figures.success_probability == 0.25


def test_ratio_of_a_minimisation():
    scoring = Scoring(scale=1, reference=-4.0, worst=6.0)
    figures = score(pack([{"0": 1}], bits=1), Observable(("I", "Z"), (-1.0, -1.0)), scoring).figures
    assert figures.approximation_ratio == pytest.approx(0.8)
    assert figures.gap == pytest.approx(2 / 4)
    assert figures.optimal is None


def test_figures_without_a_yardstick_are_none(cut_problem):
    observable, counts = cut_problem.question.observables[0], cut_problem.counts
    without = score(counts, observable, Scoring(scale=-1)).figures
    assert (without.approximation_ratio, without.gap, without.optimal) == (None, None, None)
    flat = score(counts, observable, Scoring(scale=-1, reference=2.0, worst=2.0)).figures
    assert (flat.approximation_ratio, flat.gap) == (None, 0.0)


def test_earlier_better_answer_stays_with_its_share_of_these_shots(cut_problem):
    observable = cut_problem.question.observables[0]
    scoring = msgspec.structs.replace(cut_problem.scoring, best=Best(2.0, (0, 1, 0), 0.9))
    scored = score(pack([{"001": 25, "000": 75}], bits=3), observable, scoring)
    assert scored.best == Best(2.0, (0, 1, 0), 0.0)
    assert scored.figures.success_probability == 0.0
    assert scored.figures.optimal is True


def test_earlier_equally_good_answer_stays(cut_problem):
    scoring = msgspec.structs.replace(cut_problem.scoring, best=Best(2.0, (1, 0, 1)))
    assert score(cut_problem.counts, cut_problem.question.observables[0], scoring).best == Best(2.0, (1, 0, 1), 0.05)


def test_earlier_worse_answer_is_replaced(cut_problem):
    scoring = msgspec.structs.replace(cut_problem.scoring, best=Best(1.0, (1, 0, 0), 0.9))
    assert score(cut_problem.counts, cut_problem.question.observables[0], scoring).best.assignment == (0, 1, 0)


def test_without_samples_the_earlier_answer_is_scored(cut_problem):
    observable = cut_problem.question.observables[0]
    scoring = msgspec.structs.replace(cut_problem.scoring, best=Best(1.0, (1, 0, 0), 0.9))
    scored = score(None, observable, scoring)
    assert scored.best == scoring.best
    assert scored.figures.approximation_ratio == 0.5
    assert scored.figures.mean_objective is None
    assert score(None, observable, cut_problem.scoring).best is None


@settings(max_examples=30)
@given(problems(), st.randoms())
def test_order_of_the_rows_does_not_matter(problem, random):
    qubits, observable, rows = problem
    shuffled = random.sample(rows, len(rows))
    one = score(pack(rows, bits=qubits), observable, Scoring(scale=-1))
    other = score(pack(shuffled, bits=qubits), observable, Scoring(scale=-1))
    assert one.best == other.best


def test_only_i_and_z_are_diagonal():
    assert is_diagonal(Observable(("IZ", "ZZ"), (1.0, 1.0)))
    assert not is_diagonal(Observable(("IZ", "XZ"), (1.0, 1.0)))


def test_wide_problems_reach_beyond_one_word():
    qubits = 130
    label = ["I"] * qubits
    label[-1 - 100] = "Z"
    outcome = "0" * 29 + "1" + "0" * 100
    counts = pack([{outcome: 1, "0" * qubits: 1}], bits=qubits)
    assert energies(counts, Observable(("".join(label),), (2.0,))).tolist() == [2.0, -2.0]


def test_a_million_outcomes_of_24_qubits_take_seconds_at_most():
    qubits, random = 24, np.random.default_rng(5)
    pairs = list(itertools.combinations(range(qubits), 2))
    labels = tuple("".join("Z" if qubit in pair else "I" for qubit in reversed(range(qubits))) for pair in pairs)
    observable = Observable(labels, tuple(random.normal(size=len(pairs)).tolist()))
    numbers = random.choice(2**qubits, 1_000_000)
    counts = pack_integers([(numbers, np.ones_like(numbers))], bits=qubits)
    began = time.perf_counter()
    scored = score(counts, observable, Scoring(scale=1))
    assert time.perf_counter() - began < 5.0
    assert scored.best.value <= scored.figures.mean_objective
