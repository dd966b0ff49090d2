"""A family's budget: shared out by need, what children leave goes to who begins later, and never more than there is."""

from __future__ import annotations

import math

import msgspec
from control_plane_cases import NOON, at
from hypothesis import given
from hypothesis import strategies as st
from test_family import plan, sweep

from quire_contracts.family import ChildEnded
from quire_contracts.record import JobRecord, evolve
from quire_contracts.value import Timing
from quire_control_plane.decide import decide
from quire_control_plane.families.family import MOST_AT_ONCE

SHARES = st.floats(0, 1)
NEEDS = st.floats(0.01, 1e6)


def planned(needs: list[float], *, to_come: float = 0.0, **budget: object) -> JobRecord:
    """A job whose children, of these needs, have been planned, and as many as may be have begun."""
    record = evolve(sweep(min(len(needs), 100)), **budget)
    message = plan(record, len(needs), to_come=int(to_come > 0), need_to_come=to_come, allow_partial=True)
    children = tuple(
        msgspec.structs.replace(child, need=need) for child, need in zip(message.children, needs, strict=True)
    )
    return decide(record, msgspec.structs.replace(message, children=children), at(1)).record


def end(record: JobRecord, number: int, used: float) -> ChildEnded:
    """The end of a child that used so much of each of its shares."""
    child = record.family.children[number]
    seconds = used * (child.max_seconds or 0.0)
    return ChildEnded(
        job_id=record.job_id,
        tenant=record.tenant,
        child_id=child.job_id,
        name=child.name,
        state="completed",
        shots=math.floor(used * (child.max_shots or 0)),
        cost_usd=used * (child.max_usd or 0.0),
        timings=(Timing("execute", "qpu", NOON, seconds),),
    )


def shares(record: JobRecord) -> list[int | None]:
    return [child.max_shots for child in record.family.children]


def test_shares_are_by_need_and_what_later_plans_take_is_kept_back():
    record = planned([1.0, 3.0, 2.0], to_come=4.0, max_shots=1_000, max_usd=5.0, max_seconds=20.0)
    assert shares(record) == [100, 300, 200]
    assert [child.max_usd for child in record.family.children] == [0.5, 1.5, 1.0]
    assert [child.max_seconds for child in record.family.children] == [2.0, 6.0, 4.0]


def test_what_children_leave_of_their_shares_goes_to_the_merge():
    record = planned([1.0, 1.0], to_come=2.0, max_shots=1_000)
    assert shares(record) == [250, 250]
    record = decide(record, end(record, 0, 0.4), at(2)).record
    record = decide(record, end(record, 1, 1.0), at(3)).record
    record = decide(record, plan(record, 1, step=1, role="merge"), at(4)).record
    assert shares(record)[2] == 1_000 - 100 - 250


def test_what_one_child_leaves_goes_to_the_next_that_begins():
    record = planned([1.0] * (MOST_AT_ONCE + 1), max_shots=33 * 100)
    assert shares(record) == [100] * MOST_AT_ONCE + [None]
    assert shares(decide(record, end(record, 5, 0.25), at(2)).record)[-1] == 175


def test_who_has_no_budget_shares_none():
    record = planned([1.0, 2.0])
    assert {(child.max_shots, child.max_usd, child.max_seconds) for child in record.family.children} == {(None,) * 3}


@given(
    needs=st.sampled_from((1, 3, MOST_AT_ONCE + 1, MOST_AT_ONCE + 12)).flatmap(
        lambda count: st.lists(NEEDS, min_size=count, max_size=count)
    ),
    to_come=st.just(0.0) | NEEDS,
    budgets=st.tuples(st.integers(1, 10**7), st.floats(0, 1e6), st.floats(1e-3, 1e6)),
    data=st.data(),
)
def test_in_whatever_order_children_end_no_budget_is_ever_overspent_and_nothing_is_left_unshared(
    needs, to_come, budgets, data
):
    shots, usd, seconds = budgets
    record = planned(needs, to_come=to_come, max_shots=shots, max_usd=usd, max_seconds=seconds)
    while running := [k for k, child in enumerate(record.family.children) if child.state == "running"]:
        held = [record.family.children[k] for k in running]
        ran = sum(timing.seconds for timing in record.timings)
        assert record.shots + sum(child.max_shots for child in held) <= shots
        assert record.cost_usd + math.fsum(child.max_usd for child in held) <= usd * (1 + 1e-9)
        assert ran + math.fsum(child.max_seconds for child in held) <= seconds * (1 + 1e-9)
        record = decide(record, end(record, data.draw(st.sampled_from(running)), data.draw(SHARES)), at(2)).record
    if not to_come:
        return
    record = decide(record, plan(record, 1, step=1, role="merge"), at(3)).record
    merge, used = record.family.children[-1], sum(timing.seconds for timing in record.timings)
    assert merge.max_shots == shots - record.shots
    assert math.isclose(merge.max_usd, usd - record.cost_usd, rel_tol=1e-6, abs_tol=1e-6 * max(1.0, usd))
    assert math.isclose(merge.max_seconds, seconds - used, rel_tol=1e-6, abs_tol=1e-6 * max(1.0, seconds))
