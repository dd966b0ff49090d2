"""Each classical method is held against enumeration, on random problems of every kind."""

import numpy as np
import pytest
from classical_cases import MAKERS, case_of, cases
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_contracts.problems import IndependentSet, Ising, MaxCut, NumberPartitioning, Portfolio, VehicleRouting
from quire_preprocessing.classical.baseline import ENUMERATION, METHODS, Budget, enumeration, run, solve
from quire_preprocessing.classical.bounding import evident, linear_program, tightened
from quire_preprocessing.classical.greedy import greedy
from quire_preprocessing.classical.relaxing import relaxation
from quire_preprocessing.classical.searching import annealing, descent, tabu
from quire_preprocessing.classical.tree import elimination_order, tree_decomposition
from quire_preprocessing.optimize.ising import energy_of
from quire_problems import tell, tolerance
from quire_resilience.clock import SystemClock

SEARCHES = {"simulated annealing": annealing, "tabu search": tabu, "steepest descent": descent}


def optimum(case):
    """The best objective, by looking at every assignment; None where nothing is feasible."""
    least = enumeration(case).assignment
    said = tell(case.kind, least, 0.0)
    return said.value if said.feasible else None


def objective(case, found):
    assert len(found.assignment) == case.kind.variables
    said = tell(case.kind, found.assignment, 0.0)
    return said.value if said.feasible else None


def lacks(case, value):
    """By how much a value is worse than the optimum."""
    return (value - optimum(case)) * (1 if case.kind.sense == "min" else -1)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("seed", range(6))
def test_searches_find_the_optimum_of_small_problems(name, seed):
    case = cases(seed, names=(name,))[name]
    for method, search in SEARCHES.items():
        found = search(case)
        value = objective(case, found)
        if optimum(case) is None:
            assert value is None
            continue
        assert not found.exact, f"{method} proves nothing"
        assert 1 <= found.hits <= found.runs
        if method != "steepest descent":
            assert value == pytest.approx(optimum(case), abs=1e-9), method
        if value is not None:
            assert lacks(case, value) >= -tolerance(case.kind)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("seed", range(6))
def test_greedy_is_feasible_and_no_better_than_the_optimum(name, seed):
    case = cases(seed, names=(name,))[name]
    found = greedy(case)
    if found.assignment is None or optimum(case) is None:
        assert name == "vehicle-routing", "only vehicles can be too few"
        return
    value = objective(case, found)
    assert value is not None
    assert lacks(case, value) >= -tolerance(case.kind)
    assert found.tuning


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("seed", range(6))
def test_tree_decomposition_finds_what_enumeration_finds(name, seed):
    case = cases(seed, names=(name,))[name]
    found = tree_decomposition(case)
    assert found.exact
    assert case.energy.of(found.assignment) == pytest.approx(case.energy.of(enumeration(case).assignment), rel=1e-12)


@settings(max_examples=60)
@given(st.sampled_from(sorted(MAKERS)), st.integers(0, 2**32))
def test_no_bound_is_on_the_wrong_side_of_the_optimum(name, seed):
    case = cases(seed, names=(name,))[name]
    best = optimum(case)
    if best is None:
        return
    sign = 1 if case.kind.sense == "min" else -1
    for found in (linear_program(case), relaxation(case)):
        bounds = [found.bound, evident(case)] if found.bound is not None else [evident(case)]
        for bound in bounds:
            assert sign * bound <= sign * best + tolerance(case.kind)
            assert sign * tightened(case, bound) <= sign * best + tolerance(case.kind)


@pytest.mark.parametrize("name", sorted(MAKERS.keys() - {"number-partitioning"}))
@pytest.mark.parametrize("seed", range(6))
def test_highs_proves_the_optimum_of_small_problems(name, seed):
    case = cases(seed, seconds=1.0, names=(name,))[name]
    found = linear_program(case)
    assert found.exact
    if optimum(case) is None:
        assert found.assignment is None
        return
    assert objective(case, found) == pytest.approx(optimum(case), rel=1e-6, abs=1e-6)
    assert found.bound == pytest.approx(optimum(case), rel=1e-4, abs=1e-4)


def test_a_method_that_does_not_apply_says_why():
    numbers = case_of(NumberPartitioning(numbers=tuple(map(float, range(1, 31)))))
    assert "perfect" in linear_program(numbers).note
    dense = case_of(Ising(n=60, j=tuple((i, j, 1.0 + i) for i in range(60) for j in range(i))))
    assert "densely" in tree_decomposition(dense).note
    assert "too large" in linear_program(dense).note
    assert "penalties" in relaxation(case_of(IndependentSet(edges=((0, 1), (1, 2))))).note


@pytest.mark.parametrize("method", [*SEARCHES.values(), linear_program, greedy, tree_decomposition])
def test_a_method_finds_the_same_again(method):
    random = np.random.default_rng(5)
    edges = tuple((i, j, float(random.normal())) for i in range(40) for j in range(i) if random.random() < 0.1)
    case = case_of(MaxCut(edges=edges, n=40), seed=9)
    assert method(case) == method(case)


