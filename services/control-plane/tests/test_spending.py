"""Budgets of money and what is known of targets before work is sent: asked, recorded, and kept to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from control_plane_cases import NOON, admitted, answer, at, failed, fault, prepared, run_task

from quire_contracts.appraisal import Appraisal, AppraiseWork
from quire_contracts.job import JobCompleted, JobFailed
from quire_contracts.record import evolve
from quire_contracts.result import OptimizeResult
from quire_contracts.task import ReviewTask, RunTask
from quire_contracts.value import Timing
from quire_control_plane.change import Change, Moment
from quire_control_plane.decide import decide
from quire_policy import default_rules, route

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord

SAMPLE = {
    "kind": "sample",
    "program": "OPENQASM 3.0;",
    "shots": 100,
    "seed": 5,
    "targets": ["aws:garnet", "qiskit:aer"],
}
LOOP = {
    "kind": "optimize",
    "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]},
    "seed": 5,
    "shots": 100,
    "targets": ["aws:garnet"],
    "algorithm": {"name": "qaoa", "layers": 1, "initial": [0.1, 0.2], "optimizer": {"name": "spsa", "rounds": 4}},
}


def garnet(question: AppraiseWork) -> Appraisal:
    """A task of the emulated Garnet's price list: 0.30 USD and 0.00145 for each shot; Aer is free."""
    if question.target == "qiskit:aer":
        return Appraisal(target="qiskit:aer", parameter_sets=question.parameter_sets, fidelity=1.0)
    shots = question.parameter_sets * (question.shots or 0)
    return Appraisal(
        target=question.target,
        parameter_sets=question.parameter_sets,
        shots=question.shots,
        device=True,
        paid=True,
        usd=0.3 + 0.00145 * shots,
        qubits=2,
        depth=3,
        two_qubit_gates=1,
        fidelity=0.9,
    )


def silent(_: AppraiseWork) -> None:
    """No gateway answers."""


def body(document: dict[str, object], **fields: object) -> bytes:
    return msgspec.json.encode(document | fields)


def moment(seconds: float = 0.0, *, gain: float | None = None) -> Moment:
    rules = default_rules()
    return replace(
        at(seconds),
        routing=lambda facts: route(rules, facts),
        plain=lambda target: target in ("simulation", "qiskit:aer"),
        gain=lambda _: gain,
    )


def decided(record: JobRecord, message: object, when: Moment, says=garnet) -> tuple[Change, list[AppraiseWork]]:
    """The change, and what was asked on the way to it."""
    asked: list[AppraiseWork] = []
    change = decide(record, message, when)  # type: ignore[arg-type]
    while change.appraise:
        assert change.record is None
        assert not change.says
        asked += change.appraise
        when = replace(when, appraised={**when.appraised, **{each: says(each) for each in change.appraise}})
        change = decide(record, message, when)  # type: ignore[arg-type]
    assert len(set(asked)) == len(asked), "nothing is asked twice"
    return change, asked


def submitted(document: bytes, says=garnet, **when: object) -> tuple[Change, list[AppraiseWork]]:
    record = admitted(document).record
    assert record is not None
    return decided(record, prepared(record, start_points=1, exact=False), moment(**when), says)  # type: ignore[arg-type]


def test_what_a_device_would_make_of_the_work_is_asked_once_and_recorded_with_the_decision() -> None:
    change, asked = submitted(body(SAMPLE))
    assert [(each.target, each.parameter_sets, each.shots) for each in asked] == [("aws:garnet", 2, 100)]
    assert change.record is not None
    assert run_task(change).target == "aws:garnet"
    (known,) = change.record.appraisals
    assert (known.target, known.usd, known.fidelity, known.worth) == ("aws:garnet", pytest.approx(0.59), 0.9, None)
    (decision,) = change.record.decisions
    assert decision.figures == {
        "qubits": 2,
        "circuits": 0,
        "two_qubit_gates_at_least": 1,
        "depth_at_least": 3,
        "fidelity": 0.9,
        "usd": pytest.approx(0.59),
        "expected_usd": pytest.approx(0.59),
    }


def test_of_a_silent_device_the_least_is_known_and_what_is_said_later_is_written_down() -> None:
    change, _ = submitted(body(LOOP), silent)
    assert change.record is not None
    (unknown,) = change.record.decisions
    assert unknown.figures == {"two_qubit_gates_at_least": 1, "depth_at_least": 3}
    known = {"compiled": True, "run_seconds": 4.0}
    task, record = run_task(change), change.record
    change, _ = decided(
        record,
        answer(task, [1.0] * task.parameters.rows),
        moment(1),
        lambda each: msgspec.structs.replace(garnet(each), **known),
    )
    assert change.record is not None
    _, heard = change.record.decisions
    assert (heard.target, heard.figures["depth"], heard.figures["run_seconds"]) == (unknown.target, 3, 4.0)


