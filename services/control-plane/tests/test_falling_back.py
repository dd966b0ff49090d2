"""Fallback: where a task goes when its target cannot, what the record says of it, and what never moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from control_plane_cases import NOON, admitted, answer, at, failed, fault, prepared, run_task
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.job import CancelJob, ExpireJob, JobCompleted, JobFailed
from quire_contracts.result import OptimizeResult, SampleResult
from quire_contracts.task import ReviewTask, RunTask
from quire_control_plane.change import NOTHING, Change, Earlier, Moment
from quire_control_plane.decide import decide
from quire_policy import Fallback

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord, Pending

SAMPLE = b'{"kind": "sample", "program": "OPENQASM 3.0;", "shots": 100, "seed": 5}'
OPTIMIZE = (
    b'{"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}, "seed": 5, "shots": 100,'
    b' "algorithm": {"name": "qaoa", "layers": 1, "optimizer": {"name": "spsa", "rounds": 4}}}'
)
BOTH = ("qiskit:aer", "simulation")
CHAIN = Fallback("patient", {}, settle_after_seconds=60, give_up_after_seconds=600)


def moment(seconds: float, *down: str, chain: Fallback = CHAIN, **looked: object) -> Moment:
    return replace(at(seconds, down=down), chain=lambda _: chain, **looked)  # type: ignore[arg-type]


def record_of(change: Change) -> JobRecord:
    assert change.record is not None
    return change.record


def submitted(body: bytes = SAMPLE, *down: str, chain: Fallback = CHAIN) -> Change:
    record = record_of(admitted(body))
    return decide(record, prepared(record), moment(0, *down, chain=chain))


def pending(change: Change) -> Pending:
    (only,) = record_of(change).pending
    return only


def timer(change: Change) -> ReviewTask:
    """The one timer that a change sets."""
    (say,) = change.says
    assert isinstance(say.message, ReviewTask)
    assert say.at is None or say.message.due == say.at
    return say.message


def woken(change: Change) -> ReviewTask:
    """What is said when a target comes back."""
    task = pending(change).task
    return ReviewTask(task.job_id, task.tenant, task.task_id, task.attempt)


def test_work_avoids_a_target_that_is_down_and_the_record_says_why() -> None:
    change = submitted(SAMPLE, "qiskit:aer")
    assert (run_task(change).target, run_task(change).attempt) == ("simulation", 1)
    first, step = record_of(change).decisions
    assert (first.action, first.target, step.action, step.target) == ("first", "qiskit:aer", "other", "simulation")
    assert step.reasons == ("simulation instead of qiskit:aer, which takes no work: in maintenance",)
    assert record_of(change).degraded
    assert "in maintenance" in record_of(change).reason
    assert pending(change).tried == ("simulation",)
    ended = decide(record_of(change), answer(run_task(change)), moment(1))
    (said,) = (say.message for say in ended.says)
    assert isinstance(said, JobCompleted)
    assert said.degraded


def test_while_all_are_down_a_task_is_held_and_nothing_is_sent() -> None:
    change = submitted(SAMPLE, *BOTH)
    review = timer(change)
    held = pending(change).held
    assert held is not None
    assert (held.targets, held.until) == (BOTH, NOON + timedelta(seconds=60))
    assert record_of(change).state == "validated"
    assert record_of(change).decisions[-1].action == "wait"
    assert decide(record_of(change), woken(change), moment(5, *BOTH)) == NOTHING
    assert review.due == held.until


def test_the_first_that_comes_back_gets_it_as_the_same_attempt() -> None:
    change = submitted(SAMPLE, *BOTH)
    back = decide(record_of(change), woken(change), moment(5, "qiskit:aer"))
    assert (run_task(back).target, run_task(back).attempt) == ("simulation", 1)
    own = decide(record_of(change), woken(change), moment(5))
    assert (run_task(own).target, run_task(own).attempt) == ("qiskit:aer", 1)
    assert not record_of(own).degraded
    assert record_of(own).state == "submitted"
    assert decide(record_of(own), woken(change), moment(6)) == NOTHING, "it waits no more"


def test_what_comes_back_because_its_target_went_down_goes_on_without_using_up_a_try() -> None:
    change = submitted()
    for _ in range(20):
        task = run_task(change)
        given_back = failed(task, fault(code="target-down"), after_seconds=30)
        change = decide(record_of(change), given_back, moment(1, *BOTH))
        assert timer(change).attempt == task.attempt + 1
        assert decide(record_of(change), given_back, moment(1, *BOTH)) == NOTHING
        change = decide(record_of(change), woken(change), moment(2))
    assert run_task(change).attempt == 21
    assert not record_of(change).is_over
    assert pending(change).failures == ()
    assert len(record_of(change).decisions) <= 50


def test_patience_runs_from_the_first_wait_through_all_that_follow() -> None:
    change = submitted(OPTIMIZE, *BOTH)
    change = decide(record_of(change), woken(change), moment(40))
    change = decide(record_of(change), failed(run_task(change), fault(code="target-down")), moment(50, *BOTH))
    assert timer(change).due == NOON + timedelta(seconds=60)


def test_an_optimisation_gets_its_classical_answer_when_patience_ends() -> None:
    change = submitted(OPTIMIZE, *BOTH)
    due = timer(change)
    asked = decide(record_of(change), due, moment(60, *BOTH))
    assert asked == Change(asks=True)
    ended = decide(record_of(change), due, moment(60, *BOTH, looked=True))
    (said,) = (say.message for say in ended.says)
    assert isinstance(said, JobCompleted)
    assert isinstance(said.result, OptimizeResult)
    assert (said.degraded, said.result.source) == (True, "classical")
    assert "in maintenance" in said.reason
    assert record_of(ended).decisions[-1].action == "classical"
    assert record_of(ended).pending == ()


def test_the_answer_of_an_equal_job_stands_in_if_it_is_fresh() -> None:
    change = submitted(SAMPLE, *BOTH)
    result = SampleResult(counts=({"00": 100},))
    earlier = Earlier("job-0", NOON - timedelta(hours=1), result)
    ended = decide(record_of(change), timer(change), moment(60, *BOTH, looked=True, earlier=earlier))
    (said,) = (say.message for say in ended.says)
    assert isinstance(said, JobCompleted)
    assert (said.result, said.degraded) == (result, True)
    assert "the answer is that of job job-0, of 2026-11-21 11:00:00 UTC" in said.reason
    stale = Earlier("job-0", NOON - timedelta(days=2), result)
    waits = decide(record_of(change), timer(change), moment(60, *BOTH, looked=True, earlier=stale))
    assert timer(waits).due == NOON + timedelta(seconds=600)


def test_without_any_answer_the_longest_wait_ends_the_job_with_its_reason() -> None:
    change = submitted(SAMPLE, *BOTH)
    change = decide(record_of(change), timer(change), moment(60, *BOTH, looked=True))
    ended = decide(record_of(change), timer(change), moment(600, *BOTH, looked=True))
    (said,) = (say.message for say in ended.says)
    assert isinstance(said, JobFailed)
    assert (said.fault.code, said.fault.retryable) == ("no-target", True)
    assert "in maintenance" in said.fault.reason


def test_a_timer_of_a_wait_that_is_over_changes_nothing() -> None:
    change = submitted(SAMPLE, *BOTH)
    first = timer(change)
    again = decide(record_of(change), first, moment(60, *BOTH, looked=True))
    assert timer(again).due != first.due
    assert decide(record_of(again), first, moment(60, *BOTH, looked=True)) == NOTHING


def test_a_job_with_a_deadline_settles_just_before_it() -> None:
    change = submitted(OPTIMIZE[:-1] + b', "deadline_seconds": 20}', *BOTH)
    assert timer(change).due == NOON + timedelta(seconds=19)
    ended = decide(record_of(change), timer(change), moment(19, *BOTH, looked=True))
    assert record_of(ended).state == "completed"
    expired = decide(record_of(change), ExpireJob(job_id="job-1", tenant="acme"), moment(20, *BOTH))
    assert (record_of(expired).state, record_of(expired).pending) == ("completed", ())


def test_a_job_that_waits_can_be_cancelled() -> None:
    change = submitted(SAMPLE, *BOTH)
    cancelled = decide(record_of(change), CancelJob(job_id="job-1", tenant="acme"), moment(5, *BOTH))
    assert record_of(cancelled).state == "cancelled"
    assert decide(record_of(cancelled), timer(change), moment(60, *BOTH)) == NOTHING


@pytest.mark.parametrize("code", ["submission-parked", "given-up"])
@pytest.mark.parametrize("body", [SAMPLE, OPTIMIZE])
def test_what_may_be_at_a_provider_is_never_sent_again(code: str, body: bytes) -> None:
    change = submitted(body)
    doubt = failed(run_task(change), fault("unknown", code=code, retryable=False), together=3)
    ended = decide(record_of(change), doubt, moment(1, looked=True))
    assert not [say for say in ended.says if isinstance(say.message, RunTask | ReviewTask)]
    (said,) = (say.message for say in ended.says)
    if body == OPTIMIZE:
        assert isinstance(said, JobCompleted)
        assert said.degraded
    else:
        assert isinstance(said, JobFailed)
        assert said.fault.code == code
    assert record_of(ended).decisions[-1].fault_code == code


def test_a_compilation_that_is_stale_is_made_again_at_the_same_target() -> None:
    change = submitted()
    again = decide(record_of(change), failed(run_task(change), fault("calibration", code="stale")), moment(1))
    assert (run_task(again).target, run_task(again).attempt) == ("qiskit:aer", 2)
    assert record_of(again).decisions[-1].action == "recompile"
    moved = decide(record_of(again), failed(run_task(again), fault("calibration", code="stale")), moment(2))
    assert run_task(moved).target == "simulation"


def test_who_failed_in_company_runs_again_alone_before_it_is_blamed() -> None:
    change = submitted()
    wrong = fault("invalid", code="parameters-shape", retryable=False)
    alone = decide(record_of(change), failed(run_task(change), wrong, together=5), moment(1))
    assert (run_task(alone).alone, run_task(alone).target) == (True, "qiskit:aer")
    assert record_of(alone).decisions[-1].action == "alone"
    ended = decide(record_of(alone), failed(run_task(alone), wrong), moment(2))
    assert record_of(ended).state == "failed"
    spared = decide(record_of(alone), answer(run_task(alone)), moment(2))
    assert (record_of(spared).state, record_of(spared).degraded) == ("completed", False)


def test_a_target_that_refuses_is_asked_again_after_a_pause_and_not_in_turns_with_the_other() -> None:
    change = submitted()
    change = decide(record_of(change), failed(run_task(change), fault("capacity"), after_seconds=30), moment(0))
    assert run_task(change).target == "simulation"
    change = decide(record_of(change), failed(run_task(change), fault("capacity")), moment(1))
    assert timer(change).due == NOON + timedelta(seconds=3), "simulation after 2 s, aer after 30"
    back = decide(record_of(change), timer(change), moment(3))
    assert run_task(back).target == "simulation"


@given(data=st.data())
def test_whatever_happens_one_attempt_is_out_at_a_time_and_the_job_ends(data: st.DataObject) -> None:
    """Targets come and go, faults of all kinds, timers and wake-ups in any order, repeated ones too."""
    body = data.draw(st.sampled_from([SAMPLE, OPTIMIZE]))
    down = st.lists(st.sampled_from(BOTH), unique=True).map(tuple)
    record, clock, sent = record_of(submitted(body, *data.draw(down))), 0.0, set()
    kinds = ["transient", "capacity", "offline", "calibration", "spend", "unknown"]
    for _ in range(60):
        if record.is_over:
            break
        (item,) = record.pending
        clock += data.draw(st.sampled_from([0.0, 1.0, 30.0, 100.0]))
        now = moment(clock, *data.draw(down), looked=True)
        if item.held is not None:
            task = item.task
            due = data.draw(st.sampled_from([None, item.held.until]))
            if due is not None:
                clock = max(clock, (due - NOON).total_seconds())
                now = replace(now, now=NOON + timedelta(seconds=clock))
            message = ReviewTask(task.job_id, task.tenant, task.task_id, task.attempt, due)
        else:
            message = failed(item.task, fault(data.draw(st.sampled_from(kinds)), code="some"))
        change = decide(record, message, now)
        for say in change.says:
            if isinstance(say.message, RunTask):
                key = (say.message.task.task_id, say.message.task.attempt)
                assert key not in sent
                sent.add(key)
                assert now.down(say.message.task.target, "acme") is None
        if change.record is not None:
            record = change.record
            assert decide(record, message, now) == NOTHING
    final = moment(clock + 10_000, *BOTH, looked=True)
    for _ in range(3):
        if record.pending:
            (item,) = record.pending
            task = item.task
            last = (
                ReviewTask(task.job_id, task.tenant, task.task_id, task.attempt, item.held.until)
                if item.held is not None
                else failed(task, fault("offline", code="target-down"))
            )
            record = decide(record, last, final).record or record
    assert record.is_over


def test_a_record_of_an_older_release_goes_on() -> None:
    change = submitted()
    old = msgspec.json.decode(msgspec.json.encode(record_of(change)))
    for name in ("held", "ruled_out", "failures", "away", "waiting_since"):
        del old["pending"][0][name]
    record = msgspec.convert(old, type(record_of(change)))
    moved = decide(record, failed(run_task(change), fault("spend")), moment(1))
    assert run_task(moved).target == "simulation"
