"""A circuit of two states reads only zeros with their fidelity, whatever the gates; Qiskit's state vectors agree."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from quire_contracts.value import Observable
from quire_quantum.counts import pack
from quire_quantum.executor import Member, Work
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import expectation, group, parity_sums
from quire_quantum.overlap import all_zeros, overlap
from quire_quantum.qiskit_circuit import to_circuit
from quire_quantum.structure import GATES, Angle, Operation, Structure, StructureError


def every_gate() -> Structure:
    """One gate of each kind on three qubits, each angle a parameter of its own, scaled and shifted."""
    operations, parameter = [Operation("h", (qubit,)) for qubit in range(3)], 0
    for place, (name, shape) in enumerate(GATES.items()):
        angles = tuple(Angle(parameter + each, 1.5, 0.25) for each in range(shape.angles))
        parameter += shape.angles
        qubits = tuple((place + each) % 3 for each in range(shape.qubits))
        operations += [Operation(name, qubits, angles), Operation("barrier", (0, 1, 2))]
    return Structure(3, 0, parameter, tuple(operations))


def state(structure: Structure, angles: np.ndarray) -> np.ndarray:
    circuit = to_circuit(structure)
    return Statevector(circuit.assign_parameters({each: angles[each.index] for each in circuit.parameters})).data


def test_the_chance_of_all_zeros_is_the_fidelity_of_the_two_states():
    structure = every_gate()
    first, second = np.random.default_rng(3).uniform(-3, 3, (2, 4, structure.num_parameters))
    expected = [abs(np.vdot(state(structure, b), state(structure, a))) ** 2 for a, b in zip(first, second, strict=True)]
    work = Work(overlap(structure), (Member(np.hstack([first, second])),), None, (all_zeros(3),))
    values = FakeExecutor().execute(work).members[0].values[:, 0]
    assert values == pytest.approx(expected, abs=1e-12)
    assert max(expected) - min(expected) > 0.05, "the states differ, so a swapped half would be seen"


def test_a_point_with_itself_is_undone():
    structure = every_gate()
    angles = np.random.default_rng(4).uniform(-3, 3, (1, structure.num_parameters))
    work = Work(overlap(structure), (Member(np.hstack([angles, angles])),), None, (all_zeros(3),))
    assert FakeExecutor().execute(work).members[0].values[0, 0] == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", ["measure", "reset"])
def test_what_cannot_be_undone_is_refused(name):
    bits = (0,) if name == "measure" else ()
    with pytest.raises(StructureError, match=name):
        overlap(Structure(1, len(bits), 0, (Operation(name, (0,), (), bits),)))


@pytest.mark.parametrize("qubits", [1, 3, 8])
def test_all_zeros_counts_the_shots_of_that_outcome_and_no_other(qubits):
    zeros, ones, mixed = "0" * qubits, "1" * qubits, "0" * (qubits - 1) + "1"
    counts = pack([{zeros: 30, ones: 50, mixed: 20} if qubits > 1 else {zeros: 30, ones: 70}, {ones: 100}], bits=qubits)
    observable = all_zeros(qubits)
    values, errors = expectation(counts, (observable,), group((observable,)))
    assert values[:, 0].tolist() == [0.3, 0.0]
    assert errors[:, 0] == pytest.approx([np.sqrt(0.3 * 0.7 / 99), 0.0])


def test_many_terms_are_valued_by_a_table_as_few_are_one_by_one():
    random = np.random.default_rng(8)
    labels = ["".join(random.choice(list("IZ"), 9)) for _ in range(300)]
    terms = {label: float(random.normal()) for label in labels}
    whole = Observable(tuple(terms), tuple(terms.values()))
    parts = [
        Observable(tuple(terms)[start : start + 40], tuple(terms.values())[start : start + 40])
        for start in range(0, len(terms), 40)
    ]
    outcomes = {
        format(int(place), "09b"): int(tally)
        for place, tally in zip(random.choice(512, 60, replace=False), random.integers(1, 9, 60), strict=True)
    }
    counts = pack([outcomes], bits=9)
    together = expectation(counts, (whole,), group((whole,)))[0][0, 0]
    apart = sum(expectation(counts, (part,), group((part,)))[0][0, 0] for part in parts)
    assert together == pytest.approx(apart, abs=1e-10)


def test_parity_sums_are_signed_sums():
    numbers = np.random.default_rng(2).normal(size=(2, 8))
    places = np.arange(8)
    signs = 1.0 - 2.0 * (np.bitwise_count(places[:, None] & places[None, :]) & 1)
    assert parity_sums(numbers) == pytest.approx(numbers @ signs)
