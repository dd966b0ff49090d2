"""Every assignment's energy is its objective, whatever the problem looks like."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.problems import Ising, MaxCut, Qubo
from quire_preprocessing.optimize.ising import LARGEST, energy_of
from quire_preprocessing.refusal import Refused
from quire_problems import kind_of

DYADIC = st.integers(-(2**20), 2**20).map(lambda whole: whole / 64)
ANY_WEIGHT = st.floats(-1e6, 1e6, allow_subnormal=False)


@st.composite
def couplings(draw, n, weights):
    pair = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] != pair[1])
    pairs = draw(st.lists(pair, min_size=1, max_size=12)) if n > 1 else []
    return tuple((i, j, draw(weights)) for i, j in pairs)


@st.composite
def problems(draw, weights):
    n = draw(st.integers(1, 6))
    kind = draw(st.sampled_from(["maxcut", "qubo", "ising"] if n > 1 else ["qubo", "ising"]))
    pairs = draw(couplings(n, weights))
    if kind == "maxcut":
        return MaxCut(edges=pairs, n=n)
    single = tuple(draw(st.lists(weights, min_size=n, max_size=n))) if draw(st.booleans()) else ()
    offset = draw(weights)
    if kind == "qubo":
        return Qubo(n=n, linear=single, quadratic=pairs, offset=offset)
    return Ising(n=n, h=single, j=pairs, offset=offset)


def objective(problem, bits):
    """The problem's own definition, in exact arithmetic."""
    spins = [1 - 2 * bit for bit in bits]
    match problem:
        case MaxCut():
            return sum(Fraction(w) for i, j, w in problem.edges if bits[i] != bits[j])
        case Qubo():
            linear, values = problem.linear, bits
            pairs = problem.quadratic
        case Ising():
            linear, values = problem.h, spins
            pairs = problem.j
    single = sum(Fraction(w) * value for w, value in zip(linear, values, strict=False))
    return Fraction(problem.offset) + single + sum(Fraction(w) * values[i] * values[j] for i, j, w in pairs)


def assignments(problem):
    return itertools.product((0, 1), repeat=kind_of(problem).variables)


def energy_or_none(problem):
    """None where there is nothing to decide, which must then be so."""
    if len({objective(problem, bits) for bits in assignments(problem)}) > 1:
        return energy_of(problem)
    with pytest.raises(Refused, match="every assignment has the same objective"):
        energy_of(problem)
    return None


@given(problems(DYADIC))
def test_conversion_is_exact_where_no_bits_are_lost(problem):
    energy = energy_or_none(problem)
    if energy is None:
        return
    for bits in assignments(problem):
        assert Fraction(energy.objective(bits)) == objective(problem, bits)


@given(problems(ANY_WEIGHT))
def test_conversion_holds_for_any_weights(problem):
    try:
        energy = energy_of(problem)
    except Refused:
        return
    size = abs(energy.offset) + sum(map(abs, energy.fields)) + sum(abs(w) for _, _, w in energy.couplings)
    for bits in assignments(problem):
        expected = float(objective(problem, bits))
        assert math.isclose(energy.objective(bits), expected, rel_tol=1e-12, abs_tol=4e-15 * size)


@given(problems(DYADIC), st.randoms())
def test_order_and_direction_of_couplings_do_not_matter(problem, random):
    energy = energy_or_none(problem)
    if energy is None:
        return
    name = {MaxCut: "edges", Qubo: "quadratic", Ising: "j"}[type(problem)]
    shuffled = [(j, i, w) for i, j, w in getattr(problem, name)]
    random.shuffle(shuffled)
    kept = {field: getattr(problem, field) for field in problem.__struct_fields__}
    assert energy_of(type(problem)(**{**kept, name: tuple(shuffled)})) == energy


@given(problems(DYADIC))
def test_observable_has_the_energies_on_its_diagonal(problem):
    energy = energy_or_none(problem)
    if energy is None:
        return
    observable = energy.observable()
    assert {len(label) for label in observable.labels} == {energy.variables}
    for bits in assignments(problem):
        value = sum(
            coefficient * (-1) ** sum(bits[q] for q, pauli in enumerate(reversed(label)) if pauli == "Z")
            for label, coefficient in zip(observable.labels, observable.coefficients, strict=True)
        )
        assert value == energy.of(bits)


def test_one_variable_works():
    energy = energy_of(Qubo(n=1, linear=(-3.0,), offset=1.0))
    assert [energy.objective([bit]) for bit in (0, 1)] == [1.0, -2.0]
    assert energy.observable().labels == ("I", "Z")
    assert energy.observable().coefficients == (-0.5, 1.5)


def test_max_cut_of_a_triangle():
    energy = energy_of(MaxCut(edges=((0, 1, 1.0), (1, 2, 1.0), (0, 2, 1.0))))
    assert energy.scale == -1
    assert energy.couplings == ((0, 1, 0.5), (0, 2, 0.5), (1, 2, 0.5))
    assert energy.objective([0, 0, 1]) == 2.0
    assert energy.objective([1, 1, 1]) == 0.0


def test_nodes_without_edges_count():
    assert energy_of(MaxCut(edges=((0, 1, 1.0),), n=4)).variables == 4


@pytest.mark.parametrize(
    "problem",
    [
        MaxCut(edges=((0, 1, 0.0),)),
        MaxCut(edges=((0, 1, 1.0), (1, 0, -1.0))),
        Qubo(n=3, offset=7.0),
        Qubo(n=1, linear=(0.0,), offset=7.0),
        Ising(n=2, h=(0.0, 0.0), j=((0, 1, -0.0),), offset=7.0),
    ],
)
def test_nothing_to_decide_is_refused_with_the_answer(problem):
    with pytest.raises(Refused, match="every assignment has the same objective") as refused:
        energy_of(problem)
    assert refused.value.problems[0].pointer == "/problem"
    assert ("7:" in str(refused.value)) == (not isinstance(problem, MaxCut))


@pytest.mark.parametrize(
    "weights", [(1e308, 1e308, 1e308), (math.inf, 1.0, 1.0), (math.inf, -math.inf, 0.0), (math.nan, 1.0, 1.0)]
)
def test_weights_that_are_no_numbers_are_refused(weights):
    for problem in (
        MaxCut(edges=tuple((0, i + 1, w) for i, w in enumerate(weights))),
        Qubo(n=3, linear=weights),
        Ising(n=3, h=weights),
        Ising(n=3, h=(1.0, 1.0, 1.0), offset=weights[0]),
    ):
        with pytest.raises(Refused) as refused:
            energy_of(problem)
        assert refused.value.code == "weights-too-large"
        assert f"{LARGEST:g}" in refused.value.problems[0].limit


def test_the_largest_weights_still_work():
    energy = energy_of(Ising(n=1, h=(LARGEST,)))
    assert energy.objective([1]) == -LARGEST
