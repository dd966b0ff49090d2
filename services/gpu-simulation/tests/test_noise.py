"""Noise: models as data, exact values against Aer's density matrix, trajectories against the exact values."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate
from qiskit_aer import AerSimulator
from qiskit_aer import noise as aer_noise

from quire_gpu_simulation.budget import MemoryBudget
from quire_gpu_simulation.noise import executor as noisy
from quire_gpu_simulation.noise.channels import noisy as noisy_circuit
from quire_gpu_simulation.noise.density import probabilities
from quire_gpu_simulation.noise.executor import NoisyExecutor
from quire_gpu_simulation.noise.model import GateErrors, NoiseModel, NoiseModelError, Readout, built_in, read_models
from quire_quantum.executor import Member, Work
from quire_quantum.observables import expectation, group, normalise
from quire_quantum.structure import GATES, Angle, Operation, Structure
from quire_quantum.unitaries import gate_matrices
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import PAIR, TURN, TURN_MEASURED, ExecutorSuite

NOISY = NoiseModel(
    one_qubit=GateErrors(depolarizing=0.02, amplitude_damping=0.03, phase_damping=0.05),
    two_qubit=GateErrors(depolarizing=0.06, amplitude_damping=0.04, phase_damping=0.02),
    readout=Readout(one_for_zero=0.03, zero_for_one=0.05),
    noiseless=("rz",),
)


def make(model=NOISY, memory=2**28):
    return NoisyExecutor("simulation:test", model, MemoryBudget(memory), SystemClock())


class TestNothingHappens(ExecutorSuite):
    """A model without noise is an ideal simulator: the port's laws, by density matrices."""

    @pytest.fixture
    def executor(self):
        return make(NoiseModel())


class TestNothingHappensToTrajectories(ExecutorSuite):
    """The same, by trajectories; exact values stay with the density matrices."""

    @pytest.fixture
    def executor(self, monkeypatch):
        monkeypatch.setattr(noisy, "WIDEST_SAMPLED_DENSITY", 0)
        return make(NoiseModel())


def every_gate(qubits=3):
    """All gates of one and two qubits, each with parameters of its own."""
    places = np.random.default_rng(1)
    return Structure(qubits, 0, 3, tuple(
        Operation(name, tuple(places.permutation(qubits)[: shape.qubits].tolist()),
                  tuple(Angle(index, 1.3, 0.2) for index in range(shape.angles)))
        for name, shape in GATES.items() if shape.qubits < 3
    ))  # fmt: skip


def aer_errors(errors, width):
    one = aer_noise.amplitude_damping_error(errors.amplitude_damping).compose(
        aer_noise.phase_damping_error(errors.phase_damping)
    )
    return aer_noise.depolarizing_error(errors.depolarizing, width).compose(one if width == 1 else one.tensor(one))


def by_aer(structure, row, model):
    """Aer's probabilities: every gate a labelled unitary, so that Aer simulates those it does not know itself."""
    names = {
        width: [f"q{n}" for n, s in GATES.items() if s.qubits == width and n not in model.noiseless] for width in (1, 2)
    }
    noise = aer_noise.NoiseModel()
    noise.add_all_qubit_quantum_error(aer_errors(model.one_qubit, 1), names[1])
    noise.add_all_qubit_quantum_error(aer_errors(model.two_qubit, 2), names[2])
    circuit = QuantumCircuit(structure.num_qubits)
    for name, qubits, angles, _ in structure.operations:
        values = np.array([[each.scale * row[each.parameter] + each.offset for each in angles]])
        circuit.append(UnitaryGate(gate_matrices(name, values)[0], label=f"q{name}"), qubits)
    circuit.save_probabilities()
    found = AerSimulator(method="density_matrix", noise_model=noise).run(circuit).result().data(0)["probabilities"]
    misread = np.array(
        [
            [1 - model.readout.one_for_zero, model.readout.zero_for_one],
            [model.readout.one_for_zero, 1 - model.readout.zero_for_one],
        ]
    )
    every = np.eye(1)
    for _ in range(structure.num_qubits):
        every = np.kron(every, misread)
    return every @ found


def test_probabilities_are_aers_and_no_row_depends_on_the_others():
    structure = every_gate()
    rows = np.random.default_rng(2).uniform(-2, 2, (3, 3))
    found = probabilities(noisy_circuit(structure, NOISY), rows)
    np.testing.assert_allclose(found, [by_aer(structure, row, NOISY) for row in rows], atol=1e-9)
    alone = [probabilities(noisy_circuit(structure, NOISY), row[None])[0] for row in rows]
    assert np.array_equal(found, alone)


@pytest.mark.parametrize("name", ["ccx", "cswap"])
def test_gates_of_three_qubits_are_made_of_gates_of_two(name):
    turns = tuple(Operation("ry", (qubit,), (Angle(0, 1.0, 0.7 * qubit),)) for qubit in range(3))
    structure = Structure(3, 0, 1, (*turns, Operation(name, (2, 0, 1)), *turns))
    row = np.array([[0.4]])
    clean = probabilities(noisy_circuit(structure, NoiseModel()), row)[0]
    state = np.zeros(8)
    state[0] = 1
    circuit = QuantumCircuit(3)
    for operation in structure.operations:
        values = np.array([[0.4 * each.scale + each.offset for each in operation.angles]])
        circuit.append(UnitaryGate(gate_matrices(operation.name, values)[0]), operation.qubits)
    circuit.save_probabilities()
    ideal = AerSimulator(method="statevector").run(circuit).result().data(0)["probabilities"]
    np.testing.assert_allclose(clean, ideal, atol=1e-9)
    assert len(noisy_circuit(structure, NOISY).steps) == 6 + (15 if name == "ccx" else 17)