def test_what_was_judged_before_there_was_a_classical_answer_is_judged_by_it_once_it_is_there() -> None:
    change, _ = submitted(body(LOOP, budget={}))
    record = change.record
    assert record is not None
    assert record.preparation is not None
    baseline = record.preparation.baseline
    assert baseline is not None
    (known,) = record.appraisals
    assert (known.possible_gain, known.worth) == (None, None)
    task, proven = run_task(change), msgspec.structs.replace(baseline, exact=True)
    record = evolve(record, preparation=msgspec.structs.replace(record.preparation, baseline=proven))
    change, asked = decided(record, answer(task, [1.0] * task.parameters.rows), moment(1))
    assert not asked
    assert change.record is not None
    (known,) = change.record.appraisals
    assert (known.possible_gain, known.expected_gain, known.worth) == (0.0, 0.0, 0.0)


def test_of_a_simulator_nothing_is_asked_and_the_decision_has_the_circuits_size() -> None:
    change, asked = submitted(body(SAMPLE, targets=["simulation"]))
    assert not asked
    assert change.record is not None
    assert change.record.appraisals == ()
    assert change.record.decisions[0].figures == {"two_qubit_gates": 1, "depth": 3}


@pytest.mark.parametrize(
    ("exact", "gain", "expected", "worth"), [(True, 0.5, 0.0, 0.0), (False, 0.2, 0.2, 0.18), (False, None, None, None)]
)
def test_worth_is_the_expected_gain_times_the_fidelity_and_nothing_beside_a_proven_optimum(
    exact, gain, expected, worth
) -> None:
    record = admitted(body(LOOP)).record
    assert record is not None
    change, _ = decided(record, prepared(record, start_points=1, exact=exact), moment(gain=gain))
    assert change.record is not None
    (known,) = change.record.appraisals
    assert (known.expected_gain, known.worth) == (expected, None if worth is None else pytest.approx(worth))


def test_the_possible_gain_is_the_gap_to_the_bound_and_stands_in_for_history() -> None:
    record = admitted(body(LOOP)).record
    assert record is not None
    ready = prepared(record, start_points=1, exact=False)
    baseline = msgspec.structs.replace(ready.preparation.baseline, bound=4.0, gap=0.25)
    ready = msgspec.structs.replace(ready, preparation=msgspec.structs.replace(ready.preparation, baseline=baseline))
    change, _ = decided(record, ready, moment())
    assert change.record is not None
    (known,) = change.record.appraisals
    assert (known.expected_gain, known.possible_gain, known.worth) == (None, 0.25, pytest.approx(0.225))


def test_a_task_that_costs_more_than_is_left_goes_where_it_costs_nothing() -> None:
    change, asked = submitted(body(SAMPLE, budget={"max_usd": 0.5}))
    assert [each.target for each in asked] == ["aws:garnet"]
    assert run_task(change).target == "qiskit:aer"
    assert run_task(change).fallbacks == (), "it is not sent to the device later either"
    assert change.record is not None
    assert "0.59 USD, and 0.50 of 0.5 are left" in change.record.decisions[0].reasons[-1]


def test_without_such_a_target_the_job_fails_before_anything_is_sent() -> None:
    change, _ = submitted(body(SAMPLE, budget={"max_usd": 0.5}, targets=["aws:garnet"]))
    (said,) = (say.message for say in change.says)
    assert isinstance(said, JobFailed)
    assert (said.fault.kind, said.fault.code) == ("spend", "budget-exceeded")
    assert "0.59 USD" in said.fault.reason
    assert change.record is not None
    assert change.record.appraisals[0].usd == pytest.approx(0.59)


def test_a_loop_ends_with_the_best_so_far_before_the_round_that_its_money_does_not_reach() -> None:
    """The first round, of eleven sets, costs 1.895 USD, the next ones 0.735: of 3 USD two are paid for."""
    change, _ = submitted(body(LOOP, budget={"max_usd": 3.0}))
    tasks = []
    for seconds in range(1, 9):
        assert change.record is not None
        if change.record.is_over:
            break
        task = run_task(change)
        tasks.append(task)
        cost = 0.3 + 0.00145 * task.parameters.rows * 100
        scored = answer(task, [-1.0] * task.parameters.rows, best=3.5)
        paid = tuple(msgspec.structs.replace(each, cost_usd=cost) for each in scored.executions)
        change, _ = decided(change.record, msgspec.structs.replace(scored, executions=paid), moment(seconds))
    assert change.record is not None
    spent = sum(0.3 + 0.00145 * task.parameters.rows * 100 for task in tasks)
    assert change.record.cost_usd == pytest.approx(spent)
    assert spent == pytest.approx(2.63)
    said = change.says[-1].message
    assert isinstance(said, JobCompleted)
    assert isinstance(said.result, OptimizeResult)
    assert (said.degraded, said.result.source, said.result.best.value) == (True, "quantum", 3.5)
    assert "the budget of 3 USD" in said.reason
    assert [task.parameters.rows for task in tasks] == [11, 3]


