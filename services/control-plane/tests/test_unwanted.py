"""What a job does not wait for any more is stopped; what it was told of, and what it still waits for, is not."""

from __future__ import annotations

from control_plane_cases import admitted, answer, at, prepared, run_task

from quire_contracts.job import CancelJob, ExpireJob
from quire_contracts.task import CancelTask, TaskFailed
from quire_contracts.value import Fault
from quire_control_plane.change import NOTHING
from quire_control_plane.decide import decide
from quire_control_plane.dispatch.unwanted import answered_by, stopping


def words(record, message):
    change = stopping(record, decide(record, message, at(5)), answered_by(message))
    return [say.message for say in change.says if isinstance(say.message, CancelTask)]


def submitted(body):
    record = admitted(body).record
    change = decide(record, prepared(record), at(1))
    assert stopping(record, change, None) is change
    return change.record, run_task(change)


def test_a_cancelled_job_stops_its_task_wherever_that_is(sample_body):
    record, task = submitted(sample_body)
    (word,) = words(record, CancelJob(job_id="job-1", tenant="acme", reason="enough"))
    assert (word.task_id, word.attempt, word.target, word.reason) == (task.task_id, 1, "qiskit:aer", "enough")


def test_a_deadline_stops_what_runs_also_where_there_is_a_lesser_answer(optimize_body):
    record, task = submitted(optimize_body)
    (word,) = words(record, ExpireJob(job_id="job-1", tenant="acme"))
    assert word.task_id == task.task_id


def test_what_has_ended_is_not_stopped(sample_body, optimize_body):
    for body in (sample_body, optimize_body):
        record, task = submitted(body)
        assert words(record, answer(task, [-1.0] * task.parameters.rows)) == []
    fault = Fault(kind="offline", code="target-down", reason="away", next_step="", retryable=True)
    failed = TaskFailed(
        job_id="job-1", tenant="acme", task_id=task.task_id, attempt=1, target="qiskit:aer", fault=fault
    )
    assert words(record, failed) == []


def test_nothing_follows_from_nothing(sample_body):
    record, _ = submitted(sample_body)
    assert stopping(record, NOTHING, None) is NOTHING
