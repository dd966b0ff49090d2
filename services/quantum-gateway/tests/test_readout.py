"""Errors of reading: measured from counts of prepared qubits, and taken out of others by mthree."""

from __future__ import annotations

import numpy as np
import pytest

from quire_contracts.value import Observable
from quire_plane.reading import read_structure
from quire_plane.slices import read_parameters
from quire_quantum.counts import pack, unpack
from quire_quantum.executor import Member, Work
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import expectation, group
from quire_quantum_gateway.readout import Reading, matrices_of, nearest, reading_batch
from quire_testing.batches import NOW
from quire_testing.executor_suite import FLIP

ERRORS = {4: (0.02, 0.08), 7: (0.05, 0.01), 9: (0.0, 0.1)}
"""Chances to read 1 for 0, and 0 for 1, by qubit of the device."""

MATRICES = {qubit: np.array([[1 - zero, one], [zero, 1 - one]]) for qubit, (zero, one) in ERRORS.items()}
SHOTS = 1_000_000


def misread(ideal, qubits):
    """Counts of ideal shares as they are read from these qubits, bit by bit, without any noise of chance."""
    bits = len(qubits)
    shares = np.zeros(2**bits)
    for text, share in ideal.items():
        shares[int(text, 2)] = share
    tensor = shares.reshape((2,) * bits)
    for bit, qubit in enumerate(qubits):
        axis = bits - 1 - bit
        tensor = np.moveaxis(np.tensordot(MATRICES[qubit], tensor, (1, axis)), 0, axis)
    return {format(place, f"0{bits}b"): round(share * SHOTS) for place, share in enumerate(tensor.ravel())}


GHZ = {"000": 0.5, "111": 0.5}
OBSERVABLES = (Observable(("IZZ",), (1.0,)), Observable(("III", "ZII", "ZIZ"), (0.25, 0.5, -1.0)))


def test_mthree_takes_the_errors_out_of_values():
    counts = pack([misread(GHZ, (4, 7, 9)), misread({"010": 0.3, "100": 0.7}, (4, 7, 9))], bits=3)
    grouping = group(OBSERVABLES)
    plain, plain_errors = expectation(counts, OBSERVABLES, grouping)
    values, errors = Reading(MATRICES, [(4, 7, 9)]).expectation(counts, OBSERVABLES, grouping)
    ideal = [[1.0, -0.75], [0.4, 0.25 + 0.5 * (0.3 - 0.7) - (0.3 - 0.7)]]
    np.testing.assert_allclose(values, ideal, atol=2e-4)
    assert np.abs(plain - ideal).max() > 0.05
    # Taking errors out costs variance, and never gains any.
    assert (errors > plain_errors).all()
    assert (errors < 3 / np.sqrt(SHOTS)).all()


def test_every_circuit_is_read_from_its_own_qubits():
    grouping = group([Observable(("Z", "X"), (1.0, 1.0))])
    rows = [misread({"1": 1.0}, (4,)), misread({"0": 1.0}, (7,))] * 2
    observable = [Observable(("Z", "X"), (1.0, 1.0))]
    first, second = (4,), (7,)
    values, _ = Reading(MATRICES, [first, second]).expectation(pack(rows, bits=1), observable, grouping)
    np.testing.assert_allclose(values, [[0.0], [0.0]], atol=1e-5)
    wrong, _ = Reading(MATRICES, [second, first]).expectation(pack(rows, bits=1), observable, grouping)
    assert np.abs(wrong).min() > 0.01


def test_counts_keep_their_shots_and_come_nearer_to_the_truth():
    read = misread(GHZ, (4, 7, 9))
    (corrected,) = unpack(Reading(MATRICES, [(4, 7, 9)]).counts(pack([read], bits=3)))
    assert sum(corrected.values()) == sum(read.values())
    assert abs(corrected["000"] - SHOTS / 2) < 100 < abs(read["000"] - SHOTS / 2)
    assert sum(tally for text, tally in corrected.items() if text not in GHZ) < 100


def test_what_is_not_read_has_no_errors():
    counts = pack([misread({"1": 1.0}, (4,))], bits=1)
    padded = pack([{f"0{text}": tally for text, tally in unpack(counts)[0].items()}], bits=2)
    observables = [Observable(("IZ",), (1.0,))]
    values, _ = Reading(MATRICES, [(4, -1)]).expectation(padded, observables, group(observables))
    np.testing.assert_allclose(values, [[-1.0]], atol=1e-5)


def test_errors_of_reading_are_measured_by_prepared_qubits():
    rows = [misread({"000": 1.0}, (4, 7, 9)), misread({"111": 1.0}, (4, 7, 9))]
    for matrix, qubit in zip(matrices_of(pack(rows, bits=3)), (4, 7, 9), strict=True):
        np.testing.assert_allclose(matrix, MATRICES[qubit], atol=1e-5)


def test_a_reading_batch_prepares_every_qubit_in_0_and_in_1(make):
    like = make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])
    batch = reading_batch("monday", (4, 7, 9), 50, like, NOW)
    structure = read_structure(batch.structure.inline)
    matrix = batch.members[0].parameters
    work = Work(structure, (Member(read_parameters(matrix, matrix.data.inline, structure), 7),), batch.shots)
    (member,) = FakeExecutor("x").execute(work).members
    assert unpack(member.counts) == [{"000": 50}, {"111": 50}]


def test_a_reading_batch_is_named_by_what_it_measures(make):
    like = make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))])
    other = make.batch(FLIP, [make.slice("b", np.zeros((1, 0)))], batch_id="b2")
    elsewhere = make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))], target="qiskit:y")
    asked = ("monday", (4, 7), 50)
    same = {reading_batch(*asked, each, NOW).batch_id for each in (like, other)}
    different = [("tuesday", (4, 7), 50), ("monday", (4, 9), 50), ("monday", (4, 7), 60)]
    names = [reading_batch(*each, like, NOW).batch_id for each in different]
    assert len(same) == 1
    assert len(same.union(names, [reading_batch(*asked, elsewhere, NOW).batch_id])) == 5


@pytest.mark.parametrize(
    ("shares", "expected"),
    [([0.5, 0.5], [0.5, 0.5]), ([1.1, -0.1], [1.0, 0.0]), ([0.7, 0.6, -0.3], [0.55, 0.45, 0.0])],
)
def test_the_nearest_shares_are_none_below_zero(shares, expected):
    np.testing.assert_allclose(nearest(np.array(shares)), expected, atol=1e-12)