def test_a_loop_ends_with_the_best_so_far_once_its_seconds_of_execution_are_spent() -> None:
    change, _ = submitted(body(LOOP, budget={"max_seconds": 2.0}, targets=["qiskit:aer"]))
    tasks = []
    for seconds in range(1, 9):
        assert change.record is not None
        if change.record.is_over:
            break
        task = run_task(change)
        tasks.append(task)
        scored = answer(task, [-1.0] * task.parameters.rows, best=3.5)
        ran = Timing(stage="execute", resource="qpu", started_at=NOON, seconds=0.8)
        change, _ = decided(change.record, msgspec.structs.replace(scored, timings=(ran,)), moment(seconds))
    assert change.record is not None
    assert [task.phase for task in tasks] == ["round"] * 3, "2.4 s are spent after the third, 1.6 s after the second"
    assert change.record.degraded
    assert change.record.reason.startswith("the budget of 2 seconds")
    assert isinstance(change.record.result, OptimizeResult)
    assert change.record.result.source == "quantum"


def test_while_no_gateway_says_a_price_nothing_is_sent_and_it_is_asked_again() -> None:
    change, _ = submitted(body(SAMPLE, budget={"max_usd": 0.7}, targets=["aws:garnet"]), says=silent)
    (say,) = change.says
    review = say.message
    assert isinstance(review, ReviewTask)
    assert review.due == NOON + timedelta(seconds=5)
    assert change.record is not None
    assert not [each for each in change.says if isinstance(each.message, RunTask)]
    assert "nobody says" in change.record.pending[0].held.reason
    again, asked = decided(change.record, review, moment(5), says=silent)
    assert len(asked) == 1
    (later,) = (each.message for each in again.says)
    assert later.due == NOON + timedelta(seconds=10)
    assert again.record is not None
    sent, _ = decided(again.record, later, moment(10))
    assert run_task(sent).target == "aws:garnet"


def test_without_a_budget_a_silent_gateway_holds_nothing_up() -> None:
    change, asked = submitted(body(SAMPLE), says=silent)
    assert len(asked) == 1
    assert run_task(change).target == "aws:garnet"
    assert change.record is not None
    assert change.record.appraisals == ()


def test_a_fallback_does_not_lead_where_the_money_does_not_reach() -> None:
    """Aer is down at first and Garnet could do it for 0.59 USD; when Aer has failed for good that is too dear."""
    document = body(SAMPLE, targets=["qiskit:aer", "aws:garnet"], budget={"max_usd": 0.6})
    change, _ = submitted(document)
    assert change.record is not None
    task = run_task(change)
    assert (task.target, task.fallbacks) == ("qiskit:aer", ("aws:garnet",))
    poor = evolve(change.record, cost_usd=0.2)
    ended, _ = decided(poor, failed(task, fault("invalid")), replace(moment(1), looked=True))
    (said,) = (say.message for say in ended.says)
    assert isinstance(said, JobFailed)
    assert said.fault.code == "budget-exceeded"
    assert "the device sleeps" in said.fault.reason
    assert "0.59 USD, and 0.40 of 0.6 are left" in said.fault.reason
    rich, _ = decided(change.record, failed(task, fault("invalid")), moment(1))
    assert run_task(rich).target == "aws:garnet"


def test_start_points_for_a_device_are_screened_on_the_simulator_and_only_the_best_goes_on() -> None:
    document = body(LOOP)
    record = admitted(document.replace(b'"initial":[0.1,0.2],', b"")).record
    assert record is not None
    change, _ = decided(record, prepared(record, start_points=3, exact=False), moment())
    sweep = run_task(change)
    assert (sweep.phase, sweep.target, sweep.parameters.rows) == ("sweep", "simulation", 3)
    assert sweep.fallbacks == ("aws:garnet",)
    assert change.record is not None
    decision = change.record.decisions[0]
    assert decision.rules[-1].startswith("start points for a device")
    assert "simulation instead of aws:garnet, because aws:garnet is a device" in decision.reasons[-1]
    ended, _ = decided(change.record, answer(sweep, [-0.1, -0.5, -0.2], best=1.0), moment(1))
    first = run_task(ended)
    assert (first.phase, first.target) == ("round", "aws:garnet")
    assert ended.record is not None
    assert ended.record.checkpoint is not None
    assert ended.record.checkpoint.best_parameters == (0.1, 0.2)
    assert not ended.record.degraded
