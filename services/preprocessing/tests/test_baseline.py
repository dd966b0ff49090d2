"""The classical answer is the optimum where it says so, and never worse than it says elsewhere."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.problems import Ising, MaxCut, Qubo
from quire_preprocessing import enumeration
from quire_preprocessing.baseline import solve
from quire_preprocessing.enumeration import enumerate_all
from quire_preprocessing.ising import Energy, energy_of


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
    return energy_of(Ising(n=n, h=tuple(map(float, random.normal(size=n))), j=pairs))


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
    energy = spin_glass(24)
    exact, annealed = solve(energy, 1), solve(energy, 1, exact_variables=0)
    assert exact.exact
    assert exact.method == "exact enumeration"
    assert exact.value <= annealed.value
    assert exact.worst == -solve(mirrored(energy), 1).value


def mirrored(energy):
    return Energy(
        energy.variables,
        tuple(-h for h in energy.fields),
        tuple((i, j, -weight) for i, j, weight in energy.couplings),
        -energy.offset,
        energy.scale,
    )


def test_florentine_families_have_a_cut_of_17():
    networkx = pytest.importorskip("networkx")
    graph = networkx.convert_node_labels_to_integers(networkx.florentine_families_graph())
    energy = energy_of(MaxCut(edges=tuple((i, j, 1.0) for i, j in graph.edges)))
    exact, annealed = solve(energy, 3), solve(energy, 3, exact_variables=14)
    assert (exact.value, exact.worst, exact.exact) == (17.0, 0.0, True)
    assert (annealed.value, annealed.worst, annealed.exact) == (17.0, 0.0, False)
    assert annealed.method == "simulated annealing"
    assert energy.objective(annealed.assignment) == 17.0


def test_annealing_is_the_same_for_a_seed_and_finds_a_good_answer():
    energy = spin_glass(40)
    first, second = solve(energy, 7), solve(energy, 7)
    assert first == second
    assert not first.exact
    assert first.worst is None
    random = np.random.default_rng(1)
    assert first.value < min(energy.objective(bits) for bits in random.integers(0, 2, (1_000, 40)).tolist())


def test_annealing_ignores_the_size_of_the_weights():
    edges = tuple((i, j, 1.0) for i in range(12) for j in range(i) if (i * j) % 3)
    answers = [
        solve(energy_of(MaxCut(edges=tuple((i, j, w * size) for i, j, w in edges))), 1, exact_variables=0).assignment
        for size in (1.0, 1e-120, 1e120)
    ]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("exact_variables", [0, 24])
def test_one_variable_and_unused_variables_have_a_value(exact_variables):
    one = solve(energy_of(Qubo(n=1, linear=(-3.0,))), 1, exact_variables=exact_variables)
    assert (one.value, one.assignment, one.worst) == (-3.0, (1,), 0.0)
    spare = solve(energy_of(Ising(n=3, h=(0.0, 2.0, 0.0))), 1, exact_variables=exact_variables)
    assert (spare.value, spare.assignment[1], spare.worst) == (-2.0, 1, 2.0)


def test_seeds_of_any_size_are_taken():
    energy = spin_glass(5)
    for seed in (0, -1, 2**53 - 1, 2**200):
        assert solve(energy, seed, exact_variables=0).value == solve(energy, seed).value
