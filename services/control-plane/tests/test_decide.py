"""Decisions: from prepared to the end, through answers, faults, repetitions and late messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from control_plane_cases import NOON, admitted, answer, at, failed, fault, prepared, run_task
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.batch import BatchStarted, Member
from quire_contracts.control import LoopAdvanced
from quire_contracts.job import (
    AbandonJob,
    CancelJob,
    ExpireJob,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobRejected,
)
from quire_contracts.preparation import PreparationFailed
from quire_contracts.result import OptimizeResult, SampleResult
from quire_contracts.task import RunTask
from quire_contracts.value import FaultKind, Problem
from quire_control_plane.change import NOTHING, Change, Moment
from quire_control_plane.decide import JobMessage, decide
from quire_control_plane.tasks import numbers
from quire_policy import Facts, Route

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_contracts.task import Task

BOWL = [-1.0, -2.0, -1.5]
SAMPLE = b'{"kind": "sample", "program": "OPENQASM 3.0;", "shots": 100, "seed": 5}'
OPTIMIZE = (
    b'{"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}, "seed": 5, "shots": 100,'
    b' "algorithm": {"name": "qaoa", "layers": 1, "optimizer": {"name": "spsa", "rounds": 4}}}'
)


def record_of(change: Change) -> JobRecord:
    assert change.record is not None
    return change.record


def submitted(body: bytes, **options: object) -> Change:
    record = record_of(admitted(body))
    return decide(record, prepared(record, **options), at(1))  # type: ignore[arg-type]


def decided(change: Change, message: JobMessage, moment: Moment) -> Change:
    """The next change; nobody finds an earlier answer."""
    found = decide(record_of(change), message, moment)
    return decide(record_of(change), message, replace(moment, looked=True)) if found.asks else found


def energies(task: Task) -> list[float] | None:
    """A smooth landscape over the task's own points; a sampling task has no energies."""
    if task.phase == "main":
        return None
    return [-1.0 - point[0] + point[0] ** 2 + point[1] ** 2 for point in numbers(task.parameters)]


def walk(change: Change) -> list[Change]:
    """Answer every task until the job is over; each answer twice, the second changing nothing."""
    changes = [change]
    for tick in range(50):
        record = record_of(changes[-1])
        if record.is_over:
            return changes
        task = run_task(changes[-1])
        scored = answer(task, energies(task), best=2.0 + 0.1 * task.round)
        changes.append(decide(record, scored, at(2 + tick)))
        assert decide(record_of(changes[-1]), scored, at(2 + tick)) == NOTHING
    pytest.fail("the job does not end")


def test_a_prepared_sampling_job_is_one_task_at_the_first_target() -> None:
    change = submitted(SAMPLE)
    task = run_task(change)
    assert (task.target, task.fallbacks, task.phase) == ("qiskit:aer", ("simulation",), "main")
    assert task.seed is not None
    assert [step.state for step in record_of(change).history] == ["queued", "validated", "submitted"]
    assert record_of(change).decisions[0].rules == ("main-rule",)


def test_a_decision_is_kept_each_time_it_differs_and_not_for_each_task() -> None:
    decisions = record_of(walk(submitted(OPTIMIZE))[-1]).decisions
    assert [decision.rules for decision in decisions] == [("sweep-rule",), ("round-rule",), ("final-rule",)]


def test_its_answer_ends_the_job_with_every_state_on_record() -> None:
    change = submitted(SAMPLE)
    ended = decide(record_of(change), answer(run_task(change)), at(2))
    (said,) = (say.message for say in ended.says)
    assert isinstance(said, JobCompleted)
    assert said.result == SampleResult(counts=({"00": 100}, {"11": 100}))
    assert (said.degraded, said.shots) == (False, 200)
    states = [step.state for step in record_of(ended).history]
    assert states == ["queued", "validated", "submitted", "running", "retrieved", "scored", "completed"]


def test_a_loop_sweeps_runs_its_rounds_and_samples_the_best() -> None:
    changes = walk(submitted(OPTIMIZE))
    phases = [run_task(change).phase for change in changes[:-1]]
    assert phases == ["sweep", "round", "round", "round", "round", "final"]
    (said,) = (say.message for say in changes[-1].says)
    assert isinstance(said, JobCompleted)
    assert isinstance(said.result, OptimizeResult)
    assert [round_.round for round_ in said.result.history] == [1, 2, 3, 4]
    assert said.result.best.value == pytest.approx(2.5)
    advanced = [say.message for change in changes for say in change.says if isinstance(say.message, LoopAdvanced)]
    assert [event.round for event in advanced] == list(said.result.history)


def test_the_sweep_starts_the_rounds_at_its_lowest_point() -> None:
    change = submitted(OPTIMIZE)
    after = decide(record_of(change), answer(run_task(change), [0.0, -3.0, 1.0]), at(2))
    assert numbers(run_task(after).parameters)[0] == pytest.approx((0.1, 0.2))


