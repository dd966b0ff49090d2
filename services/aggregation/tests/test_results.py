"""Answers as their users read them."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_aggregation.question import ask
from quire_aggregation.results import RESULT_BYTES, counts_result, estimate_result
from quire_contracts.result import EstimateResult
from quire_contracts.value import Observable
from quire_quantum.counts import pack, unpack
from quire_resilience.errors import Permanent

OBSERVABLES = msgspec.json.encode([Observable(("IZ", "XX"), (1.0, 0.5))])


def test_counts_are_objects_with_qubit_0_on_the_right():
    result = counts_result(pack([{"10": 3, "01": 5}, {"11": 8}], bits=2))
    assert result.counts == ({"01": 5, "10": 3}, {"11": 8})
    assert result.table is None


@given(st.integers(1, 40), st.integers(1, 60), st.integers(1, 10**6))
def test_counts_above_the_limit_stay_packed(bits, rows, tally):
    counts = pack([{format(number, f"0{bits}b"): tally for number in range(min(2**bits, 40))}] * rows, bits=bits)
    size = len(msgspec.json.encode(unpack(counts)))
    if counts_result(counts) is None:
        assert size > RESULT_BYTES - rows - 2
    else:
        assert size <= RESULT_BYTES


def test_estimates_keep_their_shape():
    result = estimate_result(np.array([[1.0, -0.5]]), np.array([[0.0, 0.25]]))
    assert result == EstimateResult(((1.0, -0.5),), ((0.0, 0.25),))


def test_shots_are_those_of_all_runs(sampling, exact, cut_problem):
    assert [evidence.shots for evidence in (sampling, exact, cut_problem)] == [200, 0, 200]


def test_question_without_observables_has_the_bits_of_the_structure():
    question = ask(qubits=5, bits=2, shots=10, observables=None)
    assert (question.bits, question.groups, question.observables) == (2, 1, ())


def test_question_with_observables_measures_qubits_in_groups():
    question = ask(qubits=2, bits=7, shots=10, observables=OBSERVABLES)
    assert (question.bits, question.groups) == (2, 2)
    assert ask(qubits=2, bits=7, shots=None, observables=OBSERVABLES).groups == 1


@pytest.mark.parametrize("observables", [b"", b"[]", b'{"labels": []}', b'[{"labels": ["Z"], "coefficients": "x"}]'])
def test_unreadable_observables_are_refused(observables):
    with pytest.raises(Permanent, match="observables-unreadable"):
        ask(qubits=1, bits=1, shots=10, observables=observables)


def test_observables_of_another_width_are_refused():
    with pytest.raises(Permanent, match="act on 2 qubits, the circuit has 3"):
        ask(qubits=3, bits=3, shots=10, observables=OBSERVABLES)
