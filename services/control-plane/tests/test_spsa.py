"""The optimiser: it minimises, and a state that went through JSON goes on bit for bit."""

import math

import pytest

from quire_contracts.optimizers import Spsa
from quire_control_plane.loops.optimizers import spsa
from quire_control_plane.loops.optimizers.start import Start


def bowl(point: tuple[float, ...]) -> float:
    """A paraboloid with its minimum 0 at (1, -2)."""
    return (point[0] - 1.0) ** 2 + 2.0 * (point[1] + 2.0) ** 2


def start(
    parameters: tuple[float, ...], *, rounds: int, learning_rate: float | None = None, seed: int = 3
) -> spsa.State:
    settings = Spsa(rounds=rounds, learning_rate=learning_rate)
    return spsa.begin(settings, Start(parameters, rounds=rounds, seed=seed))


def run(state: spsa.State, rounds: int) -> spsa.State:
    for _ in range(rounds):
        state = spsa.tell(state, tuple(bowl(point) for point in spsa.ask(state)))
    return state


def test_it_comes_close_to_the_minimum() -> None:
    first = start((0.0, 0.0), rounds=200, seed=1)
    last = run(first, 200)
    assert bowl(last.parameters) < 0.05 < bowl(first.parameters)


def test_the_first_round_calibrates_with_five_pairs_and_later_ones_use_one() -> None:
    state = start((0.0, 0.0), rounds=10, seed=1)
    assert len(spsa.ask(state)) == 1 + 2 * spsa.CALIBRATION_PAIRS
    assert len(spsa.ask(run(state, 1))) == 3


def test_a_calibrated_first_step_has_the_stated_length() -> None:
    state = start((0.0,), rounds=10)
    slope = 4.0
    told = spsa.tell(state, tuple(slope * point[0] for point in spsa.ask(state)))
    assert told.parameters[0] == pytest.approx(-spsa.FIRST_STEP)


def test_a_given_learning_rate_is_the_first_steps_gain() -> None:
    state = start((0.0,), rounds=10, learning_rate=0.5)
    told = spsa.tell(state, tuple(2.0 * point[0] for point in spsa.ask(state)))
    assert told.parameters[0] == pytest.approx(-0.5 * 2.0)


def test_a_flat_landscape_does_not_move_it() -> None:
    state = start((0.3, 0.4), rounds=10)
    told = spsa.tell(state, (1.0,) * len(spsa.ask(state)))
    assert told.parameters == (0.3, 0.4)
    assert told.gain is not None
    assert math.isfinite(told.gain)


def test_the_wrong_number_of_values_is_refused() -> None:
    state = start((0.0,), rounds=10, learning_rate=0.1)
    with pytest.raises(ValueError, match="2 values for 3 points"):
        spsa.tell(state, (1.0, 2.0))
