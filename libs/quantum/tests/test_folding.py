"""Folded gates do what they did before, with more of them; and what was measured is extrapolated as the papers say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit.quantum_info import Operator

from quire_quantum.extrapolation import extrapolated
from quire_quantum.folding import folded, folds, gates_of, inverse, reached, reached_by
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum.structure import GATES, Angle, Operation, Structure


def every_gate():
    """One gate of each kind, each angle a parameter of its own, scaled and shifted."""
    operations, parameter = [], 0
    for name, shape in GATES.items():
        angles = tuple(Angle(parameter + each, 1.5, 0.25) for each in range(shape.angles))
        parameter += shape.angles
        operations.append(Operation(name, tuple(range(shape.qubits)), angles))
    return Structure(3, 0, parameter, tuple(operations))


def unitary(structure, seed=5):
    circuit = to_circuit(structure)
    angles = np.random.default_rng(seed).uniform(-3, 3, structure.num_parameters)
    return Operator(circuit.assign_parameters({each: angles[each.index] for each in circuit.parameters})).data


@given(gates=st.integers(1, 60), scale=st.floats(1, 25))
def test_folds_are_even_and_reach_the_nearest_factor(gates, scale):
    times = folds(gates, scale)
    assert len(times) == gates
    assert max(times) - min(times) <= 1
    assert abs(reached(gates, scale) - scale) <= 1 / gates + 1e-9
    starts = [place for place, each in enumerate(times) if each == max(times)]
    assert max(np.diff(starts), default=1) - min(np.diff(starts), default=1) <= 1  # spread, not in a lump


@pytest.mark.parametrize("name", GATES)
def test_a_gate_and_its_inverse_do_nothing_phase_included(name):
    structure = every_gate()
    gate = next(each for each in structure.operations if each.name == name)
    both = structure.with_operations([gate, inverse(gate)])
    np.testing.assert_allclose(unitary(both), np.eye(8), atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1.7, 3.0, 5.0])
def test_a_folded_circuit_does_the_same_with_more_gates(scale):
    structure = every_gate()
    more = folded(structure, scale)
    assert gates_of(more) == pytest.approx(reached(gates_of(structure), scale) * gates_of(structure))
    np.testing.assert_allclose(unitary(more), unitary(structure), atol=1e-8)
    assert Structure.from_text(more.to_text()) == more


def test_what_is_reached_is_the_mean_of_the_circuits():
    assert reached_by([3, 4], (1.0, 2.0, 3.0)) == pytest.approx((1.0, (7 / 3 + 2.0) / 2, 3.0))
    assert reached_by([0], (1.0, 3.0)) == (1.0, 1.0)


def test_what_is_no_gate_stays_once():
    structure = Structure(
        1, 1, 0, (Operation("reset", (0,)), Operation("x", (0,)), Operation("measure", (0,), (), (0,)))
    )
    names = [each.name for each in folded(structure, 3).operations]
    assert names == ["reset", "x", "barrier", "x", "barrier", "x", "measure"]
    assert folded(structure, 1) is structure


def shaped(*numbers):
    """Points as [scales, sets, observables], of one set and one observable."""
    return np.array(numbers, np.float64)[:, None, None]


def at_zero(method, scales, values, errors, floor=0.0):
    found, spread = extrapolated(method, scales, shaped(*values), shaped(*errors), np.array([floor]))
    return found.item(), spread.item()


def test_a_line_is_followed_to_zero():
    value, error = at_zero("linear", (1, 3, 5), (0.9, 0.7, 0.5), (0.01, 0.01, 0.01))
    assert value == pytest.approx(1.0)
    # Weights at 0 of the least squares line through 1, 3, 5.
    assert error == pytest.approx(0.01 * np.sqrt((1 / 3 + 3 * 2 / 8) ** 2 + (1 / 3) ** 2 + (1 / 3 - 3 * 2 / 8) ** 2))


def test_richardson_goes_through_every_point():
    curve = np.polynomial.Polynomial([0.95, -0.2, 0.03])
    value, _ = at_zero("richardson", (1, 2, 3), curve(np.array([1, 2, 3])), (0, 0, 0))
    assert value == pytest.approx(0.95)
    # Two points: 2 y1 - y2 for scales 1 and 2, so that the errors are known by hand.
    value, error = at_zero("richardson", (1, 2), (0.8, 0.7), (0.01, 0.02))
    assert (value, error) == pytest.approx((0.9, np.hypot(0.02, 0.02)))


@pytest.mark.parametrize(("height", "floor"), [(0.8, 0.0), (-0.8, 0.3)])
def test_a_decay_is_followed_to_zero(height, floor):
    scales = np.array([1.0, 3.0, 5.0])
    values = floor + height * np.exp(-0.2 * scales)
    value, error = at_zero("exponential", scales, values, (0.01, 0.01, 0.01), floor)
    assert value == pytest.approx(floor + height)
    assert 0.01 < error < 0.05
    assert at_zero("exponential", scales, values, (0, 0, 0), floor)[0] == pytest.approx(floor + height)


@pytest.mark.parametrize("values", [(0.5, 0.6, 0.7), (0.1, -0.1, 0.1), (0.5, 0.4, 0.005)])
def test_where_there_is_no_decay_the_exponential_is_a_line(values):
    errors = (0.01, 0.01, 0.01)
    assert at_zero("exponential", (1, 3, 5), values, errors) == at_zero("linear", (1, 3, 5), values, errors)


def test_the_error_of_a_decay_is_that_of_many_repetitions():
    generator, scales = np.random.default_rng(3), np.array([1.0, 3.0, 5.0])
    drawn = 0.9 * np.exp(-0.15 * scales)[:, None, None] + generator.normal(0, 0.01, (3, 4000, 1))
    found, error = extrapolated("exponential", scales, drawn, np.full_like(drawn, 0.01), np.zeros(1))
    assert found.mean() == pytest.approx(0.9, abs=0.002)
    assert error.mean() == pytest.approx(found.std(), rel=0.1)
