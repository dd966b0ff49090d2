"""The hardware-efficient ansatz is Qiskit's, parameter by parameter; every frequency of its angles is what is said."""

import numpy as np
import pytest
from qiskit.circuit.library import n_local
from qiskit.quantum_info import Statevector

from quire_contracts.preparation import Columns
from quire_contracts.vqe import HardwareEfficient
from quire_preprocessing.minimize.gate_spectra import gate_spectra
from quire_preprocessing.minimize.hardware_ansatz import hardware_efficient, pairs
from quire_quantum.structure import Angle, Operation, Structure
from quire_testing.circuits import plain_state, random_structure


@pytest.mark.parametrize("entanglement", ["linear", "circular", "pairwise", "full"])
@pytest.mark.parametrize("qubits", [1, 2, 3, 5])
@pytest.mark.parametrize(("rotations", "entangler"), [(("ry", "rz"), "cx"), (("rx",), "cz")])
def test_it_is_qiskits(entanglement, qubits, rotations, entangler):
    asked = HardwareEfficient(layers=2, rotations=rotations, entangler=entangler, entanglement=entanglement)
    structure = hardware_efficient(asked, qubits)
    theirs = n_local(qubits, list(rotations), entangler if qubits > 1 else [], entanglement=entanglement, reps=2)
    assert structure.num_parameters == asked.angles(qubits) == theirs.num_parameters
    values = np.random.default_rng(qubits).uniform(-3, 3, structure.num_parameters)
    expected = Statevector(theirs.assign_parameters(values)).data
    assert abs(np.vdot(expected, plain_state(structure, values))) == pytest.approx(1.0)


def test_pairs_are_named_in_order():
    assert pairs("linear", 4) == [(0, 1), (1, 2), (2, 3)]
    assert pairs("circular", 4) == [(3, 0), (0, 1), (1, 2), (2, 3)]
    assert pairs("circular", 2) == [(0, 1)]
    assert pairs("pairwise", 5) == [(0, 1), (2, 3), (1, 2), (3, 4)]
    assert pairs("full", 3) == [(0, 1), (0, 2), (1, 2)]


def waves(structure, operator, point, index, spectrum):
    """Sizes of the energy's waves along one parameter, orders 0 to 2 R of the spectrum's spacing."""
    count = 4 * spectrum.count + 1
    along = []
    for step in range(count):
        moved = np.array(point)
        moved[index] += step * 2 * np.pi / spectrum.spacing / count
        state = plain_state(structure, moved)
        along.append(float(np.vdot(state, operator @ state).real))
    return np.abs(np.fft.rfft(along)) / count


@pytest.mark.parametrize("seed", range(20))
def test_no_energy_has_other_frequencies(seed):
    draws = np.random.default_rng(seed)
    structure = random_structure(draws, 2, 8, num_parameters=3)
    operator = draws.normal(size=(4, 4)) + 1j * draws.normal(size=(4, 4))
    operator = operator + operator.conj().T
    point = draws.uniform(-2, 2, 3)
    for index, spectrum in enumerate(gate_spectra(structure, None, 3, 100)):
        assert waves(structure, operator, point, index, spectrum)[spectrum.count + 1 :].max() < 1e-10


def test_a_controlled_rotation_has_two_and_both_are_there():
    structure = Structure(2, 0, 1, (Operation("h", (0,)), Operation("crx", (0, 1), (Angle(0),))))
    (spectrum,) = gate_spectra(structure, None, 1, 10)
    assert (spectrum.spacing, spectrum.count) == (0.5, 2)
    operator = np.random.default_rng(1).normal(size=(4, 4))
    sizes = waves(structure, operator + operator.T, [0.3], 0, spectrum)
    assert sizes[1:3].min() > 1e-3


def test_a_loops_factor_counts():
    structure = Structure(1, 0, 2, (Operation("ry", (0,), (Angle(0, 2.0),)), Operation("ry", (0,), (Angle(1),))))
    columns = Columns(sources=(0, 0), scales=(1.5, 0.0), offsets=(0.0, 1.0))
    (spectrum,) = gate_spectra(structure, columns, 1, 10)
    assert (spectrum.spacing, spectrum.count) == (3.0, 1)


def test_too_many_frequencies_are_none():
    steep = Structure(1, 0, 1, (Operation("ry", (0,), (Angle(0, 1.0),)), Operation("rx", (0,), (Angle(0, 50.0),))))
    assert gate_spectra(steep, None, 1, 50) == [None]
    assert gate_spectra(steep, None, 1, 51)[0].count == 51
