"""The rule of a comparison: the same for both sides, never against a proof, and only what would come out again."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quire_control_plane.verdict.comparing import CERTAIN, Side, compare
from quire_control_plane.verdict.repeating import found_again, tts99_shots

TOLERANCE = 1e-9
OTHER = {"quantum better": "classical better", "classical better": "quantum better"}
RANK = {"classical better": -1, "inconclusive": 0, "tie": 0, "quantum better": 1}

values = st.floats(-100, 100, allow_nan=False).map(lambda value: round(value, 6))
senses = st.sampled_from(["min", "max"])
sides = st.builds(
    Side,
    value=values,
    feasible=st.booleans(),
    proven=st.booleans(),
    repeats=st.one_of(st.none(), st.floats(0, 1)),
    std_error=st.one_of(st.just(0.0), st.floats(0.001, 10)),
)


def compared(quantum, classical, sense="max", bound=None, tolerance=TOLERANCE):
    return compare(quantum, classical, sense=sense, bound=bound, tolerance=tolerance)


@given(sides, sides, senses, st.one_of(st.none(), values))
def test_exchanging_the_sides_exchanges_the_verdict(one, other, sense, bound):
    here, there = compared(one, other, sense, bound), compared(other, one, sense, bound)
    assert there.call == OTHER.get(here.call, here.call)
    assert (there.certainty, there.proven) == (here.certainty, here.proven)
    assert bool(there.contradiction) == bool(here.contradiction)


@given(sides, sides, senses, st.one_of(st.none(), values))
def test_a_problem_turned_over_has_the_same_verdict(one, other, sense, bound):
    turned = compared(
        replace(one, value=-one.value),
        replace(other, value=-other.value),
        "min" if sense == "max" else "max",
        None if bound is None else -bound,
    )
    straight = compared(one, other, sense, bound)
    assert (turned.call, turned.certainty) == (straight.call, straight.certainty)


@given(sides, sides, senses, st.one_of(st.none(), values))
def test_nothing_is_better_than_a_proven_optimum(quantum, classical, sense, bound):
    found = compared(quantum, replace(classical, proven=True, feasible=True), sense, bound)
    assert found.call != "quantum better"


@given(sides, sides, senses, values)
def test_what_is_called_better_is_feasible_and_not_beyond_the_bound(quantum, classical, sense, bound):
    found = compared(quantum, classical, sense, bound)
    if found.call not in OTHER:
        return
    winner = quantum if found.call == "quantum better" else classical
    assert winner.feasible
    over = winner.value - bound if sense == "max" else bound - winner.value
    assert over <= 1e-3 + 5 * winner.std_error


@given(sides, sides, values, values, senses)
def test_a_better_value_never_makes_the_verdict_worse(quantum, classical, low, high, sense):
    """As far as no proof is contradicted: a value that cannot be is no better one."""
    low, high = sorted((low, high), reverse=sense == "min")
    worse = compared(replace(quantum, value=low), classical, sense)
    better = compared(replace(quantum, value=high), classical, sense)
    if not worse.contradiction and not better.contradiction:
        assert RANK[better.call] >= RANK[worse.call]


@given(sides, sides, senses)
def test_a_certainty_stands_where_something_is_concluded_and_nowhere_else(quantum, classical, sense):
    found = compared(quantum, classical, sense)
    assert (found.certainty is None) == (found.call == "inconclusive")
    assert found.certainty is None or 0.5 <= found.certainty <= 1.0
    assert not found.proven or found.call != "inconclusive"


OPTIMUM, BELOW = Side(value=61.0, proven=True), Side(value=59.0, repeats=0.999)


@pytest.mark.parametrize(
    ("quantum", "classical", "bound", "call", "certainty"),
    [
        (BELOW, OPTIMUM, None, "classical better", 1.0),
        (Side(value=61.0, repeats=0.1), OPTIMUM, None, "tie", 1.0),  # found once by luck, and proven all the same
        (Side(value=61.0, repeats=None), Side(value=59.0), 61.0, "quantum better", 1.0),  # the bound is the proof
        (Side(value=60.0, repeats=0.97), Side(value=59.0), 61.0, "quantum better", 0.97),
        (Side(value=60.0, repeats=0.75), Side(value=59.0), 61.0, "inconclusive", None),  # a lucky draw
        (Side(value=60.0, repeats=None), Side(value=59.0), None, "inconclusive", None),
        (Side(value=59.0, repeats=0.97), Side(value=59.0), 61.0, "tie", 0.97),
        (Side(value=59.0, repeats=0.75), Side(value=59.0), 61.0, "inconclusive", None),
        (Side(value=58.0, repeats=0.75), Side(value=59.0), None, "classical better", 1.0),
        (Side(value=70.0, feasible=False), Side(value=59.0), None, "classical better", 1.0),
        (Side(value=59.0, repeats=0.98), Side(value=70.0, feasible=False), None, "quantum better", 0.98),
        (Side(value=70.0, feasible=False), Side(value=70.0, feasible=False), None, "inconclusive", None),
        (None, OPTIMUM, None, "inconclusive", None),
        (BELOW, None, None, "inconclusive", None),
    ],
)
def test_the_rule_by_examples(quantum, classical, bound, call, certainty):
    found = compared(quantum, classical, "max", bound)
    assert (found.call, found.certainty) == (call, certainty)
    assert found.reason
    assert not found.contradiction


@pytest.mark.parametrize(
    ("quantum", "classical", "bound"),
    [(61.5, OPTIMUM, None), (62.0, Side(value=59.0), 61.0), (50.0, Side(value=62.0), 61.0)],
)
def test_what_a_proof_rules_out_is_named_and_concludes_nothing(quantum, classical, bound):
    found = compared(Side(value=quantum), classical, "max", bound)
    assert found.call == "inconclusive"
    assert "cannot be" in found.contradiction


def test_estimates_differ_by_more_than_their_noise_or_not_at_all():
    exact = Side(value=-1.137, proven=True)
    for energy, error, call in (
        (-1.1369, 1e-5, "tie"),
        (-1.05, 0.01, "classical better"),
        (-1.13, 0.01, "inconclusive"),
        (-1.15, 0.01, "inconclusive"),  # below the ground energy by noise
    ):
        assert compared(Side(value=energy, std_error=error), exact, "min", None, 1.6e-3).call == call
    beyond = compared(Side(value=-1.3, std_error=0.01), exact, "min", None, 1.6e-3)
    assert beyond.contradiction


def exactly(hits: int, shots: int) -> float:
    """1 - B(hits + 1, 2 shots - hits + 1) / B(hits + 1, shots - hits + 1), in whole numbers."""

    def beta(a: int, b: int) -> Fraction:
        return Fraction(math.factorial(a - 1) * math.factorial(b - 1), math.factorial(a + b - 1))

    return float(1 - beta(hits + 1, 2 * shots - hits + 1) / beta(hits + 1, shots - hits + 1))


@given(st.integers(0, 60).flatmap(lambda shots: st.tuples(st.integers(0, shots), st.just(shots))))
def test_what_was_found_is_found_again_as_laplace_says(case):
    assert found_again(*case) == pytest.approx(exactly(*case), abs=1e-12)


def test_of_many_shots_it_takes_four_hits_to_be_certain():
    chances = [found_again(hits, 1_000_000) for hits in range(6)]
    assert chances == pytest.approx([1 - 2.0 ** -(hits + 1) for hits in range(6)], abs=1e-5)
    assert [chance >= CERTAIN for chance in chances] == [False, False, False, False, True, True]
    with pytest.raises(ValueError, match="5 hits among 4 shots"):
        found_again(5, 4)


@pytest.mark.parametrize(
    ("success", "shots"),
    [(0.0, None), (1e-6, 4_605_168), (0.01, 459), (0.5, 7), (0.9, 2), (0.989, 2), (0.99, 1), (0.995, 1), (1.0, 1)],
)
def test_time_to_solution_is_the_formulas(success, shots):
    assert tts99_shots(success) == shots


@given(st.floats(1e-9, 1.0))
@example(0.9)
def test_so_many_shots_do_and_one_fewer_would_not(success):
    shots = tts99_shots(success)
    assert shots is not None
    missed = math.log1p(-success) if success < 1 else -math.inf
    assert shots == 1 or -math.expm1(shots * missed) >= 0.99 - 1e-9
    assert shots == 1 or -math.expm1((shots - 1) * missed) < 0.99 + 1e-9


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_what_is_no_chance_has_no_time(wrong):
    with pytest.raises(ValueError, match="a chance of"):
        tts99_shots(wrong)
