"""Aer's other methods: stabilizers, matrix product states and density matrices answer as a state vector would."""

from __future__ import annotations

import numpy as np
import pytest

from quire_gpu_simulation.aer_executor import AerExecutor
from quire_gpu_simulation.chooser import Choice
from quire_gpu_simulation.facts import CLIFFORD
from quire_gpu_simulation.limits import Limits
from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import normalise
from quire_quantum.structure import GATES, Angle, Operation, Structure
from quire_resilience.clock import SystemClock

NOTHING = np.zeros((1, 0))
SHARED = AerExecutor(Limits(), SystemClock())
FEW = AerExecutor(Limits(mps_bond=2, mps_truncates=True), SystemClock())


def run(work, method, executor=SHARED, *, truncates=False):
    choice = Choice(method, 0.0, 0, "asked for", truncates=truncates)
    return executor.run(work, choice, 2**28)


def chain(qubits, layers=1):
    layer = [Operation("ry", (qubit,), (Angle(0, 1.0, 0.1 * qubit),)) for qubit in range(qubits)]
    layer += [Operation("rzz", (qubit, qubit + 1), (Angle(1),)) for qubit in range(qubits - 1)]
    layer += [Operation("rx", (qubit,), (Angle(1, 0.5, 0.3),)) for qubit in range(qubits)]
    return Structure(qubits, 0, 2, (*(layer * layers), Operation("cx", (0, qubits - 1))))


def test_every_clifford_gate_is_one_that_the_stabilizer_simulator_knows():
    observables = tuple(normalise({label: 1.0}, 2) for label in ("ZI", "IX", "YZ", "XY"))
    for name in sorted(CLIFFORD & set(GATES)):
        operations = (Operation("h", (0,)), Operation("s", (0,)), Operation("cx", (0, 1)), Operation("sx", (1,)))
        structure = Structure(2, 0, 0, (*operations, Operation(name, tuple(range(GATES[name].qubits))), operations[0]))
        work = Work(structure, (Member(NOTHING),), None, observables)
        values = [run(work, method).members[0].values for method in ("stabilizer", "statevector")]
        np.testing.assert_allclose(*values, atol=1e-12, err_msg=name)


def test_a_wide_stabilizer_state_is_sampled():
    pairs = (Operation("cx", (qubit, qubit + 1)) for qubit in range(149))
    measured = (Operation("measure", (qubit,), (), (qubit,)) for qubit in range(150))
    structure = Structure(150, 150, 0, (Operation("h", (0,)), *pairs, *measured))
    outcome = SHARED.execute(Work(structure, (Member(NOTHING, 4), Member(np.zeros((2, 0)), 9)), 200))
    assert (outcome.execution.backend, outcome.members[1].counts.rows) == ("aer-stabilizer", 2)
    (counts,) = unpack(outcome.members[0].counts)
    assert set(counts) == {"0" * 150, "1" * 150}
    alone = SHARED.execute(Work(structure, (Member(NOTHING, 4),), 200)).members[0]
    assert alone.counts == outcome.members[0].counts


def test_a_matrix_product_state_gives_the_state_vectors_values_row_by_row():
    observables = (normalise({"ZIIIII": 1.0, "IXXIII": 0.5}, 6), normalise({"IIIZZY": 1.0}, 6))
    rows = np.random.default_rng(1).uniform(-2, 2, (5, 2))
    work = Work(chain(6, 2), (Member(rows[:2]), Member(rows[2:])), None, observables)
    ours, expected = run(work, "matrix_product_state"), run(work, "statevector")
    for one, other in zip(ours.members, expected.members, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-9)
    assert ours.execution.backend == "aer-matrix-product-state"
    assert "mps_discarded_weight" not in ours.execution.provider_metadata


def test_forty_qubits_in_a_chain_are_sampled_as_their_closed_form_says():
    """Turns alone: qubit q of 40 is read as 1 with the probability sin^2(angle / 2), and two rows differ."""
    turns = tuple(Operation("ry", (qubit,), (Angle(0, 1.0, 0.05 * qubit),)) for qubit in range(40))
    measured = tuple(Operation("measure", (qubit,), (), (qubit,)) for qubit in range(40))
    structure = Structure(40, 40, 1, turns + measured)
    outcome = SHARED.execute(Work(structure, (Member(np.array([[0.2], [1.4]]), 3),), 1_000))
    assert outcome.execution.provider_metadata["method"] == "matrix_product_state"
    for row, angle in zip(unpack(outcome.members[0].counts), (0.2, 1.4), strict=True):
        ones = np.array([sum(tally for text, tally in row.items() if text[39 - qubit] == "1") for qubit in range(40)])
        expected = np.sin((angle + 0.05 * np.arange(40)) / 2) ** 2
        assert np.all(np.abs(ones / 1_000 - expected) < 5 * np.sqrt(expected * (1 - expected) / 1_000) + 1e-3)


def test_what_is_cut_off_is_reported():
    rows = np.array([[0.7, 1.1]])
    work = Work(chain(8, 3), (Member(rows),), None, (normalise({"ZZIIIIII": 1.0}, 8),))
    outcome = run(work, "matrix_product_state", FEW, truncates=True)
    metadata = outcome.execution.provider_metadata
    assert metadata["mps_bond"] == 2
    assert 1e-4 < metadata["mps_discarded_weight"] < 10
    assert abs(outcome.members[0].values[0, 0] - run(work, "statevector").members[0].values[0, 0]) > 1e-6


@pytest.mark.parametrize("shots", [None, 300])
def test_a_batch_of_nothing_is_answered_by_nothing(shots):
    structure = Structure(1, 1, 1, (Operation("ry", (0,), (Angle(0),)), Operation("measure", (0,), (), (0,))))
    observables = (normalise({"Z": 1.0}, 1),) if shots is None else ()
    members = (Member(np.zeros((0, 1)), 1), Member(np.array([[np.pi]]), 2))
    empty, full = SHARED.execute(Work(structure, members, shots, observables)).members
    if shots is None:
        assert (empty.values.shape, full.values.tolist()) == ((0, 1), [[-1.0]])
    else:
        assert (empty.counts.rows, unpack(full.counts)) == (0, [{"1": 300}])
