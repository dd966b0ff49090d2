"""Who is woken, and in which order."""

from __future__ import annotations

from datetime import timedelta

from control_plane_cases import NOON, admitted, at, prepared

from quire_contracts.task import ReviewTask
from quire_control_plane.decide import decide
from quire_control_plane.waiting import Waiting, entry, in_order

SAMPLE = b'{"kind": "sample", "program": "OPENQASM 3.0;", "shots": 100, "priority": "production"}'
BOTH = ("qiskit:aer", "simulation")


def waiting(name: str, priority: str, *, since: float = 0, deadline: float | None = None, **more: object) -> Waiting:
    ends = None if deadline is None else NOON + timedelta(seconds=deadline)
    first = NOON + timedelta(seconds=since)
    return Waiting("acme", name, "t", 1, priority, first, ends, **{"targets": BOTH, **more})  # type: ignore[arg-type]


def test_the_urgent_class_comes_first_then_the_nearest_deadline_then_the_oldest() -> None:
    entries = [
        waiting("e", "research"),
        waiting("d", "production", since=2),
        waiting("c", "production", since=1),
        waiting("b", "production", since=3, deadline=50),
        waiting("a", "production", since=4, deadline=40),
        waiting("z", "customer-facing", since=9),
    ]
    assert [each.job_id for each in in_order(entries, lambda *_: None)] == ["z", "a", "b", "c", "d", "e"]


def away(target: str, _tenant: str) -> str | None:
    return "away" if target == "qiskit:aer" else None


def test_only_who_waits_for_a_target_that_is_back_is_woken() -> None:
    entries = [
        waiting("both", "research"),
        waiting("aer", "research", targets=("qiskit:aer",)),
        waiting("no longer", "research", targets=()),
    ]
    assert [each.job_id for each in in_order(entries, away)] == ["both"]


def test_an_entry_is_written_when_a_wait_begins_or_goes_on_or_ends_and_at_no_other_time() -> None:
    admission = admitted(SAMPLE).record
    assert admission is not None
    assert entry(None, admission) is None
    held = decide(admission, prepared(admission), at(1, down=BOTH)).record
    assert held is not None
    begun = entry(admission, held)
    assert begun is not None
    assert (begun.job_id, begun.priority, begun.targets, begun.attempt) == ("job-1", "production", BOTH, 1)
    assert entry(held, held) is None
    task = held.pending[0].task
    sent = decide(held, ReviewTask("job-1", "acme", task.task_id, 1), at(2)).record
    assert sent is not None
    over = entry(held, sent)
    assert over is not None
    assert over.targets == ()
    assert entry(sent, sent) is None