def test_exact_values_are_what_endless_shots_would_give():
    observables = (normalise({"ZZ": 1.0, "XX": 0.5, "YI": -0.25}, 2), normalise({"IZ": 2.0, "II": 3.0}, 2))
    angles = np.array([[0.3], [1.1], [2.6]])
    executor = make()
    exact = executor.execute(Work(PAIR, (Member(angles),), None, observables)).members[0].values
    counts = executor.execute(Work(PAIR, (Member(angles, 3),), 20_000, observables)).members[0].counts
    values, errors = expectation(counts, observables, group(observables))
    assert np.all(np.abs(values - exact) < 5 * errors + 1e-12)
    assert np.all(np.abs(exact[:, 0] - (1 + 0.5 * np.sin(angles[:, 0]))) > 0.05), "the noise shows"


def test_a_depolarized_turn_in_closed_form():
    """One gate of a qubit, depolarized with p and misread with e0, e1: <Z> = (1 - e0 - e1)(1 - p) cos + e1 - e0."""
    model = NoiseModel(one_qubit=GateErrors(depolarizing=0.1), readout=Readout(one_for_zero=0.02, zero_for_one=0.06))
    angles = np.linspace(-3, 3, 5)[:, None]
    values = make(model).execute(Work(TURN, (Member(angles),), None, (normalise({"Z": 1.0}, 1),))).members[0].values
    np.testing.assert_allclose(values[:, 0], 0.92 * 0.9 * np.cos(angles[:, 0]) + 0.04, atol=1e-12)


def test_trajectories_follow_the_density_matrix(monkeypatch):
    """Counts of all gates under all kinds of noise: chi-square of 8 outcomes in 4,000 shots, twice."""
    structure, rows = every_gate(), np.random.default_rng(3).uniform(-2, 2, (2, 3))
    measured = structure.with_operations(
        (*structure.operations, *(Operation("measure", (qubit,), (), (qubit,)) for qubit in range(3))), 3
    )
    monkeypatch.setattr(noisy, "WIDEST_SAMPLED_DENSITY", 0)
    outcome = make().execute(Work(measured, (Member(rows, 5),), 4_000))
    assert outcome.execution.backend == "quire-trajectories"
    counts = outcome.members[0].counts
    expected = 4_000 * probabilities(noisy_circuit(structure, NOISY), rows)
    for row in range(2):
        cut = slice(counts.offsets[row], counts.offsets[row + 1])
        seen = np.bincount(counts.words()[cut, 0].astype(int), counts.tallies[cut], 8)
        assert ((seen - expected[row]) ** 2 / expected[row]).sum() < 35


def test_trajectories_part_in_portions_without_a_change_of_their_law(monkeypatch):
    monkeypatch.setattr(noisy, "WIDEST_SAMPLED_DENSITY", 0)
    monkeypatch.setattr(noisy.trajectories, "AMPLITUDES", 64)
    observables = (normalise({"ZZ": 1.0, "XX": 0.5}, 2),)
    angles = np.array([[0.9]])
    exact = make().execute(Work(PAIR, (Member(angles),), None, observables)).members[0].values
    counts = make().execute(Work(PAIR, (Member(angles, 8),), 3_000, observables)).members[0].counts
    values, errors = expectation(counts, observables, group(observables))
    assert np.all(np.abs(values - exact) < 5 * errors)


def test_slices_change_nothing():
    work = Work(TURN_MEASURED, (Member(np.linspace(0, 3, 40)[:, None], 5),), 200)
    assert make(memory=1024).execute(work).members[0].counts == make().execute(work).members[0].counts


def test_what_it_cannot_take_is_refused_in_words():
    wide = Structure(12, 0, 0, (Operation("h", (0,)),))
    with pytest.raises(Permanent) as caught:
        make().execute(Work(wide, (Member(np.zeros((1, 0))),), None, (normalise({"Z" * 12: 1.0}, 12),)))
    assert caught.value.code == "unsupported-exact"
    reset = Structure(1, 1, 0, (Operation("reset", (0,)), Operation("measure", (0,), (), (0,))))
    with pytest.raises(Permanent) as caught:
        make().execute(Work(reset, (Member(np.zeros((1, 0))),), 5))
    assert caught.value.code == "unsupported-circuit"


def test_models_are_read_whole():
    model = built_in()["depolarizing"]
    assert (model.one_qubit.depolarizing, model.two_qubit.depolarizing) == (0.001, 0.01)
    assert model.after("rz", 1) == GateErrors()
    assert model.after("cx", 2).depolarizing == 0.01
    text = "[lossy]\none_qubit = { amplitude_damping = 0.25 }\n"
    assert read_models(text)["lossy"].after("h", 1) == GateErrors(amplitude_damping=0.25)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\none_qubit = { depolarizing = 1.5 }", "<= 1"),
        ("[a]\nthree_qubit = {}", "three_qubit"),
        ("[a]\nnoiseless = ['rq']", "no gates rq"),
        ("['A b']\n", "no name"),
        ("[a", "cannot be read"),
    ],
)
def test_a_wrong_model_is_named(text, said):
    with pytest.raises(NoiseModelError, match=said):
        read_models(text)
