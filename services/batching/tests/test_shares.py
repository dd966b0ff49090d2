"""Laws of fair shares: nobody starves, and what two names got differs by little, whatever they ask for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire_batching.shares import QUANTUM, Shares

WEIGHTS = {"a": 1.0, "b": 2.0, "c": 0.5}
costs = st.fixed_dictionaries({name: st.lists(st.floats(0.001, 0.3), min_size=1, max_size=40) for name in WEIGHTS})


def serve(shares: Shares, waiting: dict[str, list[float]]) -> list[tuple[str, float]]:
    """Everything in turns, all of it waiting from the beginning."""
    order = []
    left = {name: list(pieces) for name, pieces in waiting.items()}
    while any(left.values()):
        name = shares.first({name: 0.0 for name, pieces in left.items() if pieces})
        cost = left[name].pop(0)
        shares.charge(name, cost)
        order.append((name, cost))
    return order


@given(costs)
def test_what_backlogged_names_got_by_weight_never_differs_by_more_than_the_bound(waiting):
    got = dict.fromkeys(waiting, 0.0)
    left = {name: len(pieces) for name, pieces in waiting.items()}
    largest = {name: max(pieces) / WEIGHTS[name] for name, pieces in waiting.items()}
    for name, cost in serve(Shares(WEIGHTS), waiting):
        assert left[name] > 0
        got[name] += cost / WEIGHTS[name]
        left[name] -= 1
        busy = [each for each in left if left[each]]
        for one in busy:
            for other in busy:
                assert got[one] - got[other] <= largest[one] + largest[other] + QUANTUM + 1e-9


@given(costs)
def test_everything_is_served_once(waiting):
    order = serve(Shares(WEIGHTS), waiting)
    for name, pieces in waiting.items():
        assert [cost for other, cost in order if other == name] == pieces


def test_a_flood_delays_somebody_elses_piece_by_one_piece():
    shares = Shares()
    for _ in range(100):
        assert shares.first({"flood": 0.0}) == "flood"
        shares.charge("flood", 0.1)
    assert shares.first({"flood": 0.0, "guest": 10.0}) == "guest"


def test_idleness_saves_nothing_up():
    shares = Shares()
    for _ in range(100):
        shares.first({"busy": 0.0})
        shares.charge("busy", 0.1)
    turns = []
    for _ in range(10):
        name = shares.first({"busy": 0.0, "late": 1.0})
        shares.charge(name, 0.1)
        turns.append(name)
    assert turns.count("late") == 5


def test_among_those_who_are_level_the_longest_waiting_goes_first():
    shares = Shares()
    shares.first({"a": 0.0, "b": 0.0})
    shares.charge("b", QUANTUM / 2)
    assert shares.first({"a": 2.0, "b": 1.0}) == "b"
    shares.charge("b", QUANTUM)
    assert shares.first({"a": 2.0, "b": 1.0}) == "a"
