"""The deadline of a family: the late are given up once, what there is becomes the answer, and nothing begins after."""

from __future__ import annotations

import msgspec
import pytest
from control_plane_cases import at, fault
from test_family import BASELINE, after, end, plan, said, sweep

from quire_contracts import limits
from quire_contracts.family import FamilyGathered, GatherFamily
from quire_contracts.job import CancelJob, ExpireJob, JobCompleted, JobFailed
from quire_contracts.record import evolve
from quire_contracts.result import Best, OptimizeResult, Point, Quality, SweepResult
from quire_control_plane.change import NOTHING
from quire_control_plane.decide import decide
from quire_control_plane.families.children import left_behind
from quire_control_plane.families.family import MOST_AT_ONCE

EARLY = ExpireJob("job-1", "acme", reserve_seconds=1.0)
LAST = ExpireJob("job-1", "acme")
TABLE = SweepResult(points=(Point(label="0", x=None, job_id="c", state="completed"),))


def with_an_answer(record, number, **fields):
    """The record after one child has ended with an answer."""
    return after(record, end(record, number, result=record.document, **fields))


def late(count=3, **fields):
    """A family with a deadline, one child of which has an answer."""
    record = started(count, deadline_seconds=100.0, **fields)
    return with_an_answer(record, 0)


def started(count=3, *, deadline_seconds=None, **fields):
    """A job whose children are under way."""
    return after(sweep(count, deadline_seconds=deadline_seconds), plan(sweep(count), count, **fields))


def test_a_partial_answer_is_gathered_before_the_deadline_and_the_late_are_given_up():
    record = late(allow_partial=True)
    change = decide(record, EARLY, at(99))
    assert {say.job_id for say in said(change, CancelJob)} == {child.job_id for child in record.family.children[1:]}
    (command,) = said(change, GatherFamily)
    assert command.closing
    assert [child.state for child in command.children] == ["completed", "cancelled", "cancelled"]
    (last,) = (say for say in change.says if isinstance(say.message, ExpireJob))
    assert (last.message, last.at) == (LAST, record.deadline_at)
    assert decide(change.record, EARLY, at(99.5)) == NOTHING
    gathered = FamilyGathered(job_id="job-1", tenant="acme", step=0, result=TABLE, closing=True)
    ended = decide(change.record, gathered, at(99.6)).record
    assert (ended.state, ended.degraded, ended.result) == ("completed", True, TABLE)
    assert "deadline" in ended.reason
    assert "child-0-1" in ended.reason
    assert "child-0-2" in ended.reason


def test_what_the_given_up_have_used_is_counted_and_begins_nobody():
    record = late(MOST_AT_ONCE + 9, allow_partial=True)
    record = after(record, EARLY)
    assert sum(child.state == "running" for child in record.family.children) == 0
    assert decide(record, end(record, MOST_AT_ONCE + 5), at(3)) == NOTHING, "it had not begun"
    change = decide(record, end(record, 1, "completed", shots=40, cost_usd=0.25), at(3))
    assert (change.births, change.says) == ((), ())
    assert (change.record.shots, change.record.cost_usd) == (140, 0.75)
    assert change.record.family.children[1].state == "cancelled", "its answer was not gathered"
    assert decide(change.record, end(record, 1), at(4)) == NOTHING


def test_a_plan_that_comes_too_late_begins_nobody():
    record = late(1, allow_partial=True)
    assert record.family.gathering
    record = after(record, EARLY)
    change = decide(record, plan(record, 2, step=1, role="merge"), at(99))
    assert change.births == ()
    (command,) = said(change, GatherFamily)
    assert (command.closing, command.step, len(command.children)) == (True, 1, 1)
    assert decide(change.record, plan(record, 2, step=1, role="merge"), at(99)) == NOTHING


def test_an_answer_that_was_being_gathered_is_whole():
    record = after(late(1, allow_partial=True), EARLY)
    ended = decide(record, FamilyGathered(job_id="job-1", tenant="acme", step=0, result=TABLE), at(99.5)).record
    assert (ended.state, ended.degraded) == ("completed", False)


