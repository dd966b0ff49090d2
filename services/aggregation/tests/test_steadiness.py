"""A last sampling whose bits are turned around, or that lies beyond a bound, is caught; a right one passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_aggregation.checks import examine
from quire_aggregation.evidence import Evidence
from quire_aggregation.question import Question
from quire_aggregation.steadiness import comparable
from quire_contracts.task import Expected, Scoring
from quire_contracts.value import Execution, Observable
from quire_quantum.counts import pack
from quire_quantum.observables import group

SHOTS = 1_000
COST = Observable(("IIII", "IIZZ", "IZZI", "IIIZ"), (-1.5, 1.0, 0.25, 0.5))
"""Of four qubits, and not the same read backwards."""

RUN = Execution(
    target="simulation",
    provider="quire",
    backend="cpu",
    region="local",
    calibration_id="",
    circuit_sha256="a" * 64,
    shots=SHOTS,
    parameter_sets=1,
    started_at=datetime(2026, 5, 1, tzinfo=UTC),
    queue_seconds=0.0,
    compile_seconds=0.0,
    execute_seconds=0.1,
)


def energy(outcome: str) -> float:
    signs = [1 - 2 * int(bit) for bit in reversed(outcome)]
    return -1.5 + signs[0] * signs[1] + 0.25 * signs[1] * signs[2] + 0.5 * signs[0]


def drawn(seed: int) -> dict[str, int]:
    """Outcomes mostly of low energy, as a loop's last sampling has them."""
    outcomes = [format(number, "04b") for number in range(16)]
    weights = np.exp([-1.5 * energy(outcome) for outcome in outcomes])
    tallies = np.random.default_rng(seed).multinomial(SHOTS, weights / weights.sum())
    return {outcome: int(tally) for outcome, tally in zip(outcomes, tallies, strict=True) if tally}


def sampling(counted, counts: dict[str, int], expected: float | None = None, **scoring) -> Evidence:
    question = Question(bits=4, shots=SHOTS, observables=(COST,), grouping=group((COST,)))
    known = None if expected is None else Expected(expected, 0.03, "simulation")
    return Evidence(question, 1, (counted(0, pack([counts], bits=4)),), Scoring(scale=1, expected=known, **scoring))


def mean(counts: dict[str, int]) -> float:
    return sum(energy(outcome) * tally for outcome, tally in counts.items()) / SHOTS


def code(evidence: Evidence) -> str | None:
    fault = examine(evidence).fault
    return None if fault is None else fault.code


@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_the_same_circuit_sampled_twice_is_steady(counted, first, second):
    evidence = sampling(counted, drawn(second), mean(drawn(first)))
    verdict = examine(evidence)
    assert verdict.fault is None
    assert "steady" in verdict.passed


@given(st.integers(0, 2**32))
def test_bits_turned_around_are_caught_by_their_mean_alone(counted, seed):
    counts = drawn(seed)
    turned = {outcome[::-1]: tally for outcome, tally in counts.items()}
    assert code(sampling(counted, turned, mean(counts))) == "check-steady"
    assert code(sampling(counted, turned)) is None, "nothing else would have seen it"


def test_one_count_altered_is_caught_by_its_total(counted):
    counts = drawn(1)
    first = next(iter(counts))
    assert code(sampling(counted, counts | {first: counts[first] + 1}, mean(counts))) == "check-totals"


@pytest.mark.parametrize(("scale", "bound"), [(1, -2.0), (-1, 2.0)])
def test_an_objective_beyond_its_bound_is_caught(counted, scale, bound):
    counts = {"0101": SHOTS}  # -1.5 - 1 - 0.25 - 0.5
    assert energy("0101") == -3.25
    evidence = sampling(counted, counts, bound=bound)
    evidence = replace(evidence, scoring=msgspec.structs.replace(evidence.scoring, scale=scale))
    assert code(evidence) == "check-bound"
    within = msgspec.structs.replace(evidence.scoring, bound=scale * -3.25)
    assert code(replace(evidence, scoring=within)) is None


def test_only_the_same_simulator_is_held_to_a_rounds_mean():
    scoring = Scoring(scale=1, expected=Expected(-1.0, 0.1, "simulation"))
    assert comparable(scoring, (RUN, RUN)) is scoring
    for other in (msgspec.structs.replace(RUN, target="qiskit:aer"), msgspec.structs.replace(RUN, simulator=False)):
        assert comparable(scoring, (RUN, other)).expected is None
    assert comparable(None, (RUN,)) is None
