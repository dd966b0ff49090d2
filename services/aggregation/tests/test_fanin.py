"""Slices in any order, late or twice, give one answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from quire_aggregation.fanin import FanIn, Part, absorb, finish
from quire_aggregation.provenance import execution_of, timings_of
from quire_contracts.batch import Slice
from quire_contracts.value import BlobRef, Execution, Matrix

NO_DATA = BlobRef("a" * 64, 80, "application/vnd.quire.float64")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def execution(**changes) -> Execution:
    base = {
        "target": "qiskit:aer",
        "provider": "qiskit",
        "backend": "aer",
        "region": "local",
        "calibration_id": "none",
        "circuit_sha256": "a" * 64,
        "shots": 100,
        "parameter_sets": 12,
        "started_at": NOW + timedelta(seconds=2),
        "queue_seconds": 0.5,
        "compile_seconds": 0.25,
        "execute_seconds": 1.5,
        "cost_usd": 6.0,
    }
    return Execution(**(base | changes))


def part(first: int, rows: int = 10, **changes) -> Part:
    base = {
        "counts": None,
        "values": Matrix(rows, 1, NO_DATA),
        "execution": execution(),
        "queued_at": NOW,
        "formed_at": NOW + timedelta(seconds=1),
    }
    return Part(first=first, rows=rows, **(base | changes))


@given(st.lists(st.integers(0, 5), min_size=1).flatmap(lambda extra: st.permutations([*range(6), *extra])))
def test_any_order_and_any_repetition_gives_the_same(arrivals):
    fan_in = FanIn("task-1", 1, 60)
    for position, arrival in enumerate(arrivals):
        assert fan_in.complete == (set(arrivals[:position]) == set(range(6)))
        fan_in = absorb(fan_in, part(arrival * 10))
    assert fan_in.complete
    assert fan_in.parts == tuple(part(first) for first in range(0, 60, 10))


def test_the_first_of_two_answers_for_the_same_rows_counts():
    first, second = part(0), part(0, execution=execution(target="simulation"))
    assert absorb(absorb(FanIn("task-1", 1, 20), first), second).parts == (first,)


def test_late_slice_after_the_end_changes_nothing():
    over = finish(absorb(FanIn("task-1", 1, 20), part(0)))
    assert over.parts == ()
    assert absorb(over, part(10)) == over


def test_member_gets_its_share_of_the_batch():
    member = Slice("task-1", "job-1", "acme", "round", 3, 2, 0, 3, Matrix(3, 1, NO_DATA), None, NOW)
    mine = execution_of(execution(), member, batch_id="batch-1", batch_rows=12)
    assert (mine.parameter_sets, mine.cost_usd) == (3, 1.5)
    assert (mine.task_id, mine.phase, mine.attempt, mine.batch_id) == ("task-1", "round", 2, "batch-1")
    assert mine.execute_seconds == 1.5


def test_timings_say_where_the_time_went():
    timings = timings_of([part(0)], "task-1", NOW + timedelta(seconds=4), 0.01)
    assert [(timing.stage, timing.resource, timing.seconds) for timing in timings] == [
        ("batching", "wait", 1.0),
        ("queue", "wait", 1.0),
        ("compile", "cpu", 0.25),
        ("execute", "cpu", 1.5),
        ("score", "cpu", 0.01),
    ]
    assert {timing.task_id for timing in timings} == {"task-1"}
    assert timings[3].started_at == NOW + timedelta(seconds=2.25)


def test_slowest_slice_stands_for_all_and_the_resource_is_the_machines():
    device = execution(simulator=False, execute_seconds=9.0, queue_seconds=0.0)
    timings = timings_of([part(0, execution=device), part(10)], "task-1", NOW, 0.0)
    assert [(timing.stage, timing.resource, timing.seconds) for timing in timings][-2:] == [
        ("execute", "qpu", 9.0),
        ("score", "cpu", 0.0),
    ]
    waiting = execution(simulator=False, queue_seconds=30.0)
    assert timings_of([part(0, execution=waiting)], "task-1", NOW, 0.0)[1].seconds == 30.0
    gpu = execution(provider_metadata={"device": "GPU"})
    assert timings_of([part(0, execution=gpu)], "task-1", NOW, 0.0)[3].resource == "gpu"
