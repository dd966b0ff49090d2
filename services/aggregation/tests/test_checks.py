"""Each planted fault is caught by its own check, and by no other."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_aggregation.checks import CHECKS, examine
from quire_aggregation.evidence import Evidence, Piece
from quire_aggregation.judging import judge_all
from quire_aggregation.question import Question
from quire_contracts.result import Best
from quire_contracts.value import BlobRef, CountsTable, Matrix, Observable
from quire_quantum.counts import pack
from quire_quantum.observables import group


def caught(evidence: Evidence) -> str:
    verdict = examine(evidence)
    assert verdict.fault is not None, f"passed {verdict.passed}"
    assert verdict.fault.retryable
    assert verdict.fault.kind == "transient"
    assert verdict.fault.reason
    assert verdict.fault.next_step
    return verdict.fault.code.removeprefix("check-")


def test_right_answers_pass_every_check_that_applies(sampling, exact, cut_problem):
    assert examine(sampling).passed == ("coverage", "kind", "bit-order", "shape", "width", "layout", "totals")
    assert examine(exact).passed == ("coverage", "kind", "shape", "layout", "finite", "bounds")
    elsewhere = {"solution", "bound", "steady", "ground", "kernel", "errors"}
    without_problem = tuple(check.name for check in CHECKS if check.name not in elsewhere)
    assert examine(cut_problem).passed == without_problem
    assert all(examine(evidence).fault is None for evidence in (sampling, exact, cut_problem))


def test_missing_rows(sampling):
    assert caught(replace(sampling, total_rows=3)) == "coverage"


def test_gap_between_slices(sampling):
    late = replace(sampling.pieces[0], first=3)
    assert caught(replace(sampling, total_rows=4, pieces=(*sampling.pieces, late))) == "coverage"


def test_overlapping_slices(sampling):
    early = replace(sampling.pieces[0], first=1)
    assert caught(replace(sampling, total_rows=4, pieces=(*sampling.pieces, early))) == "coverage"


def test_values_where_counts_were_asked(sampling, valued):
    assert caught(replace(sampling, pieces=(valued(0, np.zeros((2, 1))),))) == "kind"


def test_counts_where_values_were_asked(exact, sampling):
    assert caught(replace(exact, total_rows=2, pieces=sampling.pieces)) == "kind"


def test_no_answer_at_all(sampling):
    assert caught(replace(sampling, pieces=(Piece(0, 2, None, None, b""),))) == "kind"


def test_other_bit_order(sampling):
    piece = sampling.pieces[0]
    turned = msgspec.structs.replace(piece.counts, bit_order="big")
    assert caught(replace(sampling, pieces=(replace(piece, counts=turned),))) == "bit-order"


def test_wrong_number_of_rows(sampling, counted):
    counts = pack([{"00": 100}] * 3, bits=2)
    assert caught(replace(sampling, pieces=(replace(counted(0, counts), rows=2),))) == "shape"


def test_wrong_number_of_groups(cut_problem, counted):
    counts = pack([{"000": 100}] * 4, bits=3)
    assert caught(replace(cut_problem, pieces=(counted(0, counts, groups=2),))) == "shape"


def test_wrong_number_of_observables(exact, valued):
    assert caught(replace(exact, pieces=(valued(0, np.zeros((3, 3))),))) == "shape"


def test_outcomes_of_another_width(sampling, counted):
    assert caught(replace(sampling, pieces=(counted(0, pack([{"000": 100}] * 2, bits=3)),))) == "width"


def test_slices_that_differ_in_width(sampling, counted):
    unknown = replace(sampling.question, bits=None)
    one, two = counted(0, pack([{"00": 100}], bits=2)), counted(1, pack([{"000": 100}], bits=3))
    assert caught(replace(sampling, question=unknown, pieces=(one, two))) == "width"
    assert examine(replace(sampling, question=unknown)).fault is None


def test_counts_that_are_not_what_their_table_says(sampling):
    piece = sampling.pieces[0]
    assert caught(replace(sampling, pieces=(replace(piece, data=piece.data[:-1]),))) == "layout"
    assert caught(replace(sampling, pieces=(replace(piece, data=piece.data[:12] + piece.data[12:][::-1]),))) == "layout"


def test_values_that_are_not_what_their_matrix_says(exact):
    piece = exact.pieces[0]
    assert caught(replace(exact, pieces=(replace(piece, data=piece.data[:-8]),))) == "layout"


def test_lost_shots(sampling, counted):
    counts = pack([{"00": 60, "11": 40}, {"01": 99}], bits=2)
    verdict = examine(replace(sampling, pieces=(counted(0, counts),)))
    assert verdict.fault.code == "check-totals"
    assert "row 1 has 99 shots, 100 were asked for" in verdict.fault.reason


def test_row_without_any_shot(sampling, counted):
    assert caught(replace(sampling, pieces=(counted(0, pack([{"00": 100}, {}], bits=2)),))) == "totals"


@pytest.mark.parametrize("planted", [np.nan, np.inf, -np.inf])
def test_number_that_is_not_finite(exact, planted, valued):
    values = np.zeros((3, 2))
    values[2, 1] = planted
    verdict = examine(replace(exact, pieces=(valued(0, values),)))
    assert verdict.fault.code == "check-finite"
    assert "[2, 1]" in verdict.fault.reason


@pytest.mark.parametrize(("column", "planted"), [(0, 1.5001), (0, -1.5001), (1, 2.1), (1, -1e300)])
def test_value_beyond_what_its_observable_allows(exact, column, planted, valued):
    values = np.zeros((3, 2))
    values[1, column] = planted
    assert caught(replace(exact, pieces=(valued(0, values),))) == "bounds"


def test_value_that_errors_were_taken_out_of_may_lie_beyond(exact, valued):
    values = np.full((3, 2), 1.6)
    mitigated = replace(valued(0, values), scales=3)
    assert examine(replace(exact, pieces=(mitigated,))).passed == ("coverage", "kind", "shape", "layout", "finite")


def test_every_scale_of_noise_has_shots(exact, valued, blob):
    errors = np.zeros((3, 2))
    matrix = Matrix(rows=3, columns=2, data=blob(errors.tobytes()))
    piece = replace(valued(0, np.zeros((3, 2))), std_errors=matrix, error_data=errors.tobytes(), scales=3)
    sampled = replace(exact, question=replace(exact.question, shots=10), pieces=(piece,))
    assert sampled.shots == 3 * 3 * 2 * 10  # sets, scales, groups, shots
    (alone, beside) = judge_all([sampled, sampled])
    assert (alone.shots, beside.shots) == (sampled.shots, sampled.shots)


def test_rounding_at_the_bound_passes(exact, valued):
    values = np.full((3, 2), [1.5, 2.0]) * (1 + 1e-12)
    assert examine(replace(exact, pieces=(valued(0, values),))).fault is None


def test_objective_of_a_cost_that_is_not_diagonal(cut_problem):
    observables = (Observable(("XII",), (1.0,)),)
    question = Question(bits=3, shots=100, observables=observables, grouping=group(observables))
    assert caught(replace(cut_problem, question=question)) == "diagonal"


def test_objective_of_two_observables(cut_problem):
    observables = (*cut_problem.question.observables, Observable(("IIZ",), (1.0,)))
    question = Question(bits=3, shots=100, observables=observables, grouping=group(observables))
    assert caught(replace(cut_problem, question=question)) == "diagonal"


@pytest.mark.parametrize(("scale", "reference"), [(-1, 1.5), (1, -1.5)])
def test_answer_better_than_a_proven_optimum(cut_problem, scale, reference):
    scoring = msgspec.structs.replace(cut_problem.scoring, scale=scale, reference=reference)
    assert caught(replace(cut_problem, scoring=scoring)) == "optimum"


def test_answer_better_than_an_unproven_baseline_passes(cut_problem):
    scoring = msgspec.structs.replace(cut_problem.scoring, reference=1.5, reference_exact=False)
    verdict = examine(replace(cut_problem, scoring=scoring))
    assert verdict.fault is None
    assert "optimum" not in verdict.passed


def test_earlier_best_beyond_the_optimum_is_caught_too(cut_problem):
    scoring = msgspec.structs.replace(cut_problem.scoring, best=Best(3.0, (0, 1, 0)))
    assert caught(replace(cut_problem, scoring=scoring)) == "optimum"


@given(data=st.binary(max_size=80), rows=st.integers(0, 3), bits=st.integers(0, 9))
def test_no_bytes_get_past_the_layout_check_or_raise(data, rows, bits):
    ref = BlobRef("a" * 64, len(data), "application/vnd.quire.counts")
    table = CountsTable(rows=rows, groups=1, bits=bits, data=ref)
    right = pack([{"0" * bits: 5}] * rows, bits=bits).to_bytes()
    for content in (data, right, right[: len(data)]):
        verdict = examine(Evidence(Question(bits=bits, shots=5), rows, (Piece(0, rows, table, None, content),)))
        assert verdict.fault is None or verdict.fault.code in {"check-layout", "check-totals"}
        assert content != right or verdict.fault is None
