"""Speculation: the classical answer is there at any time, the value of waiting decides, and what comes late is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from control_plane_cases import NOON, admitted, answer, at, prepared, run_task

from quire_contracts.evidence import EvidenceKept
from quire_contracts.job import CancelJob, ExpireJob, JobCompleted, JobFailed
from quire_contracts.load import TargetLoad
from quire_contracts.result import Best
from quire_contracts.task import CancelTask, ReviewTask, RunTask
from quire_control_plane.change import NOTHING, Change, Moment
from quire_control_plane.decide import decide
from quire_control_plane.dispatch.unwanted import answered_by, stopping
from quire_control_plane.patience.prospects import REMEMBERED_SECONDS, Prospects
from quire_policy import Patience
from quire_testing import ManualClock

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_contracts.task import Task

PATIENCE = Patience("patient", {}, late="keep")
EXPIRE = ExpireJob(job_id="job-1", tenant="acme", reserve_seconds=1.0)
FAR, NEAR = "qiskit:aer", "simulation"


def moment(
    seconds: float, took: dict[str, float] | None = None, patience: Patience = PATIENCE, **more: object
) -> Moment:
    """A moment at which answers of targets take so long."""
    known = {**(took or {})}
    return replace(at(seconds), patience=lambda _: patience, seconds=known.get, **more)  # type: ignore[arg-type]


def document(body: bytes, **fields: object) -> bytes:
    """A document without a seed, so that its work may be moved."""
    kept = {name: value for name, value in json.loads(body).items() if name != "seed"}
    return json.dumps({**kept, **fields}).encode()


def sent(body: bytes, now: Moment, *, exact: bool = False) -> tuple[JobRecord, Change, Task]:
    """A prepared job, what was said, and its first task."""
    record = admitted(body).record
    assert record is not None
    change = decide(record, prepared(record, exact=exact), now)
    assert change.record is not None
    return change.record, change, run_task(change)


def over(record: JobRecord, message: object, now: Moment) -> Change:
    """What is committed of a decision."""
    return stopping(record, decide(record, message, now), answered_by(message))  # type: ignore[arg-type]


def test_a_job_with_a_lesser_answer_is_ended_before_its_deadline_others_at_it(
    optimize_body: bytes, sample_body: bytes
) -> None:
    def timers(body: bytes, seconds: float) -> list[tuple[float, float]]:
        said = admitted(document(body, deadline_seconds=seconds)).says
        return [
            ((say.at - NOON).total_seconds(), say.message.reserve_seconds)
            for say in said
            if isinstance(say.message, ExpireJob) and say.at is not None
        ]

    assert timers(optimize_body, 60) == [(59.0, 1.0)]
    assert timers(optimize_body, 2) == [(1.5, 0.5)], "a quarter of a short time"
    assert timers(sample_body, 60) == [(60.0, 0.0)]


def test_a_deadline_ends_with_the_classical_answer_and_says_where_its_work_was(optimize_body: bytes) -> None:
    record, _, task = sent(document(optimize_body, deadline_seconds=20), moment(0))
    change = over(record, EXPIRE, moment(19))
    (said,) = [say.message for say in change.says if isinstance(say.message, JobCompleted)]
    assert (said.degraded, said.result.source, said.result.best.value) == (True, "classical", 3.0)
    assert "its work has been at qiskit:aer for 19.0 s" in said.reason
    decision = change.record.decisions[-1]
    assert (decision.action, decision.task_id, decision.rules) == ("classical", task.task_id, ("patient",))
    assert (decision.figures["waited_seconds"], decision.figures["seconds_left"]) == (19.0, 1.0)


def test_a_job_without_an_answer_yet_is_told_again_at_its_deadline(optimize_body: bytes) -> None:
    record = admitted(document(optimize_body, deadline_seconds=20)).record
    early = decide(record, EXPIRE, moment(19))
    (say,) = early.says
    assert (early.record, say.message.reserve_seconds, say.at) == (None, 0.0, NOON + timedelta(seconds=20))
    ended = decide(record, say.message, moment(20))
    assert isinstance(ended.says[0].message, JobFailed)


def test_an_answer_that_is_there_only_when_the_deadline_is_near_is_taken_at_once(optimize_body: bytes) -> None:
    record = admitted(document(optimize_body, deadline_seconds=20)).record
    change = decide(record, prepared(record), moment(19.5))
    assert change.record.state == "completed"
    assert not [say for say in change.says if isinstance(say.message, RunTask)]
    assert change.record.decisions[-1].reasons == ("the deadline is too near to wait for another answer",)


@pytest.mark.parametrize("near", [{NEAR: 2.0}, {}], ids=["soon", "unknown"])
@pytest.mark.parametrize(("seeded", "target"), [(False, NEAR), (True, FAR)])
def test_work_goes_first_to_where_it_is_back_in_time(
    optimize_body: bytes, near: dict[str, float], *, seeded: bool, target: str
) -> None:
    body = document(optimize_body, deadline_seconds=20, **({"seed": 5} if seeded else {}))
    record, _, task = sent(body, moment(0, {FAR: 60.0, **near}))
    assert task.target == target
    assert record.decisions[-1].figures["seconds_left"] == 20.0
    if not seeded:
        assert record.decisions[-1].reasons[-1].startswith("simulation instead of qiskit:aer")
        assert record.decisions[-1].rules == ("sweep-rule", "patient")


def test_work_that_is_late_everywhere_is_sent_all_the_same_or_not_at_all_as_policy_says(optimize_body: bytes) -> None:
    body = document(optimize_body, deadline_seconds=20)
    _, _, task = sent(body, moment(0, {FAR: 60.0, NEAR: 50.0}))
    assert task.target == FAR
    record = admitted(body).record
    careful = msgspec.structs.replace(PATIENCE, speculate=False)
    change = decide(record, prepared(record), moment(0, {FAR: 60.0, NEAR: 50.0}, careful))
    (said,) = [say.message for say in change.says]
    assert (said.result.source, said.degraded) == ("classical", True)
    assert "expected to answer in 60.0 s" in said.reason
    assert change.record.decisions[-1].figures == {"seconds_left": 20.0, "expected_seconds": 60.0}


def test_a_job_goes_on_only_while_that_is_worth_more_than_it_costs(optimize_body: bytes) -> None:
    priced = Patience("priced", {}, usd_per_percent=1.0, usd_per_second=0.1)
    record, _, task = sent(document(optimize_body), moment(0, {FAR: 5.0}, priced, gain=lambda _: 0.01))
    change = decide(record, answer(task, [1.0, 0.5, 2.0]), moment(1, {FAR: 30.0}, priced, gain=lambda _: 0.01))
    assert change.record.state == "completed"
    assert change.record.decisions[-1].figures["price_usd"] == 3.0
    assert "waiting for it costs 3 USD" in change.record.reason


def test_a_wait_that_has_cost_what_it_could_gain_is_given_up(optimize_body: bytes) -> None:
    priced = Patience("priced", {}, usd_per_percent=1.0, usd_per_second=0.1)
    known = {"gain": lambda _: 0.01}
    record, change, task = sent(document(optimize_body), moment(0, {FAR: 5.0}, priced, **known))
    (timer,) = [say for say in change.says if isinstance(say.message, ReviewTask)]
    assert timer.at == timer.message.due == NOON + timedelta(seconds=10)
    assert decide(record, timer.message, moment(5, {FAR: 5.0}, priced, **known)) is NOTHING
    ended = over(record, timer.message, moment(10, {FAR: 5.0}, priced, **known))
    assert ended.record.result.source == "classical"
    assert ended.record.reason.startswith("waiting has cost as much as a better answer is worth: its work has been at")
    assert [left.task_id for left in ended.record.left] == [task.task_id]
    assert not [say for say in sent(document(optimize_body), moment(0))[1].says if isinstance(say.message, ReviewTask)]


def test_what_is_out_when_a_job_ends_is_left_to_run_or_stopped_as_its_task_says(optimize_body: bytes) -> None:
    record, _, task = sent(document(optimize_body, deadline_seconds=20), moment(0))
    assert task.late == "keep"
    expired, cancelled = over(record, EXPIRE, moment(19)), over(record, CancelJob("job-1", "acme"), moment(5))
    for change, late in ((expired, "keep"), (cancelled, "stop")):
        (word,) = [say.message for say in change.says if isinstance(say.message, CancelTask)]
        assert word.late == late
        (left,) = change.record.left
        assert (left.task_id, left.attempt, left.target, left.since) == (task.task_id, 1, FAR, NOON)


def test_an_answer_after_the_end_is_evidence_and_changes_nothing_of_the_job(optimize_body: bytes) -> None:
    record, _, task = sent(document(optimize_body, deadline_seconds=20), moment(0))
    ended = over(record, EXPIRE, moment(19)).record
    late = msgspec.structs.replace(answer(task, [1.0, 0.5, 2.0]), best=Best(value=4.0, assignment=(1, 0)))
    change = decide(ended, late, moment(27))
    (said,) = (say.message for say in change.says)
    assert change.record is None
    assert said == change.evidence
    assert isinstance(said, EvidenceKept)
    assert (said.better, (said.arrived_at - said.ended_at).total_seconds()) == (True, 8.0)
    assert said.compared == "better than the classical answer that the job ended with: 4 against 3"
    assert said.shots == 300


def test_an_answer_that_counted_is_no_evidence_however_often_it_comes(sample_body: bytes) -> None:
    record, _, task = sent(sample_body, moment(0))
    ended = over(record, answer(task), moment(1)).record
    assert ended.state == "completed"
    assert decide(ended, answer(task), moment(2)) is NOTHING


def test_prospects_know_how_long_answers_take_and_forget_it() -> None:
    clock, loads = ManualClock(), {}
    prospects = Prospects(clock, lambda: loads)
    assert prospects.seconds(FAR) is None
    for seconds in (1.0, 2.0, 3.0, 40.0):
        prospects.took(FAR, seconds)
    assert prospects.seconds(FAR) == 40.0
    for _ in range(12):
        prospects.took(FAR, 2.0)
    assert prospects.seconds(FAR) == 2.0, "the third quartile: one slow answer does not count for ever"
    loads[FAR] = TargetLoad(FAR, waiting=9, in_flight=1, wait_seconds=7.0, batch_seconds=0.5, error_rate=0.0)
    assert prospects.seconds(FAR) == 7.5
    loads.clear()
    clock.advance(REMEMBERED_SECONDS + 1)
    assert prospects.seconds(FAR) is None


def test_prospects_learn_from_what_is_decided_and_from_what_came_late(optimize_body: bytes) -> None:
    clock = ManualClock()
    prospects = Prospects(clock)
    record, _, task = sent(document(optimize_body, deadline_seconds=20), moment(0))
    assert prospects.gain(record) is None
    ended = over(record, EXPIRE, moment(19)).record
    for value in (4.5, 3.0):
        late = msgspec.structs.replace(answer(task, [1.0, 0.5, 2.0]), best=Best(value=value, assignment=(1, 0)))
        evidence = decide(ended, late, moment(27)).evidence
        prospects.learn_late(ended, evidence)
    assert prospects.seconds(FAR) == 27.0
    assert prospects.gain(record) == pytest.approx(0.25), "half of once half more than 3, and once nothing"
