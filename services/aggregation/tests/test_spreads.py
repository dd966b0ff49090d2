"""An estimate's error fits its value, or one of them was altered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_aggregation.checks import examine
from quire_aggregation.evidence import Evidence, Piece
from quire_aggregation.question import Question
from quire_contracts.value import Matrix, Observable
from quire_quantum.counts import pack
from quire_quantum.observables import expectation, group

SHOTS = 200
SINGLE = Observable(("II", "ZZ"), (0.5, -2.0))
TOGETHER = Observable(("IZ", "ZI", "ZZ"), (1.0, -0.5, 0.25))
APART = Observable(("II", "XX", "ZZ"), (1.0, 0.75, -1.5))
rows = st.lists(st.integers(0, 3), min_size=SHOTS, max_size=SHOTS)


def estimated(blob, values: np.ndarray, errors: np.ndarray, *observables: Observable, scales: int = 0) -> Evidence:
    matrices = [Matrix(len(each), len(observables), blob(each.astype("<f8").tobytes())) for each in (values, errors)]
    data = [each.astype("<f8").tobytes() for each in (values, errors)]
    piece = Piece(0, len(values), None, matrices[0], data[0], matrices[1], data[1], scales)
    question = Question(bits=2, shots=SHOTS, observables=observables, grouping=group(observables))
    return Evidence(question, len(values), (piece,))


def measured(draws: list[list[int]], *observables: Observable) -> tuple[np.ndarray, np.ndarray]:
    """Estimates from counts, one list of outcomes for each group."""
    grouping = group(observables)
    counts = [{format(each, "02b"): draw.count(each) for each in set(draw)} for draw in draws[: len(grouping.bases)]]
    return expectation(pack(counts, bits=2), observables, grouping)


def code(evidence: Evidence) -> str | None:
    fault = examine(evidence).fault
    return None if fault is None else fault.code


@given(st.lists(rows, min_size=2, max_size=2))
def test_what_was_measured_fits(blob, draws):
    verdict = examine(estimated(blob, *measured(draws, SINGLE, TOGETHER, APART), SINGLE, TOGETHER, APART))
    assert verdict.fault is None
    assert "errors" in verdict.passed


@given(rows, st.floats(-1.4, 2.4))
def test_of_a_single_string_any_altered_value_is_caught(blob, draw, planted):
    values, errors = measured([draw], SINGLE)
    fits = abs(abs(planted - 0.5) - abs(values[0, 0] - 0.5)) < 1e-3
    if not fits:  # the mirror image of a value has its error too
        assert code(estimated(blob, np.array([[planted]]), errors, SINGLE)) == "check-errors"


@pytest.mark.parametrize(("observable", "planted"), [(TOGETHER, 1.7), (APART, 3.2)])
def test_of_several_strings_what_is_too_near_the_bound_for_its_error_is_caught(blob, observable, planted):
    draws = [[0, 1, 2, 3] * (SHOTS // 4)] * 2
    values, errors = measured(draws, observable)
    assert code(estimated(blob, values, errors, observable)) is None
    assert code(estimated(blob, np.full_like(values, planted), errors, observable)) == "check-errors"


def test_an_error_that_is_too_large_is_caught_and_one_of_mitigation_is_not(blob):
    values, errors = measured([[0, 3] * (SHOTS // 2)], TOGETHER)
    wide = estimated(blob, values, errors + 1.0, TOGETHER)
    assert code(wide) == "check-errors"
    assert code(replace(wide, pieces=(replace(wide.pieces[0], scales=3),))) is None
