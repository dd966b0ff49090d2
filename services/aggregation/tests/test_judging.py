"""Answers judged together come out as answers judged one by one; values may stand for the samples they are from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quire_aggregation.checks import examine
from quire_aggregation.evidence import Evidence
from quire_aggregation.judging import judge, judge_all
from quire_aggregation.question import Question
from quire_contracts.task import Scoring
from quire_contracts.value import Observable
from quire_quantum.counts import pack, pack_integers
from quire_quantum.observables import expectation, group

OBSERVABLES = (Observable(("IZ", "ZZ"), (1.0, -0.5)), Observable(("XX",), (2.0,)))
SAMPLING = Question(bits=2, shots=100)
ESTIMATING = Question(bits=2, shots=100, observables=OBSERVABLES, grouping=group(OBSERVABLES))


def told(judged) -> tuple:
    estimates = [each.tolist() for each in judged.estimates or ()]
    return judged.verdict, estimates, judged.score, judged.result, judged.shots


def drawn(rng: np.random.Generator, rows: int, shots: int = 100):
    return pack([{"00": ones, "11": shots - ones} for ones in rng.integers(0, shots + 1, rows).tolist()], bits=2)


@pytest.fixture
def reduced(valued):
    """`reduced(first, values, errors)`: a slice whose samples were reduced where they were drawn."""

    def piece(first, values, errors):
        stated = valued(first, errors)
        return replace(valued(first, values), std_errors=stated.values, error_data=stated.data)

    return piece


@pytest.mark.parametrize("damaged", [None, 0, 3])
def test_sampled_answers_together_are_the_same_as_apart(counted, damaged):
    rng = np.random.default_rng(7)
    answers = []
    for number, rows in enumerate((1, 3, 1, 2)):
        counts = drawn(rng, rows, shots=99 if number == damaged else 100)
        answers.append(Evidence(SAMPLING, rows, (counted(0, counts),)))
    assert [told(judged) for judged in judge_all(answers)] == [told(judge(evidence)) for evidence in answers]
    assert [judged.verdict.fault is None for judged in judge_all(answers)] == [n != damaged for n in range(4)]


def test_each_answer_gets_its_own_rows(counted):
    outcomes = [["00"], ["01", "10"], ["11"]]
    answers = [
        Evidence(SAMPLING, len(rows), (counted(0, pack([{row: 100} for row in rows], bits=2)),)) for rows in outcomes
    ]
    judged = judge_all(answers)
    assert [each.result.counts for each in judged] == [tuple({row: 100} for row in rows) for rows in outcomes]
    assert [each.shots for each in judged] == [100, 200, 100]


def test_an_answer_of_other_rows_than_its_task_does_not_pass_beside_its_neighbours(counted):
    rng = np.random.default_rng(1)
    answers = [Evidence(SAMPLING, rows, (counted(0, drawn(rng, 2)),)) for rows in (2, 3, 1)]
    verdicts = [judged.verdict for judged in judge_all(answers)]
    assert [verdict.fault and verdict.fault.code for verdict in verdicts] == [None, "check-coverage", "check-coverage"]


def test_only_what_is_too_large_to_be_written_out_stays_packed(counted):
    question = Question(bits=60, shots=1_200)
    wide = pack_integers([(np.arange(1_200), np.ones(1_200, int))], bits=60)
    narrow = pack_integers([(np.arange(1), np.full(1, 1_200))], bits=60)
    judged = judge_all([Evidence(question, 1, (counted(0, counts),)) for counts in (narrow, wide, narrow)])
    assert [each.result is None for each in judged] == [False, True, False]
    assert judged[0].result.counts == ({"0" * 60: 1_200},)


def test_values_stand_for_the_samples_they_are_from(counted, reduced):
    rng = np.random.default_rng(3)
    counts = [drawn(rng, 2 * rows) for rows in (1, 4, 2)]
    estimates = [expectation(each, OBSERVABLES, ESTIMATING.grouping) for each in counts]
    by_counts = [Evidence(ESTIMATING, len(e[0]), (counted(0, c, 2),)) for c, e in zip(counts, estimates, strict=True)]
    by_values = [Evidence(ESTIMATING, len(values), (reduced(0, values, errors),)) for values, errors in estimates]
    alone = [judge(evidence) for evidence in by_values]
    for judged in (alone, judge_all(by_values), judge_all(by_counts)):
        assert [each.verdict.fault for each in judged] == [None] * 3
        assert [each.result for each in judged] == [each.result for each in alone]
        assert [each.shots for each in judged] == [200, 800, 400]
    assert alone[0].verdict.passed == ("coverage", "kind", "shape", "layout", "finite", "bounds", "errors")


@pytest.mark.parametrize(
    ("values", "errors", "check"),
    [
        ([[1.6, 0.0]], [[0.1, 0.1]], "bounds"),
        ([[0.0, 0.0]], [[-0.1, 0.1]], "bounds"),
        ([[0.0, 0.0]], [[0.1, 2.1]], "bounds"),
        ([[0.0, 0.0]], [[0.1, np.nan]], "finite"),
        ([[np.inf, 0.0]], [[0.1, 0.1]], "finite"),
        ([[0.0, 0.0]], [[0.1]], "shape"),
        ([[0.0, 0.0]], [[0.1, 0.1], [0.1, 0.1]], "shape"),
    ],
)
def test_values_and_errors_keep_their_limits(reduced, values, errors, check):
    evidence = Evidence(ESTIMATING, 1, (reduced(0, np.array(values), np.array(errors)),))
    fault = examine(evidence).fault
    assert fault is not None
    assert fault.code == f"check-{check}"


def test_errors_shorter_than_they_say(reduced):
    piece = reduced(0, np.zeros((2, 2)), np.zeros((2, 2)))
    evidence = Evidence(ESTIMATING, 2, (replace(piece, error_data=piece.error_data[:-8]),))
    assert examine(evidence).fault.code == "check-layout"


def test_samples_that_are_to_be_scored_must_come_themselves(reduced):
    piece = reduced(0, np.zeros((1, 2)), np.zeros((1, 2)))
    assert examine(Evidence(ESTIMATING, 1, (piece,), Scoring(scale=1))).fault.code == "check-kind"
    assert examine(Evidence(replace(ESTIMATING, shots=None), 1, (piece,))).fault.code == "check-kind"
