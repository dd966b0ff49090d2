"""Jobs with children: each is started once and counted once, whatever is repeated; none outlives its parent."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from control_plane_cases import NOON, admitted, at, execution, fault, prepared, run_task
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.family import ChildEnded, ChildPlan, FamilyGathered, FamilyPlanned, GatherFamily
from quire_contracts.job import AbandonJob, CancelJob, ExpireJob, JobAccepted, JobCompleted, JobFailed
from quire_contracts.preparation import Baseline, PrepareJob
from quire_contracts.record import Replay, evolve
from quire_contracts.result import Point, SweepResult
from quire_contracts.value import inline_blob
from quire_control_plane.change import NOTHING
from quire_control_plane.decide import decide
from quire_control_plane.families.children import born, child_id, left_behind, submission_of, told
from quire_control_plane.families.family import MOST_AT_ONCE

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord
    from quire_control_plane.change import Change

CHILD = b'{"kind": "sample", "program": "OPENQASM 3.0;", "shots": 100}'
BASELINE = Baseline(method="exact", value=3.0, assignment=(0, 1), exact=True)
ANSWER = SweepResult(points=(Point(label="0", x=None, job_id="c", state="completed"),))


def sweep(count: int = 3, **fields: object) -> JobRecord:
    """A job of so many variants that was just accepted."""
    variants = [{"label": str(number)} for number in range(count)]
    document = {"kind": "sweep", "seed": 5, "base": json.loads(CHILD), "variants": variants, **fields}
    record = admitted(json.dumps(document).encode()).record
    assert record is not None
    return record


def plan(record: JobRecord, count: int = 3, **fields: object) -> FamilyPlanned:
    """What preprocessing answers: a child for each variant."""
    document = inline_blob(CHILD, "application/json")
    named = {"step": 0, "role": "variant"} | fields
    role, step = named.pop("role"), named.pop("step")
    children = tuple(ChildPlan(name=f"child-{step}-{k}", role=role, document=document) for k in range(count))
    return FamilyPlanned(job_id=record.job_id, tenant=record.tenant, children=children, step=step, **named)


def end(record: JobRecord, number: int, state: str = "completed", **fields: object) -> ChildEnded:
    """The end of one of its children."""
    child = record.family.children[number]
    said = {"shots": 100, "cost_usd": 0.5} | fields
    return ChildEnded(
        job_id=record.job_id, tenant=record.tenant, child_id=child.job_id, name=child.name, state=state, **said
    )


def after(record: JobRecord, *messages: object) -> JobRecord:
    """The record after messages, each of which is said twice."""
    for message in messages:
        change = decide(record, message, at(1))
        if change.record is not None:
            record = left_behind(change).record
            assert decide(record, message, at(2)) == NOTHING, "what is said again changes nothing"
    return record


def said(change: Change, kind: type) -> list:
    return [say.message for say in change.says if isinstance(say.message, kind)]


def started(count: int = 3, **fields: object) -> JobRecord:
    """A job whose children are under way."""
    record = sweep(count)
    return after(record, plan(record, count, **fields))


def test_children_are_started_with_ids_that_follow_from_their_parents():
    record = sweep()
    change = decide(record, plan(record), at(1))
    assert [child.job_id for child in change.births] == [child_id(record, f"child-0-{k}") for k in range(3)]
    assert len({child.job_id for child in change.births}) == 3
    assert all(child.state == "running" for child in change.record.family.children)
    again = decide(record, plan(record), at(9))
    assert [child.job_id for child in again.births] == [child.job_id for child in change.births]


def test_a_child_is_a_job_with_its_parents_trace_and_a_seed_and_a_deadline_that_follow_from_it():
    record = evolve(sweep(deadline_seconds=100.0), priority="production")
    change = decide(record, plan(record), at(0))
    births = []
    for child in change.births:
        submission = submission_of(record, child, CHILD)
        births.append(born(record, child, submission, inline_blob(submission.canonical, "application/json"), at(0)))
    for birth, child in zip(births, change.births, strict=True):
        assert birth.record.job_id == child.job_id
        assert (birth.record.parent.job_id, birth.record.parent.name) == (record.job_id, child.name)
        assert birth.record.traceparent == record.traceparent
        assert birth.record.seeded
        assert birth.record.deadline_at == NOON + timedelta(seconds=0.8 * 99), "its parent ends a second early"
        assert [type(say.message) for say in birth.says] == [JobAccepted, PrepareJob, ExpireJob]
        assert birth.says[0].message.parent == record.job_id
    assert len({birth.record.seed for birth in births}) == 3
    assert (
        births[0].record.seed
        == born(record, change.births[0], submission, births[0].record.document, at(7)).record.seed
    )


def test_what_is_left_of_the_budget_is_shared_out_evenly():
    record = evolve(sweep(), max_shots=1_000, max_usd=8.0)
    children = decide(record, plan(record, to_come=1), at(1)).births
    assert {(child.max_shots, child.max_usd) for child in children} == {(250, 2.0)}
    submission = submission_of(record, children[0], CHILD)
    assert born(record, children[0], submission, inline_blob(b"{}", "application/json"), at()).record.max_shots == 250


def test_a_replays_children_repeat_the_first_ones_where_the_replay_runs():
    record = evolve(sweep(), replay=Replay(of="first", target="simulation"))
    child = decide(record, plan(record), at(1)).births[0]
    made = born(record, child, submission_of(record, child, CHILD), inline_blob(b"{}", "application/json"), at()).record
    assert made.replay == Replay(of=child_id(evolve(record, job_id="first"), child.name), target="simulation")
    assert made.targets == ("simulation",)


def test_no_more_than_so_many_are_under_way_and_each_end_starts_the_next():
    record = started(MOST_AT_ONCE + 2)
    assert sum(child.state == "running" for child in record.family.children) == MOST_AT_ONCE
    change = decide(record, end(record, 0), at(3))
    assert [child.name for child in change.births] == [f"child-0-{MOST_AT_ONCE}"]


def test_shots_and_cost_are_the_childrens_each_counted_once():
    record = started()
    record = after(record, end(record, 1), end(record, 0))
    assert (record.shots, record.cost_usd) == (200, 1.0)
    assert record.state == "running"


def test_when_all_have_ended_their_answers_are_gathered_once_and_end_the_job():
    record = started()
    record = after(record, end(record, 2), end(record, 0))
    change = decide(record, end(record, 1), at(3))
    (gather,) = said(change, GatherFamily)
    assert [child.state for child in gather.children] == ["completed"] * 3
    gathered = FamilyGathered(job_id=record.job_id, tenant=record.tenant, step=0, result=ANSWER)
    assert decide(record, gathered, at(2)) == NOTHING, "nobody has asked for it yet"
    ended = decide(change.record, gathered, at(4))
    assert ended.record.state == "completed"
    assert not ended.record.degraded
    (completed,) = said(ended, JobCompleted)
    assert (completed.result, completed.shots, completed.cost_usd) == (ANSWER, 300, 1.5)


def test_a_second_plan_follows_the_gathering_of_the_first_and_no_other():
    record = started(2, to_come=1)
    merge = plan(record, 1, step=1, role="merge")
    assert decide(record, merge, at(2)) == NOTHING, "the first step's children are not all over"
    record = after(record, end(record, 0), end(record, 1), merge)
    assert [child.role for child in record.family.children] == ["variant", "variant", "merge"]
    assert record.family.children[2].state == "running"
    assert decide(record, plan(record, 2), at(5)) == NOTHING, "the first plan was taken before"
    (gather,) = said(decide(record, end(record, 2), at(6)), GatherFamily)
    assert gather.step == 1


def test_a_part_that_has_nothing_to_decide_is_no_job():
    record = sweep()
    planned = plan(record)
    free = msgspec.structs.replace(planned.children[1], document=None)
    planned = msgspec.structs.replace(planned, children=(planned.children[0], free, planned.children[2]))
    change = decide(record, planned, at(1))
    assert [child.name for child in change.births] == ["child-0-0", "child-0-2"]
    assert change.record.family.children[1].state == "completed"


@pytest.mark.parametrize("state", ["failed", "rejected", "cancelled"])
def test_without_one_of_its_children_a_job_fails_and_says_which(state):
    record = started()
    change = left_behind(decide(record, end(record, 1, state, reason="the device burns", fault=fault()), at(3)))
    (failed,) = said(change, JobFailed)
    assert failed.fault.code == "child-without-answer"
    assert "child-0-1" in failed.fault.reason
    assert "the device burns" in failed.fault.reason
    assert {cancel.job_id for cancel in said(change, CancelJob)} == {record.family.children[k].job_id for k in (0, 2)}
    assert [child.state for child in change.record.family.children] == ["cancelled", state, "cancelled"]


def test_an_optimisation_ends_with_the_classical_answer_instead():
    record = started(baseline=BASELINE, sense="max", unit="weight")
    change = decide(evolve(record, kind="optimize"), end(record, 1, "failed", reason="lost"), at(3))
    (completed,) = said(change, JobCompleted)
    assert completed.degraded
    assert (completed.result.source, completed.result.best.value) == ("classical", 3.0)
    assert "child-0-1 is failed: lost" in completed.reason


def test_what_may_be_partial_goes_on_and_names_what_is_missing():
    record = started(allow_partial=True)
    record = after(record, end(record, 1, "failed", reason="the device burns"), end(record, 0), end(record, 2))
    assert record.family.gathering
    gathered = FamilyGathered(job_id=record.job_id, tenant=record.tenant, step=0, result=ANSWER)
    ended = decide(record, gathered, at(5)).record
    assert (ended.state, ended.degraded) == ("completed", True)
    assert "child-0-1 is failed: the device burns" in ended.reason


def test_where_no_child_has_an_answer_there_is_nothing_to_gather():
    record = started(2, allow_partial=True)
    record = after(record, end(record, 0, "failed"), end(record, 1, "cancelled"))
    assert record.state == "failed"


@pytest.mark.parametrize(
    ("message", "state"),
    [
        (CancelJob(job_id="job-1", tenant="acme", reason="enough"), "cancelled"),
        (AbandonJob(job_id="job-1", tenant="acme", fault=fault("unknown")), "failed"),
        (ExpireJob(job_id="job-1", tenant="acme"), "failed"),
    ],
)
def test_who_ends_the_parent_ends_its_children_that_have_not_ended(message, state):
    record = started()
    record = after(record, end(record, 0))
    change = left_behind(decide(record, message, at(8)))
    assert change.record.state == state
    cancels = said(change, CancelJob)
    assert [cancel.job_id for cancel in cancels] == [child.job_id for child in record.family.children[1:]]
    assert all(record.job_id in cancel.reason for cancel in cancels)
    assert decide(change.record, end(record, 1), at(9)) == NOTHING
    assert left_behind(change) == change


def test_a_childs_end_tells_its_parent_what_it_has_used_and_where_its_answer_lies():
    parent = started()
    child = parent.family.children[0]
    submission = submission_of(parent, child, CHILD)
    record = born(parent, child, submission, inline_blob(b"{}", "application/json"), at()).record
    kept = inline_blob(b"answer", "application/json")
    ended = told(evolve(record, state="completed", shots=7, cost_usd=0.25, reason="why"), record.parent, kept)
    assert (ended.job_id, ended.child_id, ended.name) == (parent.job_id, child.job_id, child.name)
    assert (ended.state, ended.shots, ended.cost_usd, ended.reason, ended.result) == ("completed", 7, 0.25, "why", kept)
    assert decide(parent, ended, at(3)).record.family.children[0].state == "completed"


@given(st.integers(1, MOST_AT_ONCE + 8).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n - 1)))))
def test_in_whatever_order_and_however_often_ends_are_told_each_child_is_born_and_counted_once(case):
    count, told_first = case
    record = sweep(min(count, 100))
    born_once, gathers = [], 0
    first = plan(record, count)
    messages = [first, first]
    while messages:
        change = decide(record, messages.pop(0), at(1))
        born_once += [child.job_id for child in change.births]
        gathers += len(said(change, GatherFamily))
        record = change.record or record
        if not messages:
            running = [k for k, child in enumerate(record.family.children) if child.state == "running"]
            known = [k for k in told_first if k in running]
            messages = [end(record, k) for k in (*known, *running[:3], *known)]
    assert len(born_once) == len(set(born_once)) == count
    assert (gathers, record.shots, record.family.gathering) == (1, 100 * count, True)


def test_a_replays_children_run_where_the_first_ones_ran_with_as_many_shots():
    record = evolve(sweep(), replay=Replay(of="first"))
    child = decide(record, plan(record), at(1)).births[0]
    submission = submission_of(record, child, CHILD)
    document = inline_blob(submission.canonical, "application/json")
    fresh = born(record, child, submission, document, at()).record
    assert (fresh.targets, fresh.replay.shots) == ((), None), "nobody knows the first one any more"
    first = evolve(begun_at(fresh, "qiskit:aer", shots=10), seed=4711)
    made = born(record, child, submission, document, at(), first=first).record
    assert (made.targets, made.seed, made.replay.shots) == (("qiskit:aer",), 4711, 10)
    elsewhere = evolve(record, replay=Replay(of="first", target="simulation"))
    assert born(elsewhere, child, submission, document, at(), first=first).record.targets == ("simulation",)


def begun_at(record: JobRecord, target: str, *, shots: int) -> JobRecord:
    """The record of a job that ran at a target, with fewer shots than were asked for."""
    change = decide(record, prepared(record), at(1))
    ran = msgspec.structs.replace(execution(run_task(change)), target=target)
    decision = msgspec.structs.replace(change.record.decisions[0], shots=shots, target=target)
    return evolve(record, executions=(ran,), decisions=(decision,))
