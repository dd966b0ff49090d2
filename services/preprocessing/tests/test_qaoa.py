"""The QAOA structure is the algorithm: its state is the one that the formula gives, and its text never varies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Statevector

from quire_contracts.problems import Ising, MaxCut, Qubo
from quire_preprocessing.optimize.ising import energy_of
from quire_preprocessing.optimize.qaoa import angle_unit, coloured, qaoa
from quire_preprocessing.optimize.start_points import start_points
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum.structure import Structure

TRIANGLE = energy_of(MaxCut(edges=((0, 1, 1.0), (1, 2, 1.0), (0, 2, 1.0))))
QUBO = energy_of(Qubo(n=4, linear=(1.0, -2.0, 0.0, 0.5), quadratic=((0, 1, 3.0), (2, 3, -1.0)), offset=2.0))


def diagonal(energy):
    bits = [[index >> i & 1 for i in range(energy.variables)] for index in range(2**energy.variables)]
    return np.array([energy.of(each) for each in bits])


def state_by_formula(energy, gammas, betas):
    """exp(+i beta X) on every qubit after exp(-i gamma H / u), layer by layer, from the uniform state."""
    n, values = energy.variables, diagonal(energy) - energy.offset
    state = np.full(2**n, 2 ** (-n / 2), complex)
    for gamma, beta in zip(gammas, betas, strict=True):
        state = (state * np.exp(-1j * gamma * values / angle_unit(energy))).reshape((2,) * n)
        for axis in range(n):
            state = np.cos(beta) * state + 1j * np.sin(beta) * np.flip(state, axis)
        state = state.reshape(-1)
    return state


def state_of(structure, row):
    circuit = to_circuit(structure)
    return Statevector(circuit.assign_parameters([row[parameter.index] for parameter in circuit.parameters]))


@pytest.mark.parametrize("energy", [TRIANGLE, QUBO, energy_of(Qubo(n=1, linear=(-3.0,)))], ids=["cut", "qubo", "one"])
@pytest.mark.parametrize("layers", [1, 3])
def test_state_is_the_algorithms(energy, layers):
    structure = qaoa(energy, layers)
    assert (structure.num_parameters, structure.num_bits) == (2 * layers, 0)
    for row in np.random.default_rng(layers).uniform(-2, 2, (4, 2 * layers)):
        expected = state_by_formula(energy, row[:layers], row[layers:])
        overlap = np.vdot(expected, state_of(structure, row).data)
        assert abs(overlap) == pytest.approx(1.0, abs=1e-9)


def test_one_layer_on_a_ring_reaches_the_known_three_quarters():
    """Farhi et al., section IV: one layer cuts at most 3/4 of an even ring, at gamma = pi/4 and beta = pi/8."""
    ring = energy_of(MaxCut(edges=tuple((i, (i + 1) % 8, 1.0) for i in range(8))))
    probabilities = np.abs(state_of(qaoa(ring, 1), [np.pi / 4, np.pi / 8]).data) ** 2
    assert -(probabilities @ diagonal(ring)) == pytest.approx(6.0, abs=1e-9)


def test_text_is_fixed():
    energy = energy_of(Qubo(n=2, linear=(1.0, 0.0), quadratic=((1, 0, 2.0),)))
    lines = qaoa(energy, 1).to_text().splitlines()
    assert lines[-7:] == [
        "h q[0];",
        "h q[1];",
        f"rzz({1 / angle_unit(energy)!r}*p0) q[0], q[1];",
        f"rz({-2 / angle_unit(energy)!r}*p0) q[0];",
        f"rz({-1 / angle_unit(energy)!r}*p0) q[1];",
        "rx(-2.0*p1) q[0];",
        "rx(-2.0*p1) q[1];",
    ]


def test_unweighted_cut_has_plain_angles_and_weights_do_not_change_them():
    assert "rzz(p0) q[0], q[1];" in qaoa(TRIANGLE, 1).to_text()
    heavy = energy_of(MaxCut(edges=((0, 1, 4e120), (1, 2, 4e120), (0, 2, 4e120))))
    assert qaoa(heavy, 2).sha256 == qaoa(TRIANGLE, 2).sha256


@given(st.integers(1, 6), st.lists(st.integers(-5, 5), min_size=36, max_size=36), st.integers(1, 3))
@settings(max_examples=40)
def test_structure_is_canonical(n, weights, layers):
    pairs = tuple((i, j, float(weights[i * n + j])) for i in range(n) for j in range(i))
    energy = energy_of(Ising(n=n, h=(1.0, *map(float, weights[: n - 1])), j=pairs))
    structure = qaoa(energy, layers)
    assert Structure.from_text(structure.to_text()) == structure
    assert sum(each.name == "rzz" for each in structure.operations) == layers * len(energy.couplings)


def test_colours_keep_a_complete_graph_shallow():
    pairs = tuple((i, j, 1.0) for i in range(8) for j in range(i + 1, 8))
    ordered = coloured(pairs)
    assert sorted(ordered) == sorted(pairs)
    free = [0] * 8
    for i, j, _ in ordered:
        free[i] = free[j] = 1 + max(free[i], free[j])
    assert max(free) <= 2 * 7 - 1
    assert len(pairs) / max(free) > 2, "at least two couplings at a time"


@pytest.mark.parametrize(
    ("layers", "sweep", "rows"), [(1, 1, 1), (2, 2, 2), (2, 64, 64), (32, 1_024, 32), (1, 1_024, 1_024)]
)
def test_start_points_have_their_shape_and_fit_a_message(layers, sweep, rows):
    points = start_points(QUBO, layers, sweep, 5)
    assert points.shape == (rows, 2 * layers)
    assert points.nbytes <= 16 * 1024
    assert (points > 0).all()
    assert len(np.unique(points, axis=0)) == rows


def test_start_points_follow_the_seed_and_their_grid_does_not():
    one, same, other = (start_points(TRIANGLE, 2, 64, seed) for seed in (1, 1, 2))
    assert one.tobytes() == same.tobytes()
    assert (one[:36] == other[:36]).all()
    assert not (one[36:] == other[36:]).any()


def test_a_ramp_rises_in_gamma_and_falls_in_beta():
    (row,) = start_points(TRIANGLE, 4, 1, 0)
    assert (np.diff(row[:4]) > 0).all()
    assert (np.diff(row[4:]) < 0).all()


@pytest.mark.parametrize(("energy", "least_ratio"), [(TRIANGLE, 0.95), (QUBO, 0.7)])
def test_best_start_point_is_already_good(energy, least_ratio):
    values = diagonal(energy)
    found = min(
        float(np.abs(state_by_formula(energy, row[:2], row[2:])) ** 2 @ values)
        for row in start_points(energy, 2, 64, 1)
    )
    assert (values.max() - found) / (values.max() - values.min()) > least_ratio
