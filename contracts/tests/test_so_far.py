"""The best answer so far: which of two it is, how it is marked, and how a wait for it is written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.preparation import Baseline, Estimate, Loop, Preparation
from quire_contracts.record import Checkpoint, Hold, JobRecord, Pending
from quire_contracts.result import Best, OptimizeResult, SampleResult
from quire_contracts.so_far import best_answer, classical_answer, is_better
from quire_contracts.value import Fault, Matrix, inline_blob
from quire_contracts.waits import parse_wait
from quire_testing.jobs import NOW, make_record, make_task

BLOB = inline_blob(b"x", "text/plain")
POINTS = Matrix(1, 2, inline_blob(bytes(16), "application/octet-stream"))
CLASSICAL = Baseline(method="tabu", value=3.0, assignment=(0, 1, 1), exact=False)
TASK = make_task(phase="round", round=1, qubits=3, parameters=POINTS, shots=10, target="ibm:manila")


def record(*, scale: int = -1, **changes: object) -> JobRecord:
    """A MaxCut whose loop has begun: large cuts are good."""
    prepared = Preparation(
        structure=BLOB,
        qubits=3,
        parameters=None,
        observables=None,
        shots=10,
        input_sha256="0" * 64,
        estimate=Estimate(qubits=3, depth=1, two_qubit_gates=1, parameter_sets=1, shots=10),
        loop=Loop(start_points=POINTS, scale=scale, unit="cut"),
        baseline=CLASSICAL,
    )
    loop = {
        "kind": "optimize",
        "state": "submitted",
        "preparation": prepared,
        "checkpoint": Checkpoint("round", 1, 4, {}, (0.1, 0.2), None),
        "pending": (Pending(task=TASK, since=NOW),),
    }
    return make_record(**{**loop, **changes})


def best(value: float, *, feasible: bool = True) -> Best:
    return Best(value=value, assignment=(1, 0, 0), feasible=feasible)


@pytest.mark.parametrize(
    ("sample", "source", "value"),
    [
        (None, "classical", 3.0),
        (best(2.0), "classical", 3.0),
        (best(3.0), "classical", 3.0),
        (best(4.0), "quantum", 4.0),
        (best(9.0, feasible=False), "classical", 3.0),
    ],
)
def test_while_a_loop_runs_its_answer_is_the_better_of_the_two(sample: Best | None, source: str, value: float) -> None:
    found = best_answer(record(best=sample))
    assert (found.standing, found.source, found.degraded) == ("provisional", source, False)
    assert isinstance(found.result, OptimizeResult)
    assert (found.result.best.value, found.result.source, found.result.sense) == (value, source, "max")
    assert "ibm:manila" in found.reason


def test_where_small_is_good_the_smaller_one_is_better() -> None:
    assert best_answer(record(scale=1, best=best(2.0))).source == "quantum"


@given(one=st.floats(-10, 10), other=st.floats(-10, 10), feasible=st.booleans())
def test_of_two_answers_at_most_one_is_better(one: float, other: float, *, feasible: bool) -> None:
    for sense in ("min", "max"):
        first, second = best(one, feasible=feasible), best(other)
        assert not (is_better(first, second, sense) and is_better(second, first, sense))  # type: ignore[arg-type]


def test_before_there_is_anything_the_reason_says_what_is_waited_for() -> None:
    unprepared = record(preparation=None, pending=(), state="queued")
    assert best_answer(unprepared).reason == "there is no answer yet: the job is queued"
    held = Pending(task=TASK, since=NOW, held=Hold(NOW, NOW, ("ibm:manila",), "waits for ibm:manila"))
    found = best_answer(record(kind="sample", pending=(held,)))
    assert (found.standing, found.source, found.result, found.reason) == ("none", "", None, "waits for ibm:manila")


def test_an_ended_job_has_a_final_answer_or_none_for_ever() -> None:
    counts = SampleResult(counts=({"0": 1},))
    final = best_answer(record(kind="sample", state="completed", result=counts, degraded=True, reason="late"))
    assert (final.standing, final.source, final.result) == ("final", "quantum", counts)
    assert (final.degraded, final.reason) == (True, "late")
    settled = best_answer(record(state="completed", result=classical_answer(record())))
    assert (settled.standing, settled.source) == ("final", "classical")
    stored = best_answer(record(state="completed", result_ref=BLOB))
    assert (stored.standing, stored.result_ref) == ("final", BLOB)
    fault = Fault(kind="capacity", code="deadline-exceeded", reason="too late", next_step="", retryable=True)
    failed = best_answer(record(state="failed", fault=fault, best=best(4.0)))
    assert (failed.standing, failed.reason) == ("none", "too late")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 2.0), ("2s", 2.0), (" 2.5s ", 2.5), ("500ms", 0.5), ("1m", 60.0), ("0", 0.0), (".5", 0.5)],
)
def test_a_wait_is_seconds_or_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert parse_wait(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "-1", "2h", "s", "inf", "nan", "1e9", "2 s", "two", "٢", "1s1s", "9" * 20])
def test_anything_else_is_no_wait(text: str) -> None:
    assert parse_wait(text) is None


@given(st.text())
def test_a_wait_is_finite_and_not_negative(text: str) -> None:
    seconds = parse_wait(text)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
