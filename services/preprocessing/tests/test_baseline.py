"""The classical answer is the optimum where it says so, and never worse than it says elsewhere."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.document import OptimizeJob
from quire_contracts.intake import parse_document
from quire_contracts.problems import Ising, MaxCut, Qubo
from quire_preprocessing.classical import enumeration
from quire_preprocessing.classical.baseline import ENUMERATION, METHODS, Budget, run, solve
from quire_preprocessing.classical.case import Case
from quire_preprocessing.classical.enumeration import enumerate_all
from quire_preprocessing.optimize.ising import Energy, energy_of
from quire_problems import kind_of
from quire_resilience.clock import SystemClock

SHORT = Budget(seconds=0.1, exact_variables=0)
KARATE = Path(__file__).parents[3] / "examples" / "karate_club.json"


@st.composite
def energies(draw):
    n = draw(st.integers(1, 8))
    whole = st.integers(-9, 9).map(float)
    fields = tuple(draw(st.lists(whole, min_size=n, max_size=n)))
    pairs = [(i, j, draw(whole)) for i in range(n) for j in range(i + 1, n) if draw(st.booleans())]
    return Energy(n, fields, tuple(pair for pair in pairs if pair[2]), draw(whole), draw(st.sampled_from((1, -1))))


def spin_glass(n, seed=0):
    random = np.random.default_rng(seed)
    pairs = tuple((i, j, float(random.normal())) for i in range(n) for j in range(i))
    return Ising(n=n, h=tuple(map(float, random.normal(size=n))), j=pairs)


def mirrored(problem):
    pairs = tuple((i, j, -weight) for i, j, weight in problem.j)
    return Ising(n=problem.n, h=tuple(-h for h in problem.h), j=pairs, offset=-problem.offset)


def solved(problem, budget=None, seed=1):
    return solve(problem, energy_of(problem), seed, SystemClock(), budget).baseline


def tried(problem, name, seed=1, seconds=0.1):
    """The baseline of one method alone."""
    case = Case(problem, kind_of(problem), energy_of(problem), seed, seconds)
    return run(case, {name: METHODS[name]}, SystemClock()).baseline


@pytest.mark.parametrize("block", [1, 3, 16])
@given(energies())
def test_enumeration_finds_both_ends(block, energy):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enumeration, "_BLOCK", block)
        found = enumerate_all(energy)
    every = list(itertools.product((0, 1), repeat=energy.variables))
    by_number = sorted(every, key=lambda bits: bits[::-1])
    assert found.least == min(by_number, key=energy.of)
    assert found.greatest == max(by_number, key=energy.of)


def test_enumeration_of_24_variables_is_no_worse_than_annealing():
    problem = spin_glass(24)
    exact, annealed = solved(problem), tried(problem, "simulated annealing")
    assert exact.exact
    assert exact.method == exact.bound_method == ENUMERATION
    assert (exact.bound, exact.gap) == (exact.value, 0.0)
    assert exact.budget_seconds == 0, "it has as long as it takes"
    assert exact.value <= annealed.value
    assert exact.worst == -solved(mirrored(problem)).value


def test_florentine_families_have_a_cut_of_17():
    networkx = pytest.importorskip("networkx")
    graph = networkx.convert_node_labels_to_integers(networkx.florentine_families_graph())
    problem = MaxCut(edges=tuple((i, j, 1.0) for i, j in graph.edges))
    exact, annealed = solved(problem), tried(problem, "simulated annealing")
    assert (exact.value, exact.worst, exact.exact) == (17.0, 0.0, True)
    assert (annealed.value, annealed.worst, annealed.exact) == (17.0, 0.0, False)
    assert annealed.method == "simulated annealing"
    assert (annealed.bound, annealed.bound_method) == (20.0, "the problem's own figures")
    assert annealed.gap == pytest.approx(3 / 20)


@pytest.mark.parametrize("prover", ["tree decomposition", "linear program (HiGHS)"])
def test_the_karate_club_has_a_cut_of_61_proven_in_two_ways(prover):
    document = parse_document(KARATE.read_bytes())
    assert isinstance(document, OptimizeJob)
    assert kind_of(document.problem).variables == 34
    assert len(document.problem.edges) == 78
    baseline = tried(document.problem, prover, seconds=5.0)
    assert (baseline.value, baseline.bound, baseline.exact, baseline.gap) == (61.0, 61.0, True, 0.0)
    assert baseline.bound_method == prover


def test_the_karate_club_is_networkxs():
    networkx = pytest.importorskip("networkx")
    edges = json.loads(KARATE.read_text("utf-8"))["problem"]["edges"]
    assert {frozenset(edge[:2]) for edge in edges} == {frozenset(edge) for edge in networkx.karate_club_graph().edges}
    assert {weight for _, _, weight in edges} == {1}


def test_annealing_is_the_same_for_a_seed_and_finds_a_good_answer():
    problem = spin_glass(40)
    first, second = (tried(problem, "simulated annealing", 7) for _ in range(2))
    assert first == second
    assert not first.exact
    assert first.worst is None
    random = np.random.default_rng(1)
    energy = energy_of(problem)
    assert first.value < min(energy.objective(bits) for bits in random.integers(0, 2, (1_000, 40)).tolist())


def test_the_whole_race_is_the_same_for_a_seed():
    problem = spin_glass(32)
    first, second = (solved(problem, SHORT, seed=4) for _ in range(2))
    assert first == second
    assert [each.method for each in first.tried] == list(METHODS)


def test_annealing_ignores_the_size_of_the_weights():
    edges = tuple((i, j, 1.0) for i in range(12) for j in range(i) if (i * j) % 3)
    answers = [
        tried(MaxCut(edges=tuple((i, j, w * size) for i, j, w in edges)), "simulated annealing").assignment
        for size in (1.0, 1e-120, 1e120)
    ]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("size", [1e-120, 1.0, 1e120])
def test_every_method_takes_weights_of_any_size(size):
    problem = MaxCut(edges=tuple((i, (i + 1) % 7, size * (1 + i % 2)) for i in range(7)))
    baseline = solved(problem, SHORT)
    assert baseline.value == pytest.approx(solved(problem).value, rel=1e-6)
    assert baseline.exact


@pytest.mark.parametrize("exact_variables", [0, 24])
def test_one_variable_and_unused_variables_have_a_value(exact_variables):
    budget = Budget(seconds=0.05, exact_variables=exact_variables)
    one = solved(Qubo(n=1, linear=(-3.0,)), budget)
    assert (one.value, one.assignment, one.worst) == (-3.0, (1,), 0.0)
    spare = solved(Ising(n=3, h=(0.0, 2.0, 0.0)), budget)
    assert (spare.value, spare.assignment[1], spare.worst) == (-2.0, 1, 2.0)


def test_one_variable_and_unused_variables_are_no_trouble_to_any_method():
    for problem in (
        Qubo(n=1, linear=(-3.0,)),
        Ising(n=3, h=(0.0, 2.0, 0.0)),
        MaxCut(edges=((0, 2, -1.0), (2, 3, 2.0))),
    ):
        best = solved(problem).value
        for name in METHODS.keys() - {"continuous relaxation"}:
            assert tried(problem, name).value == best, name


def test_seeds_of_any_size_are_taken():
    problem = spin_glass(5)
    for seed in (0, -1, 2**53 - 1, 2**200):
        assert tried(problem, "simulated annealing", seed).value == solved(problem).value


def test_an_answer_as_good_as_the_bound_is_proven_by_it():
    """Every edge of a path can be cut: greedy does it, and no more methods are asked."""
    baseline = solved(MaxCut(edges=tuple((i, i + 1, 1.0) for i in range(30))), SHORT)
    assert (baseline.value, baseline.exact, baseline.bound_method) == (30.0, True, "the problem's own figures")
    assert [each.method for each in baseline.tried] == ["greedy"]
