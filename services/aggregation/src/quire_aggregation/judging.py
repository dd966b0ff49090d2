"""Answers into verdicts and results; small ones are laid after each other and judged as if they were one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

from quire_aggregation import kernels
from quire_aggregation.checks import Verdict, examine
from quire_aggregation.evidence import Array, Evidence, Piece
from quire_aggregation.results import counts_result, counts_results, estimate_result
from quire_aggregation.scoring import Score
from quire_contracts.result import JobResult

SMALL_BYTES: Final = 16 * 1024
"""An answer of more is worth being judged alone."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is said of one answer.

    estimates, score, result, shots: of an answer that passed. `result` is None for counts that stay packed.
    """

    verdict: Verdict
    estimates: tuple[Array, Array] | None = None
    score: Score | None = None
    result: JobResult | None = None
    shots: int = 0


def judge(evidence: Evidence) -> Judged:
    """One answer, held against every check that applies, and scored if it passed."""
    verdict = examine(evidence)
    if verdict.fault is not None:
        return Judged(verdict)
    estimates = evidence.estimates
    return Judged(verdict, estimates, evidence.score, _result(evidence), evidence.shots)


def _result(evidence: Evidence) -> JobResult | None:
    estimates = evidence.estimates
    if estimates is None:
        return counts_result(evidence.counts)
    if evidence.kernel is None:
        return estimate_result(*estimates)
    values, errors = (each[:, 0] for each in estimates)
    shots, bounded = evidence.question.shots, not evidence.mitigated
    return kernels.kernel_result(values, errors, evidence.kernel, shots=shots, bounded=bounded)


def judge_all(answers: Sequence[Evidence]) -> list[Judged]:
    """Every answer's judgement, in order, as `judge` gives it one by one.

    The answers of a batch are asked the same question, so those without a score or a matrix can be laid after each
    other: each check holds for all rows together exactly when it holds for the rows of each. If one does not, each is
    judged alone.
    """
    places = [place for place, evidence in enumerate(answers) if _can_be_laid(evidence)]
    together = _judge_together([answers[place] for place in places]) if len(places) > 1 else None
    judged = dict(zip(places, together, strict=True)) if together else {}
    return [judged[place] if place in judged else judge(evidence) for place, evidence in enumerate(answers)]


def _can_be_laid(evidence: Evidence) -> bool:
    if evidence.scoring is not None or evidence.kernel is not None or len(evidence.pieces) != 1:
        return False
    piece = evidence.pieces[0]
    return (piece.first, piece.rows) == (0, evidence.total_rows) and len(piece.data) <= SMALL_BYTES


def _judge_together(answers: Sequence[Evidence]) -> list[Judged] | None:
    starts = [0, *accumulate(evidence.total_rows for evidence in answers)]
    pieces = tuple(_moved(evidence.pieces[0], start) for evidence, start in zip(answers, starts, strict=False))
    whole = Evidence(answers[0].question, starts[-1], pieces)
    verdict = examine(whole)
    if verdict.fault is not None:
        return None
    if whole.estimates is None:
        return _counts_apart(whole, verdict)
    return _estimates_apart(whole, verdict, *whole.estimates)


def _estimates_apart(whole: Evidence, verdict: Verdict, values: Array, errors: Array) -> list[Judged]:
    judged = []
    for piece in whole.pieces:
        own = slice(piece.first, piece.first + piece.rows)
        estimates = values[own], errors[own]
        shots = piece.rows * max(1, piece.scales) * whole.shots_of_a_set
        judged.append(Judged(verdict, estimates, None, estimate_result(*estimates), shots))
    return judged


def _counts_apart(whole: Evidence, verdict: Verdict) -> list[Judged]:
    shots = whole.question.shots or 0
    results = counts_results(whole.counts, [piece.rows for piece in whole.pieces])
    return [
        Judged(verdict, None, None, result, piece.rows * shots)
        for piece, result in zip(whole.pieces, results, strict=True)
    ]


def _moved(piece: Piece, first: int) -> Piece:
    return replace(piece, first=first)