@pytest.mark.parametrize("partial", [True, False])
def test_what_has_nothing_to_end_with_fails_at_its_deadline_and_not_before(partial):
    record = started(deadline_seconds=100.0, allow_partial=partial)
    change = decide(record, EARLY, at(99))
    assert change.record is None
    assert [(say.message, say.at) for say in change.says] == [(LAST, record.deadline_at)]
    change = left_behind(decide(record, LAST, at(100)))
    (failed,) = said(change, JobFailed)
    assert failed.fault.code == "deadline-exceeded"
    assert len(said(change, CancelJob)) == 3


def test_an_answer_that_nobody_gathers_in_time_is_lost_with_its_deadline():
    record = after(late(allow_partial=True), EARLY)
    assert decide(record, LAST, at(100)).record.state == "failed"


def cut(value):
    """What the parts came to."""
    best = Best(value, (0, 1))
    return OptimizeResult(best, (), BASELINE, Quality(), sense="max")


@pytest.mark.parametrize(("value", "source"), [(2.0, "classical"), (3.0, "quantum")])
def test_a_partial_optimum_counts_unless_the_classical_one_is_better(value, source):
    record = evolve(late(allow_partial=True, baseline=BASELINE, sense="max"), kind="optimize")
    record = after(record, EARLY)
    change = decide(
        record, FamilyGathered(job_id="job-1", tenant="acme", step=0, result=cut(value), closing=True), at(99.5)
    )
    (ended,) = said(change, JobCompleted)
    assert (ended.result.source, ended.degraded) == (source, True)
    assert "deadline" in ended.reason


def test_an_optimum_that_may_not_be_partial_is_the_classical_one():
    record = evolve(late(baseline=BASELINE, sense="max"), kind="optimize")
    change = left_behind(decide(record, EARLY, at(99)))
    (ended,) = said(change, JobCompleted)
    assert (ended.result.source, ended.degraded) == ("classical", True)
    assert len(said(change, CancelJob)) == 2


def test_where_no_child_has_an_answer_all_of_them_are_named():
    record = started(5, allow_partial=True)
    free = msgspec.structs.replace(record.family.children[0], document=None, state="completed")
    record = evolve(record, family=msgspec.structs.replace(record.family, children=(free, *record.family.children[1:])))
    for number in range(1, 5):
        record = after(record, end(record, number, "failed", reason="it rains", fault=fault("offline")))
    assert record.state == "failed"
    assert record.fault.kind == "offline"
    assert all(f"child-0-{number} is failed: it rains" in record.fault.reason for number in range(1, 4))
    assert "and 1 more" in record.fault.reason


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_the_record_of_as_many_children_as_there_can_be_that_all_say_much_fits_a_message(state):
    most = 2 * limits.PARTITIONED_VARIABLES // 4 + 1
    said = plan(sweep(1), most, allow_partial=True)
    document = msgspec.structs.replace(said.children[0].document, inline=None)
    children = [msgspec.structs.replace(child, document=document, variables=(511,) * 4) for child in said.children]
    record = evolve(sweep(1), max_shots=10**9, max_usd=1 / 3, max_seconds=1 / 3)
    record = decide(record, msgspec.structs.replace(said, children=tuple(children)), at(1)).record
    loud = msgspec.structs.replace(fault(), reason="rain " * 400, next_step="wait " * 400)
    told = {"reason": "rain " * 400, "fault": loud if state == "failed" else None, "degraded": True, "value": 1 / 3}
    kept = document if state == "completed" else None
    while running := [k for k, child in enumerate(record.family.children) if child.state == "running"]:
        record = decide(record, end(record, running[0], state, source="quantum", result=kept, **told), at(2)).record
    assert len(msgspec.json.encode(record)) < 0.9 * limits.MESSAGE_BYTES
    assert record.family.children[7].reason.startswith("rain rain")


def test_a_variant_that_a_person_is_to_look_at_marks_the_sweep():
    record = started(2)
    record = after(record, end(record, 0, needs_review="the objective is 2"), end(record, 1))
    ended = decide(record, FamilyGathered(job_id="job-1", tenant="acme", step=0, result=TABLE), at(5)).record
    assert ended.needs_review == "variant child-0-0: the objective is 2"


def test_where_only_the_classical_answer_is_missing_the_childrens_are_gathered_without_it():
    record = evolve(late(2), kind="optimize", baseline_to_come=True)
    record = with_an_answer(record, 1)
    assert record.awaiting is not None
    change = decide(record, EARLY, at(99))
    (command,) = said(change, GatherFamily)
    assert command.closing
    assert [child.state for child in command.children] == ["completed", "completed"]
