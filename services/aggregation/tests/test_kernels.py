"""Kernel matrices: laid out, held against what fidelities must satisfy, and told with their errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quire_aggregation.checks import examine
from quire_aggregation.evidence import Evidence
from quire_aggregation.judging import judge, judge_all
from quire_aggregation.kernels import contradiction, kernel_result, laid_out
from quire_aggregation.provenance import rounding_of
from quire_aggregation.question import Question
from quire_contracts.kernel import Gram
from quire_contracts.value import Execution
from quire_quantum.counts import pack
from quire_quantum.observables import group
from quire_quantum.overlap import all_zeros

SQUARE = Gram(rows=12, columns=12, symmetric=True)


def fidelities(points: int = 12, dimension: int = 4) -> np.ndarray:
    random = np.random.default_rng(points)
    states = random.normal(size=(points, dimension)) + 1j * random.normal(size=(points, dimension))
    states /= np.linalg.norm(states, axis=1)[:, None]
    return np.abs(states.conj() @ states.T) ** 2


ABOVE = fidelities()[np.triu_indices(12, 1)]


def wrong_with(values, gram=SQUARE, rounding=1e-9, *, bounded=True):
    return contradiction(values, gram, rounding=rounding, bounded=bounded)


def test_values_fill_the_matrix_they_were_asked_for():
    assert laid_out(ABOVE, SQUARE) == pytest.approx(fidelities())
    assert laid_out(np.arange(6.0), Gram(rows=2, columns=3)).tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def test_fidelities_of_states_pass():
    assert wrong_with(ABOVE) is None
    assert wrong_with(ABOVE.round(9)) is None, "rounding is no contradiction"
    assert wrong_with(np.ones(66)) is None, "twelve times the same point"
    assert wrong_with(np.zeros(66)) is None, "twelve orthogonal states"


def test_a_number_that_is_no_fidelity_is_caught():
    for spoilt in (-0.01, 1.01):
        values = ABOVE.copy()
        values[5] = spoilt
        assert "pair 5" in wrong_with(values)
        assert wrong_with(values, rounding=None) is not None, "shots give shares"
        assert wrong_with(values, rounding=None, bounded=False) is None, "errors taken out may overshoot"


def test_a_matrix_of_another_size_is_caught():
    assert "66 entries" in wrong_with(ABOVE[:-1])


def test_entries_that_no_states_have_are_caught():
    """Three states, two of them equal, of which the third is near to one and far from the other."""
    three = Gram(rows=3, columns=3, symmetric=True)
    assert "eigenvalue" in wrong_with(np.array([1.0, 0.9, 0.1]), three)
    assert wrong_with(np.array([1.0, 0.9, 0.1]), three, rounding=None) is None
    assert wrong_with(np.array([0.5, 0.0, 0.5]), three) is None, "two halves of a right angle are a right angle"
    crooked = np.array([0.6, 0.0, 0.6])
    assert np.linalg.eigvalsh(laid_out(crooked, three))[0] > 0.1, "no eigenvalue tells"
    assert "further apart" in wrong_with(crooked, three)


@pytest.mark.parametrize("seed", range(20))
def test_exchanged_entries_are_caught(seed):
    """A planted wrong result: two entries of a kernel of near points change places."""
    random = np.random.default_rng(seed)
    angles = random.uniform(0, np.pi, (12, 2))
    states = np.stack([np.cos(angles / 2), np.sin(angles / 2)], axis=-1)
    states = np.einsum("pi,pj->pij", states[:, 0], states[:, 1]).reshape(12, 4)
    matrix = np.abs(states @ states.T) ** 2
    values = matrix[np.triu_indices(12, 1)]
    assert wrong_with(values) is None
    least, most = int(values.argmin()), int(values.argmax())
    values[[least, most]] = values[[most, least]]
    assert wrong_with(values) is not None


def test_exact_entries_have_no_errors_and_an_eigenvalue():
    told = kernel_result(ABOVE, np.zeros(66), SQUARE, shots=None, bounded=True)
    assert np.array(told.matrix) == pytest.approx(fidelities())
    assert (told.std_errors, told.symmetric, told.psd_enforced) == (None, True, False)
    assert told.smallest_eigenvalue == pytest.approx(np.linalg.eigvalsh(fidelities())[0])
    over = kernel_result(np.full(66, 1 + 1e-13), np.zeros(66), SQUARE, shots=None, bounded=True)
    assert np.array(over.matrix).max() == 1.0


def test_where_all_shots_agree_the_error_is_not_nothing():
    errors = np.full(66, 0.03)
    errors[7] = 0.0
    told = np.array(kernel_result(ABOVE, errors, SQUARE, shots=200, bounded=True).std_errors)
    assert np.diag(told).tolist() == [0.0] * 12, "the diagonal is known"
    assert sorted(set(told[np.triu_indices(12, 1)].tolist())) == [1 / 200, 0.03]


def test_the_nearest_matrix_without_negative_eigenvalues_is_told_as_such():
    three = Gram(rows=3, columns=3, symmetric=True)
    values, errors = np.array([1.0, 0.9, 0.1]), np.full(3, 0.05)
    plain = kernel_result(values, errors, three, shots=100, bounded=True)
    assert plain.smallest_eigenvalue < -0.1
    assert not plain.psd_enforced
    asked = Gram(rows=3, columns=3, symmetric=True, enforce_psd=True)
    raised = kernel_result(values, errors, asked, shots=100, bounded=True)
    assert raised.psd_enforced
    assert raised.smallest_eigenvalue == plain.smallest_eigenvalue
    assert np.linalg.eigvalsh(np.array(raised.matrix))[0] > -1e-12
    eigenvalues = np.linalg.eigvalsh(np.array(plain.matrix))
    moved = np.linalg.norm(np.array(raised.matrix) - np.array(plain.matrix))
    assert moved == pytest.approx(np.linalg.norm(eigenvalues[eigenvalues < 0])), "no nearer one exists"
    assert not kernel_result(np.zeros(3), errors, asked, shots=100, bounded=True).psd_enforced


def execution(**said) -> Execution:
    return Execution(
        target="simulation", provider="quire", backend="b", region="local", calibration_id="none",
        circuit_sha256="0" * 64, shots=None, parameter_sets=1, started_at=np.datetime64(0, "s").item(),
        queue_seconds=0.0, compile_seconds=0.0, execute_seconds=0.0, provider_metadata=said,
    )  # fmt: skip


def test_how_far_exact_values_may_be_off_is_their_simulators():
    assert rounding_of(execution(noise=False, precision="double")) == 1e-9
    assert rounding_of(execution(precision="single")) == 1e-4
    assert rounding_of(execution(noise="depolarizing 0.01")) is None


@pytest.fixture
def asked(valued) -> Evidence:
    """An exact kernel of three points of two qubits."""
    question = Question(bits=2, shots=None, observables=(all_zeros(2),), grouping=group((all_zeros(2),)))
    piece = replace(valued(0, np.array([[0.5], [0.4], [0.9]])), rounding=1e-9)
    return Evidence(question, 3, (piece,), kernel=Gram(rows=3, columns=3, symmetric=True))


def test_a_kernel_is_judged_alone_and_told_as_a_matrix(asked):
    judged = judge(asked)
    assert judged.verdict.passed[-1] == "kernel"
    assert judged.result.matrix == ((1.0, 0.5, 0.4), (0.5, 1.0, 0.9), (0.4, 0.9, 1.0))
    assert [each.result for each in judge_all([asked, asked])] == [judged.result] * 2


def test_a_planted_wrong_entry_fails_by_the_check_of_kernels(asked, valued):
    piece = replace(valued(0, np.array([[0.5], [0.0], [0.9]])), rounding=1e-9)
    verdict = examine(replace(asked, pieces=(piece,)))
    assert verdict.fault.code == "check-kernel"
    assert verdict.fault.retryable
    noisy = replace(piece, rounding=None)
    assert examine(replace(asked, pieces=(noisy,))).fault is None, "noise makes other numbers of it"


def test_shares_of_shots_are_told_with_their_errors(counted):
    counts = pack([{"00": 30, "11": 70}, {"01": 100}, {"00": 100}], bits=2)
    question = Question(bits=2, shots=100, observables=(all_zeros(2),), grouping=group((all_zeros(2),)))
    gram = Gram(rows=1, columns=3)
    result = judge(Evidence(question, 3, (counted(0, counts),), kernel=gram)).result
    assert result.matrix == ((0.3, 0.0, 1.0),)
    assert result.std_errors[0] == pytest.approx((np.sqrt(0.3 * 0.7 / 99), 0.01, 0.01))
