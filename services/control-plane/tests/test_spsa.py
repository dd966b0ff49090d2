"""The optimiser: it minimises, and a state that went through JSON goes on bit for bit."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_control_plane import spsa


def bowl(point: tuple[float, ...]) -> float:
    """A paraboloid with its minimum 0 at (1, -2)."""
    return (point[0] - 1.0) ** 2 + 2.0 * (point[1] + 2.0) ** 2


def run(state: spsa.Spsa, rounds: int) -> spsa.Spsa:
    for _ in range(rounds):
        state = spsa.tell(state, tuple(bowl(point) for point in spsa.ask(state)))
    return state


def test_it_comes_close_to_the_minimum() -> None:
    first = spsa.start((0.0, 0.0), rounds=200, perturbation=0.1, learning_rate=None, seed=1)
    last = run(first, 200)
    assert bowl(last.parameters) < 0.05 < bowl(first.parameters)


def test_the_first_round_calibrates_with_five_pairs_and_later_ones_use_one() -> None:
    state = spsa.start((0.0, 0.0), rounds=10, perturbation=0.1, learning_rate=None, seed=1)
    assert len(spsa.ask(state)) == 1 + 2 * spsa.CALIBRATION_PAIRS
    assert len(spsa.ask(run(state, 1))) == 3


def test_a_calibrated_first_step_has_the_stated_length() -> None:
    state = spsa.start((0.0,), rounds=10, perturbation=0.1, learning_rate=None, seed=3)
    slope = 4.0
    told = spsa.tell(state, tuple(slope * point[0] for point in spsa.ask(state)))
    assert told.parameters[0] == pytest.approx(-spsa.FIRST_STEP)


def test_a_given_learning_rate_is_the_first_steps_gain() -> None:
    state = spsa.start((0.0,), rounds=10, perturbation=0.1, learning_rate=0.5, seed=3)
    told = spsa.tell(state, tuple(2.0 * point[0] for point in spsa.ask(state)))
    assert told.parameters[0] == pytest.approx(-0.5 * 2.0)


def test_a_flat_landscape_does_not_move_it() -> None:
    state = spsa.start((0.3, 0.4), rounds=10, perturbation=0.1, learning_rate=None, seed=3)
    told = spsa.tell(state, (1.0,) * len(spsa.ask(state)))
    assert told.parameters == (0.3, 0.4)
    assert told.gain is not None
    assert math.isfinite(told.gain)


def test_the_wrong_number_of_values_is_refused() -> None:
    state = spsa.start((0.0,), rounds=10, perturbation=0.1, learning_rate=0.1, seed=3)
    with pytest.raises(ValueError, match="2 values for 3 points"):
        spsa.tell(state, (1.0, 2.0))


@given(
    seed=st.integers(0, 2**53 - 1),
    broken_at=st.integers(0, 7),
    parameters=st.lists(st.floats(-7, 7), min_size=1, max_size=6).map(tuple),
)
def test_a_run_resumed_from_json_ends_bit_for_bit_where_it_would_have(
    seed: int, broken_at: int, parameters: tuple[float, ...]
) -> None:
    def value(point: tuple[float, ...]) -> float:
        return sum(math.sin(angle) for angle in point)

    def step(state: spsa.Spsa) -> spsa.Spsa:
        return spsa.tell(state, tuple(value(point) for point in spsa.ask(state)))

    straight = resumed = spsa.start(parameters, rounds=8, perturbation=0.2, learning_rate=None, seed=seed)
    for round_ in range(8):
        straight = step(straight)
        if round_ == broken_at:
            resumed = msgspec.json.decode(msgspec.json.encode(resumed), type=spsa.Spsa)
        resumed = step(resumed)
    assert resumed == straight