def test_the_work_follows_the_budget_and_is_told():
    case = case_of(Ising(n=30, j=tuple((i, j, 1.0 + i) for i in range(30) for j in range(i))), seconds=0.02)
    longer = case_of(case.problem, seconds=0.2)
    for search in SEARCHES.values():
        short, long = search(case), search(longer)
        assert short.tuning != long.tuning
        assert case.energy.of(long.assignment) <= case.energy.of(short.assignment)


def test_elimination_orders_have_the_width_of_the_graph():
    chain = [(i, i + 1, 1.0) for i in range(30)]
    assert max(width for _, width in elimination_order(31, chain, 1e6)) == 1
    ring = [*chain, (0, 30, 1.0)]
    assert max(width for _, width in elimination_order(31, ring, 1e6)) == 2
    grid = [(5 * r + c, 5 * r + c + 1, 1.0) for r in range(5) for c in range(4)]
    grid += [(5 * r + c, 5 * r + c + 5, 1.0) for r in range(4) for c in range(5)]
    assert max(width for _, width in elimination_order(25, grid, 1e6)) == 5
    order = elimination_order(25, grid, 1e6)
    assert sorted(v for v, _ in order) == list(range(25))
    assert elimination_order(25, grid, 100) is None, "too much work"
    whole = [(i, j, 1.0) for i in range(40) for j in range(i + 1, 40)]
    assert elimination_order(40, whole, 1e15) is None, "too wide"


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_all_methods_is_the_optimum_in_the_problems_own_terms(name, seed):
    case = cases(seed, seconds=0.1, names=(name,))[name]
    exact, raced = (run(case, each, SystemClock()).baseline for each in ({ENUMERATION: enumeration}, METHODS))
    assert exact.exact
    assert raced.feasible == exact.feasible
    assert raced.exact or name == "number-partitioning"
    if exact.feasible:
        assert raced.value == pytest.approx(exact.value, rel=1e-6, abs=1e-9)
        assert raced.value == case.kind.objective(raced.assignment)
        assert raced.answer == case.kind.answer(raced.assignment)
        assert raced.gap == pytest.approx(abs(raced.value - raced.bound) / max(1, abs(raced.bound)))
    else:
        assert (raced.bound, raced.gap) == (None, None)
        assert raced.violations


def test_vehicles_that_cannot_carry_everything_are_proven_to_be_too_few():
    """Three places of 2 in two vehicles of 3: the sums fit, the places do not; HiGHS proves it."""
    square = ((0.0, 1.0, 5.0, 4.0), (1.0, 0.0, 1.0, 5.0), (5.0, 1.0, 0.0, 2.0), (4.0, 5.0, 2.0, 0.0))
    problem = VehicleRouting(distances=square, demands=(0.0, 2.0, 2.0, 2.0), capacity=3.0, vehicles=2)
    methods = {name: METHODS[name] for name in ("greedy", "linear program (HiGHS)", "simulated annealing")}
    baseline = run(case_of(problem), methods, SystemClock()).baseline
    assert baseline.exact
    assert not baseline.feasible
    assert baseline.violations
    assert [tried.value is None for tried in baseline.tried] == [True, True, False]


def test_wide_problems_of_every_shape_have_a_baseline_with_a_bound():
    random = np.random.default_rng(3)
    sparse = tuple((i, j, 1.0) for i in range(200) for j in range(i) if random.random() < 0.02)
    dense = tuple((i, j, float(random.normal())) for i in range(120) for j in range(i))
    for problem in (MaxCut(edges=sparse, n=200), Ising(n=120, j=dense)):
        energy = energy_of(problem)
        solved = solve(problem, energy, 1, SystemClock(), Budget(seconds=0.1))
        baseline = solved.baseline
        assert baseline.feasible
        assert baseline.bound is not None
        assert 0 <= baseline.gap < 0.6
        assert list(solved.seconds) == [tried.method for tried in baseline.tried]
        assert baseline.budget_seconds == 0.1
        assert {tried.feasible for tried in baseline.tried if tried.value is not None} == {True}


def test_a_portfolio_is_bounded_closely_and_a_dense_glass_by_its_eigenvalues():
    random = np.random.default_rng(8)
    factors = random.normal(0, 0.1, size=(60, 4))
    covariance = tuple(tuple(map(float, row)) for row in factors @ factors.T)
    returns = tuple(map(float, random.normal(0.1, 0.1, size=60)))
    assets = case_of(Portfolio(returns=returns, covariance=covariance, choose=8, risk_aversion=1.0), seconds=0.2)
    best = max(objective(assets, search(assets)) for search in SEARCHES.values())
    assert best <= relaxation(assets).bound <= best + 0.1 * abs(best)
    glass = case_of(Ising(n=60, j=tuple((i, j, float(random.normal())) for i in range(60) for j in range(i))))
    best = min(objective(glass, search(glass)) for search in SEARCHES.values())
    weights = sum(abs(weight) for _, _, weight in glass.energy.couplings)
    assert best >= relaxation(glass).bound >= -weights / 2, "half as far as all weights, or nearer"
