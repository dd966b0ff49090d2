"""The compiled form: the same state as gate by gate, in few passes, quickly, and whatever the angles' values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_gpu_simulation.engine.compiled import CROSSED, REAL, Exchange, Layer, Permutation, Phases
from quire_gpu_simulation.engine.fusion import compile_structure
from quire_gpu_simulation.engine.steps import NotFusableError
from quire_quantum.structure import GATES, Angle, Operation, Structure
from quire_quantum.unitaries import gate_matrices
from quire_testing.circuits import plain_state, random_structure

VALUES = np.array([0.7, -1.9, 2.4])


@pytest.mark.parametrize("name", GATES)
def test_every_gate_between_others(name):
    shape = GATES[name]
    angles = tuple(Angle(index, -2.0, 0.3) for index in range(shape.angles))
    around = [Operation("ry", (qubit,), (Angle(0, 0.5, 0.4 + qubit),)) for qubit in range(3)]
    around += [Operation("t", (1,)), Operation("cx", (2, 0)), Operation("rx", (0,), (Angle(1),))]
    gate = Operation(name, (2, 0, 1)[: shape.qubits], angles)
    structure = Structure(3, 0, 3, (*around, gate, *around))
    assert overlap(compiled_state(compile_structure(structure), VALUES), plain_state(structure, VALUES)) > 1 - 1e-12


def test_random_circuits_of_all_gates():
    generator = np.random.default_rng(5)
    for _ in range(300):
        structure = random_structure(generator, int(generator.integers(1, 6)), int(generator.integers(0, 40)))
        found = compiled_state(compile_structure(structure), VALUES)
        assert overlap(found, plain_state(structure, VALUES)) > 1 - 1e-11


@given(
    st.integers(0, 2**32 - 1), st.sampled_from(["cx cz x h", "cx rz x t swap", "u p cx", "ry rz rx x y sx", "ccx h s"])
)
def test_random_circuits_of_few_kinds_of_gates(seed, names):
    """Long runs of one sort, which merge most."""
    structure = random_structure(np.random.default_rng(seed), 4, 25, names=names.split())
    assert overlap(compiled_state(compile_structure(structure), VALUES), plain_state(structure, VALUES)) > 1 - 1e-11


def test_qaoa_is_one_pass_of_phases_and_one_real_layer_a_round():
    structure = qaoa(10, rounds=2)
    compiled = compile_structure(structure)
    assert [type(each) for each in compiled.passes] == [Phases, Layer, Phases, Layer]
    assert {gate.kind for each in compiled.passes if isinstance(each, Layer) for gate in each.gates} == {CROSSED}
    assert len(compiled.angles) == 4
    assert compiled.bytes_moved(3) == 3 * 5 * 2 * 16 * 1024


def test_the_z_turns_of_an_ansatz_leave_its_layers_real():
    operations = []
    for layer in range(2):
        for qubit in range(6):
            operations.append(Operation("ry", (qubit,), (Angle(12 * layer + qubit),)))
            operations.append(Operation("rz", (qubit,), (Angle(12 * layer + 6 + qubit),)))
        operations += [Operation("cx", (qubit, qubit + 1)) for qubit in range(5)]
    compiled = compile_structure(Structure(6, 0, 24, tuple(operations)))
    assert [type(each) for each in compiled.passes] == [Permutation, Layer, Phases, Permutation]
    assert {gate.kind for gate in compiled.passes[1].gates} == {REAL}


def test_a_parity_by_ladders_of_cx_is_one_pass():
    ladder = [Operation("cx", (qubit, qubit + 1)) for qubit in range(4)]
    operations = (*ladder, Operation("rz", (4,), (Angle(0),)), *reversed(ladder))
    (only,) = compile_structure(Structure(5, 0, 1, operations)).passes
    assert [parity.mask for parity in only.parities] == [0b11111]


def test_the_form_does_not_depend_on_the_numbers_of_qubits_or_parameters():
    """Eighteen qubits, 1,000 gates: nothing of size 2^n is made."""
    generator = np.random.default_rng(1)
    compiled = compile_structure(random_structure(generator, 18, 1_000, num_parameters=40))
    assert all(len(each.columns) == 18 for each in compiled.passes if isinstance(each, Permutation))


@pytest.mark.parametrize("step", [Operation("measure", (0,), (), (0,)), Operation("reset", (0,))])
def test_what_has_no_single_state_is_refused(step):
    with pytest.raises(NotFusableError, match="before the end"):
        compile_structure(Structure(1, 1, 0, (step, Operation("h", (0,)))))


def qaoa(num_qubits, rounds):
    operations = [Operation("h", (qubit,)) for qubit in range(num_qubits)]
    for layer in range(rounds):
        pairs = [(qubit, (qubit + step) % num_qubits) for step in (1, 3) for qubit in range(num_qubits)]
        operations += [Operation("rzz", pair, (Angle(layer),)) for pair in pairs]
        operations += [Operation("rx", (qubit,), (Angle(rounds + layer),)) for qubit in range(num_qubits)]
    return Structure(num_qubits, 0, 2 * rounds, tuple(operations))


def compiled_state(compiled, values):
    """The state by the compiled passes as their docstrings say, complex128 [2^n]."""
    basis = np.arange(1 << compiled.num_qubits)
    angles = compiled.values(np.asarray(values)[None])[0]
    state = np.zeros(len(basis), np.complex128)
    state[0] = 1.0
    for each in (compiled.start, *compiled.passes):
        if isinstance(each, Layer):
            for gate in each.gates:
                matrix = np.eye(2)
                for turn in gate.turns:
                    matrix = _matrix(turn, angles) @ matrix
                bit = basis >> gate.qubit & 1
                state = matrix[bit, bit] * state + matrix[bit, 1 - bit] * state[basis ^ (1 << gate.qubit)]
        elif isinstance(each, Phases):
            for mask, angle, sign in each.parities:
                state = state * np.exp(1j * sign * angles[angle] * (1.0 - 2.0 * (np.bitwise_count(basis & mask) & 1)))
        elif isinstance(each, Permutation):
            source = np.full(len(basis), each.offset)
            for bit, column in enumerate(each.columns):
                source ^= column * (basis >> bit & 1)
            state = state[source]
        else:
            assert isinstance(each, Exchange)
            fits = basis[basis & each.mask == each.value]
            state[fits], state[fits ^ each.flip] = state[fits ^ each.flip], state[fits]
    return state


def overlap(left, right):
    """1 for states that differ by a global phase only."""
    return abs(np.vdot(left, right))


def _matrix(turn, angles):
    if turn.axis == "matrix":
        return np.array(turn.entries).reshape(2, 2)
    half = angles[turn.angle] / 2
    pauli = gate_matrices(turn.axis, np.zeros((1, 0)))[0]
    return math.cos(half) * np.eye(2) - 1j * math.sin(half) * pauli