def test_a_single_start_point_needs_no_sweep() -> None:
    assert run_task(submitted(OPTIMIZE, start_points=1)).phase == "round"


def test_the_objective_is_in_the_problems_own_units() -> None:
    change = submitted(OPTIMIZE, start_points=1)
    task = run_task(change)
    values = energies(task) or []
    first, lowest = values[0], min(values)
    after = decide(record_of(change), answer(task, values), at(2))
    checkpoint = record_of(after).checkpoint
    assert checkpoint is not None
    assert checkpoint.history[0].objective == pytest.approx(-first)
    assert checkpoint.best_objective == pytest.approx(-lowest)


def test_the_best_objective_of_a_maximised_problem_only_rises_and_is_the_best_point_asked() -> None:
    changes = walk(submitted(OPTIMIZE))
    tasks = [run_task(change) for change in changes[:-1]]
    asked = [-energy for task in tasks if task.phase == "round" for energy in energies(task) or []]
    checkpoint = record_of(changes[-1]).checkpoint
    assert checkpoint is not None
    (said,) = (say.message for say in changes[-1].says)
    assert isinstance(said, JobCompleted)
    assert isinstance(said.result, OptimizeResult)
    bests = [round_.best for round_ in said.result.history]
    assert bests == sorted(bests)
    assert len(set(bests)) > 1
    assert checkpoint.best_objective == pytest.approx(max(asked))


def test_two_walks_give_the_same_end() -> None:
    assert walk(submitted(OPTIMIZE)) == walk(submitted(OPTIMIZE))


@pytest.mark.parametrize("kind", ["capacity", "offline", "spend", "invalid"])
def test_a_fault_of_the_target_moves_the_task_to_the_next_and_degrades(kind: FaultKind) -> None:
    change = submitted(SAMPLE)
    task = run_task(change)
    moved = decide(record_of(change), failed(task, fault(kind)), at(2))
    assert (run_task(moved).target, run_task(moved).attempt) == ("simulation", 2)
    ended = decide(record_of(moved), answer(run_task(moved)), at(3))
    (said,) = (say.message for say in ended.says)
    assert isinstance(said, JobCompleted)
    assert said.degraded
    assert "the device sleeps" in said.reason


def test_work_that_is_invalid_everywhere_is_not_tried_elsewhere() -> None:
    change = submitted(SAMPLE)
    ended = decide(record_of(change), failed(run_task(change), fault("invalid", code="bad-parameters")), at(2))
    assert record_of(ended).state == "failed"


def test_a_transient_fault_tries_the_same_target_again_first() -> None:
    change = submitted(SAMPLE)
    again = decide(record_of(change), failed(run_task(change), fault("transient"), after_seconds=3), at(2))
    assert run_task(again).target == "qiskit:aer"
    assert again.says[0].at == NOON + timedelta(seconds=5)
    moved = decide(record_of(again), failed(run_task(again), fault("transient")), at(6))
    assert run_task(moved).target == "simulation"
    assert not record_of(again).degraded


def test_without_a_target_left_a_sampling_job_fails_with_the_last_fault() -> None:
    change = submitted(SAMPLE)
    for _ in range(2):
        change = decided(change, failed(run_task(change), fault("spend")), at(2))
    (said,) = (say.message for say in change.says)
    assert isinstance(said, JobFailed)
    assert said.fault.code == "unsupported-test"


def test_without_a_target_left_an_optimisation_ends_with_the_classical_answer() -> None:
    change = submitted(OPTIMIZE)
    for _ in range(2):
        change = decided(change, failed(run_task(change), fault("spend")), at(2))
    (said,) = (say.message for say in change.says)
    assert isinstance(said, JobCompleted)
    assert isinstance(said.result, OptimizeResult)
    assert (said.degraded, said.result.source, said.result.best.value) == (True, "classical", 3.0)


def test_a_fault_of_an_earlier_attempt_changes_nothing_but_its_late_answer_counts() -> None:
    change = submitted(SAMPLE)
    first = run_task(change)
    moved = record_of(decide(record_of(change), failed(first, fault()), at(2)))
    assert decide(moved, failed(first, fault()), at(3)) == NOTHING
    late = decide(moved, answer(first), at(3))
    assert record_of(late).state == "completed"


def test_invalid_content_rejects_the_job_with_its_problems() -> None:
    record = record_of(admitted(SAMPLE))
    problem = Problem(pointer="/program", reason="no such gate")
    message = PreparationFailed(
        job_id=record.job_id, tenant=record.tenant, fault=fault("invalid", retryable=False), problems=(problem,)
    )
    (said,) = (say.message for say in decide(record, message, at(1)).says)
    assert isinstance(said, JobRejected)
    assert said.problems == (problem,)


