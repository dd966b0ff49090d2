"""Laws of every optimiser: it minimises, asks for nothing twice, and goes on from JSON bit for bit."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from functools import partial
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from cmaes import CMA
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from quire_contracts.optimizers import CmaEs, Nft, Optimizer, ParameterShift, Scipy, Spsa, fewest_sets
from quire_contracts.preparation import Spectrum
from quire_control_plane.loops import optimizers
from quire_control_plane.loops.optimizers import Run, cma_es, curves, nft, parameter_shift, replayed
from quire_control_plane.loops.optimizers.randomness import load
from quire_control_plane.loops.optimizers.start import Point, Start

ROUNDS = 20
EVERY: dict[str, Optimizer] = {
    "spsa": Spsa(rounds=ROUNDS),
    "nft": Nft(rounds=ROUNDS),
    "cma-es": CmaEs(rounds=ROUNDS),
    "adam": ParameterShift(rounds=ROUNDS),
    "plain": ParameterShift(rounds=ROUNDS, method="plain"),
    "cobyla": Scipy(rounds=ROUNDS),
    "nelder-mead": Scipy(rounds=ROUNDS, method="nelder-mead"),
    "powell": Scipy(rounds=ROUNDS, method="powell"),
    "l-bfgs-b": Scipy(rounds=ROUNDS, method="l-bfgs-b", tolerance=1e-12),
}
SPECTRA = (Spectrum(spacing=1.0, count=2), Spectrum(spacing=2.0, count=1), Spectrum(spacing=0.5, count=3))
FIRST = (0.3, -0.4, 1.1)


def landscape(point: Point) -> float:
    """A trigonometric polynomial of three parameters with the frequencies of `SPECTRA`."""
    a, b, c = point
    return (
        math.cos(a) * math.sin(2 * b)
        + 0.7 * math.sin(2 * a + 0.3) * math.cos(1.5 * c)
        + 0.4 * math.cos(c + 0.1)
        - 0.2 * math.sin(0.5 * c) * math.cos(2 * b)
    )


def bowl(point: Point) -> float:
    """A paraboloid with its minimum 0 at (1, -2)."""
    return (point[0] - 1.0) ** 2 + 2.0 * (point[1] + 2.0) ** 2 + 0.5 * (point[0] - 1.0) * (point[1] + 2.0)


def begun(optimizer: Optimizer, parameters: Point = FIRST, spectra=SPECTRA, seed: int = 7) -> Run:
    start = Start(parameters, rounds=optimizer.rounds, seed=seed, spectra=spectra)
    return optimizers.begin(optimizers.settings_of(optimizer), start)


def through_json(run: Run) -> Run:
    return optimizers.resume(msgspec.json.decode(msgspec.json.encode(run.dump())))


def walked(run: Run, rounds: int, of=landscape, broken_at=()) -> tuple[Run, list[Point]]:
    """The run after its rounds and the points it asked for; where it is broken it goes on from JSON alone."""
    asked: list[Point] = []
    for round_ in range(rounds):
        if round_ in broken_at:
            run = through_json(run)
        points = run.ask()
        if not points:
            break
        asked += points
        run = run.tell(tuple(of(point) for point in points))
    return run, asked


@pytest.mark.parametrize("optimizer", EVERY.values(), ids=EVERY)
def test_killed_after_every_round_it_ends_where_it_would_have_and_asks_for_the_same(optimizer: Optimizer) -> None:
    straight, asked = walked(begun(optimizer), ROUNDS)
    for place in range(ROUNDS):
        resumed, again = walked(begun(optimizer), ROUNDS, broken_at={place})
        assert resumed.dump() == straight.dump()
        assert again == asked
    assert walked(begun(optimizer), ROUNDS, broken_at=range(ROUNDS))[0].dump() == straight.dump()


@pytest.mark.parametrize("optimizer", EVERY.values(), ids=EVERY)
def test_asking_again_asks_for_the_same_and_no_round_asks_for_a_point_twice(optimizer: Optimizer) -> None:
    run, _ = walked(begun(optimizer), 3)
    assert run.ask() == run.ask() == through_json(run).ask()
    for _ in range(5):
        points = run.ask()
        assert max(Counter(points).values(), default=1) == 1
        run = run.tell(tuple(landscape(point) for point in points))


@pytest.mark.parametrize("name", ["cobyla", "nelder-mead", "powell", "l-bfgs-b"])
def test_a_scipy_run_never_evaluates_a_point_twice(name: str) -> None:
    _, asked = walked(begun(EVERY[name]), 60, broken_at=range(60))
    assert max(Counter(asked).values()) == 1


@pytest.mark.parametrize(
    ("optimizer", "rounds", "within"),
    [
        (CmaEs(), 60, 1e-6),
        (ParameterShift(learning_rate=0.2), 200, 1e-3),
        (ParameterShift(method="plain"), 60, 1e-6),
        (Scipy(tolerance=1e-6), 150, 1e-6),
        (Scipy(method="nelder-mead", tolerance=1e-6), 150, 1e-6),
        (Scipy(method="powell", tolerance=1e-6), 150, 1e-6),
        (Scipy(method="l-bfgs-b", tolerance=1e-9), 30, 1e-9),
    ],
    ids=["cma-es", "adam", "plain", "cobyla", "nelder-mead", "powell", "l-bfgs-b"],
)
def test_it_finds_the_bottom_of_a_bowl(optimizer: Optimizer, rounds: int, within: float) -> None:
    _, asked = walked(begun(optimizer, (0.0, 0.0), ()), rounds, bowl)
    assert min(map(bowl, asked)) < within
    assert bowl(asked[0]) > 1.0


@pytest.mark.parametrize("optimizer", EVERY.values(), ids=EVERY)
def test_it_goes_down_on_a_landscape_of_angles(optimizer: Optimizer) -> None:
    _, asked = walked(begun(optimizer), ROUNDS)
    assert min(map(landscape, asked)) < landscape(FIRST) - 0.5


@pytest.mark.parametrize("optimizer", EVERY.values(), ids=EVERY)
def test_the_wrong_number_of_values_is_refused(optimizer: Optimizer) -> None:
    run = begun(optimizer)
    count = len(run.ask())
    with pytest.raises(ValueError, match=f"{count + 1} values for {count} points"):
        run.tell((1.0,) * (count + 1))


@pytest.mark.parametrize("optimizer", EVERY.values(), ids=EVERY)
def test_a_round_has_at_least_as_many_sets_as_the_intake_counts_on(optimizer: Optimizer) -> None:
    run, _ = walked(begun(optimizer), 1)
    assert len(run.ask()) >= fewest_sets(optimizer, len(FIRST))


@given(
    optimizer=st.sampled_from([Spsa(rounds=6), CmaEs(rounds=6), CmaEs(rounds=6, sigma=1.5, population=5)]),
    seed=st.integers(0, 2**53 - 1),
    broken_at=st.integers(0, 5),
    parameters=st.lists(st.floats(-7, 7), min_size=2, max_size=6).map(tuple),
)
def test_what_draws_at_random_draws_the_same_after_json(
    optimizer: Optimizer, seed: int, broken_at: int, parameters: Point
) -> None:
    def waves(point: Point) -> float:
        return sum(math.sin(angle) for angle in point)

    first = begun(optimizer, parameters, (), seed)
    assert walked(first, 6, waves, {broken_at})[0].dump() == walked(first, 6, waves)[0].dump()


def test_seeds_draw_differently() -> None:
    for optimizer in (Spsa(), CmaEs()):
        assert begun(optimizer, seed=1).ask() != begun(optimizer, seed=2).ask()


def test_cma_es_is_the_librarys_own_bit_for_bit() -> None:
    state = cma_es.begin(CmaEs(sigma=0.5), Start((0.2, -0.1, 0.4, 0.0), rounds=40, seed=3))
    own = CMA(np.array([0.2, -0.1, 0.4, 0.0]), 0.5, population_size=8, seed=0)
    own._rng = cma_es._Draws(load(state.random))
    for _ in range(40):
        points = cma_es.ask(state)
        told = [(point := own.ask(), float(np.sum(np.cos(point)))) for _ in range(8)]
        assert points == tuple(tuple(point.tolist()) for point, _ in told)
        own.tell(list(told))
        state = cma_es.tell(
            msgspec.convert(msgspec.to_builtins(state), cma_es.State), tuple(value for _, value in told)
        )
    assert state.parameters == tuple(own.mean.tolist())
    assert state.sigma == own._sigma


def test_cma_es_ends_where_nothing_is_to_be_gained() -> None:
    run, asked = walked(begun(CmaEs(), (0.1, 0.2), ()), 400, lambda _: 1.0)
    assert run.ask() == ()
    assert len(asked) < 400 * 6


@pytest.mark.parametrize("name", ["cobyla", "nelder-mead", "powell", "l-bfgs-b"])
def test_a_scipy_run_is_scipys_own_and_ends_with_it(name: str) -> None:
    optimizer = Scipy(method=name, tolerance=1e-4)  # type: ignore[arg-type]
    run, asked = walked(begun(optimizer, (0.0, 0.0), ()), 200, bowl)
    assert run.ask() == ()
    calls: list[Point] = []

    def objective(point):
        calls.append(tuple(point.tolist()))
        if name != "l-bfgs-b":
            return bowl(calls[-1])
        points = curves.gradient_points(calls[-1], (), 0.1)
        return bowl(calls[-1]), np.array(curves.gradient(tuple(map(bowl, points)), 2, (), 0.1))

    state = begun(optimizer, (0.0, 0.0), ()).state
    found = minimize(
        objective, np.zeros(2), method=name, jac=name == "l-bfgs-b" or None, tol=1e-4, options=replayed._options(state)
    )
    mine = asked[:: len(curves.gradient_points((0.0, 0.0), (), 0.1))] if name == "l-bfgs-b" else asked
    assert mine == list(dict.fromkeys(calls))
    assert tuple(found.x.tolist()) in mine


def test_a_flat_landscape_does_not_move_what_goes_by_curves_and_gradients() -> None:
    for optimizer in (Nft(), ParameterShift(), ParameterShift(method="plain")):
        run, _ = walked(begun(optimizer), 5, lambda _: 2.5)
        assert run.state.parameters == pytest.approx(FIRST, abs=1e-6)  # rounding is no slope


def test_a_curve_goes_to_the_lowest_point_of_its_whole_period() -> None:
    state = nft.begin(Nft(), Start(FIRST, rounds=3, seed=0, spectra=SPECTRA))
    for index, spectrum in enumerate(SPECTRA):
        before = state.parameters
        state = nft.tell(state, tuple(map(landscape, nft.ask(state))))
        period = math.tau / spectrum.spacing
        along = partial(curves.moved, before, index)
        lowest = min(landscape(along(period * step / 20_000)) for step in range(20_000))
        assert landscape(state.parameters) <= lowest + 1e-12
        assert abs(state.parameters[index] - before[index]) <= period / 2


@pytest.mark.parametrize("away", [0.09, -0.05, 1e-6])
def test_a_present_point_near_the_lowest_goes_there_too(away: float) -> None:
    """Nearer than the grid on which the curve is first looked at."""
    sine = Spectrum(spacing=1.0, count=1)
    values = [-math.cos(point - away) for (point,) in curves.curve_points((0.0,), 0, sine)]
    assert curves.lowest_shift(values, sine) == pytest.approx(away, abs=1e-9)


def test_one_frequency_needs_three_points_and_lands_on_the_minimum_of_the_sine() -> None:
    sine = Spectrum(spacing=1.0, count=1)
    points = curves.curve_points((0.4,), 0, sine)
    assert len(points) == 3
    shift = curves.lowest_shift([2.0 + 3.0 * math.sin(angle) for (angle,) in points], sine)
    assert (0.4 + shift) == pytest.approx(-math.pi / 2, abs=1e-9)


def test_nft_without_spectra_is_refused() -> None:
    with pytest.raises(ValueError, match="3 parameters, 2 are known"):
        nft.begin(Nft(), Start(FIRST, rounds=3, seed=0, spectra=(SPECTRA[0], None, SPECTRA[2])))


def test_the_gradient_is_exact_where_the_spectrum_is_known_and_a_central_difference_where_not() -> None:
    fine = tuple(
        (landscape(curves.moved(FIRST, index, 1e-6)) - landscape(curves.moved(FIRST, index, -1e-6))) / 2e-6
        for index in range(3)
    )
    points = curves.gradient_points(FIRST, SPECTRA, 0.5)
    assert len(points) == 1 + 4 + 2 + 6
    assert curves.gradient(tuple(map(landscape, points)), 3, SPECTRA, 0.5) == pytest.approx(fine, abs=1e-8)
    points = curves.gradient_points(FIRST, (SPECTRA[0], None), 0.1)
    assert len(points) == 1 + 4 + 2 + 2
    found = curves.gradient(tuple(map(landscape, points)), 3, (SPECTRA[0], None), 0.1)
    assert found[0] == pytest.approx(fine[0], abs=1e-8)
    assert found[1:] == pytest.approx(fine[1:], abs=0.02)
    assert found[1] != pytest.approx(fine[1], abs=1e-6)


def test_the_two_term_rule_is_wrong_for_an_angle_that_two_gates_share() -> None:
    """Why the general rule is there: the energy of two rotations by one angle has two frequencies."""

    def shared(angle: float) -> float:
        return math.cos(angle) * math.cos(angle + 0.5)

    exact = -math.sin(0.3) * math.cos(0.8) - math.cos(0.3) * math.sin(0.8)
    two_terms = (shared(0.3 + math.pi / 2) - shared(0.3 - math.pi / 2)) / 2
    two = (Spectrum(spacing=1.0, count=2),)
    values = tuple(shared(point[0]) for point in curves.gradient_points((0.3,), two, 0.1))
    assert curves.gradient(values, 1, two, 0.1)[0] == pytest.approx(exact, abs=1e-12)
    assert two_terms != pytest.approx(exact, abs=0.1)


def test_adam_takes_a_first_step_of_its_learning_rate() -> None:
    state = parameter_shift.begin(ParameterShift(learning_rate=0.25), Start((0.0, 0.0), rounds=5, seed=0))
    told = parameter_shift.tell(state, tuple(map(bowl, parameter_shift.ask(state))))
    assert [abs(angle) for angle in told.parameters] == pytest.approx([0.25, 0.25])


def test_the_stand_of_a_population_is_its_lowest_and_of_all_others_the_first() -> None:
    assert [name for name, each in EVERY.items() if begun(each).stands((3.0, 1.0, 2.0)) == 1] == ["cma-es"]


def test_optimizers_load_only_what_they_need_and_say_when_they_take_long() -> None:
    script = """
import sys
from quire_contracts.optimizers import Nft, Scipy, Spsa
from quire_control_plane import handlers
from quire_control_plane.loops import optimizers
from quire_control_plane.loops.optimizers.start import Start
heavy = {"numpy", "scipy", "cmaes"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
begin = lambda each: optimizers.begin(optimizers.settings_of(each), Start((0.1,), rounds=3, seed=1))
assert optimizers.takes_long(optimizers.settings_of(Spsa()))
begin(Spsa())
assert not optimizers.takes_long(optimizers.settings_of(Spsa()))
assert heavy & set(sys.modules) == {"numpy"}
begin(Scipy())
assert optimizers.takes_long(optimizers.settings_of(Scipy()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_progress_is_what_it_says() -> None:
    """A sanity check of the landscape itself: descent brings each round lower than the one before."""
    run = begun(ParameterShift(method="plain", learning_rate=0.05))
    heights = []
    for _ in range(10):
        points = run.ask()
        heights.append(landscape(points[0]))
        run = run.tell(tuple(map(landscape, points)))
    assert all(later < sooner for sooner, later in pairwise(heights))
