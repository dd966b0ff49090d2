"""The classical reference of a minimisation: closed forms, brute force, and what it says of itself."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_contracts.value import Observable
from quire_preprocessing.minimize import ground_state
from quire_preprocessing.minimize.ground_state import reference
from quire_preprocessing.minimize.pauli_matrix import elements, sparse_rows
from quire_preprocessing.minimize.product_states import least_product
from quire_quantum.observables import normalise

PAULI = {"I": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1])}


def dense(observable):
    total = 0
    for label, coefficient in zip(observable.labels, observable.coefficients, strict=True):
        product = np.eye(1)
        for letter in label:
            product = np.kron(product, PAULI[letter])
        total = total + coefficient * product
    return total


def chain(qubits, field=1.0):
    """The transverse-field Ising chain with open ends."""
    terms = {}
    for qubit in range(qubits):
        label = ["I"] * qubits
        label[qubit] = "X"
        terms["".join(label)] = -field
    for qubit in range(qubits - 1):
        label = ["I"] * qubits
        label[qubit] = label[qubit + 1] = "Z"
        terms["".join(label)] = -1.0
    return normalise(terms, qubits)


def chain_energy(qubits):
    """At the critical field: 1 - 1 / sin(pi / (4 n + 2)) (Pfeuty, Annals of Physics 57, 79, 1970, open ends)."""
    return 1 - 1 / math.sin(math.pi / (2 * (2 * qubits + 1)))


observables = st.integers(1, 4).flatmap(
    lambda qubits: st.dictionaries(
        st.text("IXYZ", min_size=qubits, max_size=qubits), st.floats(-3, 3), min_size=1, max_size=12
    ).map(lambda terms: normalise(terms, qubits))
)


@given(observables)
@settings(max_examples=60)
def test_the_matrix_is_the_operator(observable):
    values, columns = sparse_rows(observable)
    matrix = np.zeros((len(values),) * 2, complex)
    for row in range(len(values)):
        matrix[row, columns[row]] = values[row]
    assert matrix == pytest.approx(dense(observable))
    assert elements(observable) == values.size
    assert np.iscomplexobj(values) == any(label.count("Y") % 2 for label in observable.labels)


@given(observables)
@settings(max_examples=30)
def test_the_reference_is_the_least_eigenvalue_and_no_product_state_is_below_it(observable):
    found = reference(observable, 16)
    least = float(np.linalg.eigvalsh(dense(observable))[0])
    assert found.value == pytest.approx(least, abs=1e-9)
    assert (found.exact, found.bound, found.gap, found.assignment) == (True, found.value, 0.0, ())
    product = least_product(observable)
    assert product.energy >= least - 1e-9
    bounded = reference(observable, 0)
    assert bounded.bound <= least + 1e-9
    assert bounded.value == pytest.approx(product.energy, abs=1e-9)


@pytest.mark.parametrize("qubits", [4, 10])
def test_the_chain_has_its_closed_form(qubits):
    found = reference(chain(qubits), 16)
    assert found.value == pytest.approx(chain_energy(qubits), abs=1e-9)
    assert found.method == ("exact" if qubits == 4 else "sparse") + " diagonalisation " + (
        "(eigvalsh)" if qubits == 4 else "(eigsh)"
    )
    assert reference(chain(qubits), 16) == found, "to the last byte"


def test_a_complex_matrix_is_diagonalised_sparsely_too():
    observable = normalise({"XYIIIIIII": 1.0, "YXIIIIIII": -1.0, "IIZZIIIII": 0.5, "IIIIIIIYZ": 0.25}, 9)
    found = reference(observable, 16)
    assert found.method.startswith("sparse")
    assert found.value == pytest.approx(float(np.linalg.eigvalsh(dense(observable))[0]), abs=1e-9)


def test_beyond_what_can_be_diagonalised_a_product_state_stands_with_a_bound():
    wide = reference(chain(12, field=0.0), 8)
    assert (wide.method, wide.exact, wide.value, wide.bound) == ("product state", False, -11.0, -11.0)
    assert wide.gap == 0.0
    (tried,) = wide.tried
    assert 1 <= tried.hits <= tried.runs
    quantum = reference(chain(12), 8)
    assert chain_energy(12) < quantum.value < -11.0, "above the ground energy, below all spins alike"
    assert quantum.bound == -23.0


def test_what_does_not_converge_is_no_proof(monkeypatch):
    monkeypatch.setattr(ground_state, "_sparse", lambda _: None)
    found = reference(chain(10), 16)
    assert (found.method, found.exact) == ("product state", False)
    assert "no convergence" in found.tried[0].note


def test_too_many_elements_are_not_held(monkeypatch):
    monkeypatch.setattr(ground_state, "ELEMENTS", 10)
    assert not reference(chain(4), 16).exact


def test_product_states_reach_the_least_assignment():
    draws = np.random.default_rng(3)
    for _ in range(5):
        labels = [
            "".join("Z" if bit in pair else "I" for bit in range(6)) for pair in itertools.combinations(range(6), 2)
        ]
        observable = Observable(tuple(labels), tuple(draws.normal(size=len(labels))))
        least = float(np.linalg.eigvalsh(dense(observable))[0])
        assert least_product(observable).energy == pytest.approx(least, abs=1e-9)
