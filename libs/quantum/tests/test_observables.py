"""Groups measure every term, values and errors are the closed forms, Qiskit agrees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp

from quire_quantum.counts import pack, select_rows
from quire_quantum.executor import Member, Work
from quire_quantum.fake_executor import FakeExecutor
from quire_quantum.observables import (
    ObservableError,
    expectation,
    final_measurements,
    group,
    normalise,
    with_measurements,
    without_final_measurements,
)
from quire_quantum.structure import Angle, Operation, Structure

labels = st.text("IXYZ", min_size=3, max_size=3)
sums = st.dictionaries(labels, st.floats(-2, 2), min_size=1, max_size=8)


@given(st.lists(sums, min_size=1, max_size=4))
def test_each_term_is_measured_by_its_group(given_sums):
    observables = [normalise(terms, 3) for terms in given_sums]
    grouping = group(observables)
    assert set(grouping.group_of) == {label for terms in given_sums for label in terms}
    for label, index in grouping.group_of.items():
        basis = grouping.bases[index]
        assert all(pauli in ("I", measured) for pauli, measured in zip(label, basis, strict=True))
    assert group(observables) == grouping


@given(sums)
def test_groups_are_no_more_than_the_terms_and_one_for_a_diagonal_sum(terms):
    assert len(group([normalise(terms, 3)]).bases) <= len(terms)
    diagonal = {label.replace("X", "Z").replace("Y", "Z"): value for label, value in terms.items()}
    assert len(group([normalise(diagonal, 3)]).bases) == 1


def test_the_order_of_writing_does_not_matter():
    assert normalise({"ZZ": 1, "IX": 0.5}, 2) == normalise({"IX": 0.5, "ZZ": 1.0}, 2)
    assert normalise({"ZZ": 1, "IX": 0.5}, 2).labels == ("IX", "ZZ")


@pytest.mark.parametrize(
    "terms", [{}, {"Z": 1.0}, {"ZQ": 1.0}, {"zz": 1.0}, {"ZZ": float("nan")}, {"ZZ": float("inf")}]
)
def test_an_observable_that_does_not_fit_is_refused(terms):
    with pytest.raises(ObservableError):
        normalise(terms, 2)


def test_final_measurements_are_replaced_by_the_basis():
    structure = Structure(
        2, 3, 0, (Operation("h", (0,)), Operation("measure", (0,), (), (2,)), Operation("barrier", (0, 1)))
    )
    assert final_measurements(structure) == {2: 0}
    assert without_final_measurements(structure).operations == (Operation("h", (0,)), Operation("barrier", (0, 1)))
    measured = with_measurements(structure, "YX")
    assert measured.num_bits == 2
    assert measured.operations[2:] == (
        Operation("h", (0,)),
        Operation("sdg", (1,)),
        Operation("h", (1,)),
        Operation("measure", (0,), (), (0,)),
        Operation("measure", (1,), (), (1,)),
    )


def test_a_measurement_in_the_middle_cannot_be_replaced():
    structure = Structure(1, 1, 0, (Operation("measure", (0,), (), (0,)), Operation("h", (0,))))
    with pytest.raises(ObservableError, match="measures before its end"):
        with_measurements(structure, "Z")


@settings(max_examples=20)
@given(sums, st.lists(st.floats(-3, 3), min_size=6, max_size=6))
def test_the_fakes_exact_values_are_qiskits(terms, values):
    from qiskit.quantum_info import Statevector

    from quire_quantum.qiskit_circuit import to_circuit

    operations = [Operation("u", (q,), (Angle(q), Angle(q + 3), Angle(q))) for q in range(3)]
    operations += [Operation("cx", (0, 1)), Operation("rzz", (2, 1), (Angle(5),)), Operation("cswap", (0, 2, 1))]
    structure = Structure(3, 0, 6, tuple(operations))
    observable = normalise(terms, 3)
    work = Work(structure, (Member(np.array([values])),), None, (observable,))
    ours = FakeExecutor().execute(work).members[0].values[0, 0]
    state = Statevector(to_circuit(structure).assign_parameters(values))
    theirs = state.expectation_value(SparsePauliOp(list(observable.labels), list(observable.coefficients)))
    assert ours == pytest.approx(theirs.real, abs=1e-9)


def test_terms_of_one_group_keep_their_covariance():
    """Z0 and Z1 of a Bell state always agree, so Z0 - Z1 has no error at all and Z0 + Z1 twice that of Z0."""
    counts = pack([{"00": 50, "11": 50}], bits=2)
    observables = [normalise({"IZ": 1, "ZI": -1}, 2), normalise({"IZ": 1, "ZI": 1}, 2), normalise({"IZ": 1}, 2)]
    values, errors = expectation(counts, observables, group(observables))
    np.testing.assert_allclose(values, [[0, 0, 0]])
    np.testing.assert_allclose(errors, [[0, 2 / np.sqrt(99), 1 / np.sqrt(99)]])


def test_identity_is_exact_and_one_shot_gives_the_largest_error():
    observables = [normalise({"I": 2.5}, 1), normalise({"I": 1.0, "Z": -3.0}, 1)]
    values, errors = expectation(pack([{"1": 1}], bits=1), observables, group(observables))
    np.testing.assert_allclose(values, [[2.5, 4.0]])
    np.testing.assert_allclose(errors, [[0.0, 3.0]])


def test_more_than_64_qubits_are_counted_right():
    label = "Z" + "I" * 98 + "Z"
    observables = [normalise({label: 1.0, "I" * 99 + "Z": 10.0}, 100)]
    rows = [{"1" + "0" * 99: 3, "0" * 100: 1}]
    values, _ = expectation(pack(rows, bits=100), observables, group(observables))
    assert values[0, 0] == pytest.approx((-3 + 1) / 4 + 10)


def test_rows_that_do_not_fit_the_groups_are_refused():
    observables = [normalise({"X": 1.0}, 1), normalise({"Z": 1.0}, 1)]
    grouping = group(observables)
    counts = pack([{"0": 5}, {"1": 5}, {"0": 5}], bits=1)
    with pytest.raises(ObservableError, match="do not fit"):
        expectation(counts, observables, grouping)
    with pytest.raises(ObservableError, match="no shots"):
        expectation(pack([{"0": 5}, {}], bits=1), observables, grouping)
    values, _ = expectation(select_rows(counts, [0, 1]), observables, grouping)
    assert values.tolist() == [[1.0, -1.0]]
