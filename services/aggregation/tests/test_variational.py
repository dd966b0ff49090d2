"""An energy that no state has is caught; what chance, rare outcomes and reading can make of one is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quire_aggregation.checks import examine
from quire_aggregation.evidence import Evidence
from quire_aggregation.judging import judge
from quire_aggregation.question import Question
from quire_contracts.result import EstimateResult
from quire_contracts.task import Scoring
from quire_contracts.value import Observable
from quire_quantum.counts import pack
from quire_quantum.observables import group

OBSERVABLE = Observable(("II", "XX", "ZZ"), (-5.0, 0.6, 0.8))
GROUND = -6.4
"""XX and ZZ commute: -5 - 0.6 - 0.8, of the singlet."""

SCORING = Scoring(scale=1, reference=GROUND, reference_exact=True, of="values")


def question(shots: int | None) -> Question:
    return Question(bits=2, shots=shots, observables=(OBSERVABLE,), grouping=group((OBSERVABLE,)))


@pytest.fixture
def energies(valued):
    """`energies(values, shots=None, errors=None)`: the answer of a loop's task."""

    def made(values, shots=None, errors=None, scales=0) -> Evidence:
        rows = np.array(values, float).reshape(-1, 1)
        piece = valued(0, rows)
        if errors is not None:
            data = np.array(errors, "<f8").tobytes()
            piece = replace(piece, std_errors=piece.values, error_data=data, scales=scales)
        return Evidence(question(shots), len(rows), (piece,), SCORING)

    return made


def caught(evidence: Evidence) -> str:
    verdict = examine(evidence)
    return "" if verdict.fault is None else verdict.fault.code.removeprefix("check-")


def test_exact_energies_are_at_the_ground_or_above(energies):
    right = energies([GROUND, -5.0, -4.0])
    assert examine(right).passed == ("coverage", "kind", "shape", "layout", "finite", "bounds", "ground")
    weaker = replace_reference(-6.0)
    assert caught(replace(energies([-5.0, -6.0 - 1e-7]), scoring=weaker)) == "", "amplitudes may be of float32"
    assert caught(replace(energies([-5.0, -6.0 - 1e-4]), scoring=weaker)) == "ground"


def test_beyond_the_sum_of_the_coefficients_is_caught_before(energies):
    """The ground energy here is that sum; of another Hamiltonian the ground is nearer."""
    weaker = replace_reference(-6.0)
    assert caught(replace(energies([-6.3]), scoring=weaker)) == "ground"
    assert caught(replace(energies([-6.5]), scoring=weaker)) == "bounds"


def replace_reference(reference: float) -> Scoring:
    return Scoring(scale=1, reference=reference, reference_exact=True, of="values")


def test_shots_may_show_less_by_chance_and_no_more(energies):
    shots, floor = 10_000, -6.0
    slack = 1.4 * (0.05 + 2 * 14 / shots)
    near = replace(energies([floor - slack - 5 * 0.005], shots, [0.005]), scoring=replace_reference(floor))
    assert caught(near) == ""
    far = replace(energies([floor - slack - 7 * 0.005], shots, [0.005]), scoring=replace_reference(floor))
    assert caught(far) == "ground"


def test_what_was_extrapolated_may_lie_below(energies):
    below = energies([-7.0], 10_000, [0.01], scales=3)
    assert caught(replace(below, scoring=replace_reference(-6.0))) == ""


def test_without_a_proof_nothing_is_said(energies):
    guess = Scoring(scale=1, reference=-5.5, reference_exact=False, of="values")
    assert caught(replace(energies([-6.3]), scoring=guess)) == ""


def test_counts_are_valued_and_nothing_of_them_is_scored(counted):
    """Where the plane gave counts, they are brought down here; the answer has energies and no assignment."""
    counts = pack([{"01": 50, "10": 50}, {"01": 50, "10": 50}], bits=2)
    evidence = Evidence(question(100), 1, (counted(0, counts, groups=2),), SCORING)
    judged = judge(evidence)
    assert judged.verdict.fault is None
    assert judged.score is None
    assert isinstance(judged.result, EstimateResult)
    assert judged.result.values[0] == pytest.approx((-6.4,))
    assert judged.shots == 200


def test_values_with_errors_are_taken_as_they_come(energies):
    judged = judge(energies([-5.5], 100, [0.05]))
    assert judged.verdict.fault is None
    assert judged.estimates is not None
    assert judged.estimates[1].tolist() == [[0.05]]