def test_a_preparation_that_broke_fails_the_job() -> None:
    record = record_of(admitted(SAMPLE))
    message = PreparationFailed(job_id=record.job_id, tenant=record.tenant, fault=fault("unknown"))
    (said,) = (say.message for say in decide(record, message, at(1)).says)
    assert isinstance(said, JobFailed)


def test_a_cancelled_job_takes_no_more_answers() -> None:
    change = submitted(SAMPLE)
    task = run_task(change)
    cancelled = decide(record_of(change), CancelJob(job_id="job-1", tenant="acme", reason="changed my mind"), at(2))
    (said,) = (say.message for say in cancelled.says)
    assert isinstance(said, JobCancelled)
    assert said.reason == "changed my mind"
    assert decide(record_of(cancelled), answer(task), at(3)) == NOTHING


def test_a_deadline_fails_a_sampling_job_and_completes_an_optimisation_degraded() -> None:
    expire = ExpireJob(job_id="job-1", tenant="acme")
    (said,) = (say.message for say in decide(record_of(submitted(SAMPLE)), expire, at(9)).says)
    assert isinstance(said, JobFailed)
    assert said.fault.code == "deadline-exceeded"
    (said,) = (say.message for say in decide(record_of(submitted(OPTIMIZE)), expire, at(9)).says)
    assert isinstance(said, JobCompleted)
    assert said.degraded


def test_a_shot_budget_stops_work_before_it_is_sent() -> None:
    over = submitted(SAMPLE.replace(b'"seed": 5', b'"seed": 5, "budget": {"max_shots": 150}'))
    (said,) = (say.message for say in over.says)
    assert isinstance(said, JobFailed)
    assert said.fault.code == "shot-budget-exceeded"
    loop = submitted(OPTIMIZE.replace(b'"seed": 5', b'"seed": 5, "budget": {"max_shots": 1500}'))
    (said,) = (say.message for say in walk(loop)[-1].says if isinstance(say.message, JobCompleted))
    assert said.degraded
    assert said.shots <= 1500


def test_a_started_batch_shows_on_the_record_once() -> None:
    change = submitted(SAMPLE)
    member = Member(task_id=run_task(change).task_id, job_id="job-1", tenant="acme")
    event = BatchStarted(batch_id="b", target="qiskit:aer", started_at=NOON, members=(member,))
    running = decide(record_of(change), event, at(2))
    assert record_of(running).state == "running"
    assert running.says == ()
    assert decide(record_of(running), event, at(2)) == NOTHING


@given(data=st.data())
def test_repeated_and_reordered_messages_lead_to_the_same_record(data: st.DataObject) -> None:
    """Deliver each message several times, old ones again at any point: the record ends as in a clean walk."""
    body = data.draw(st.sampled_from([SAMPLE, OPTIMIZE]))
    clean = [record_of(change) for change in walk(submitted(body))][-1]
    record = record_of(admitted(body))
    waiting: list[tuple[JobMessage, float]] = [(prepared(record), 1)]
    told: list[tuple[JobMessage, float]] = []
    tick = 2.0
    while waiting:
        repeats = data.draw(st.lists(st.sampled_from(told), max_size=3)) if told else []
        message, moment = waiting.pop(0)
        for noise, when in repeats:
            assert decide(record, noise, at(when)) == NOTHING
        change = decide(record, message, at(moment))
        record = record_of(change)
        told.append((message, moment))
        for task in (say.message.task for say in change.says if isinstance(say.message, RunTask)):
            waiting.append((answer(task, energies(task), best=2.0 + 0.1 * task.round), tick))
            tick += 1
    assert record == clean


def test_an_abandoned_job_ends() -> None:
    record = record_of(admitted(SAMPLE))
    change = decide(record, AbandonJob(job_id="job-1", tenant="acme", fault=fault("unknown")), at(1))
    assert record_of(change).state == "failed"


def test_work_that_is_held_back_is_sent_by_the_brokers_clock_and_meanwhile_on_record() -> None:
    seen = []

    def busy(facts: Facts) -> Route:
        seen.append(facts)
        return Route(("simulation",), ("all", "later"), ("first", "second"), shots=40, delay_seconds=5.0)

    moment = Moment(NOON + timedelta(seconds=1), "cause", busy)
    record = record_of(admitted(SAMPLE[:-1] + b', "min_shots": 40, "deadline_seconds": 60}'))
    change = decide(record, prepared(record), moment)
    (sent,) = (say for say in change.says if isinstance(say.message, RunTask))
    assert sent.at == NOON + timedelta(seconds=6)
    assert sent.message.task.shots == 40
    assert record_of(change).pending[0].task == sent.message.task, "the record holds it, whoever dies meanwhile"
    (decision,) = record_of(change).decisions
    assert (decision.shots, decision.delay_seconds) == (40, 5.0)
    assert (seen[0].min_shots, seen[0].seconds_left) == (40, 59.0)
