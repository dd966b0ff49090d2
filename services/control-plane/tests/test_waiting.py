"""Who is woken, and in which order."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from control_plane_cases import NOON, admitted, at, prepared

from quire_contracts.task import ReviewTask
from quire_control_plane.decide import decide
from quire_control_plane.dispatch.waiting import KIND, Waiting, Waking, entry, in_order

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


async def test_replicas_that_hear_of_a_return_together_have_each_job_looked_at_once(make_bus, probe, clock) -> None:
    log, stopping = await probe("quire.cmd.>"), asyncio.Event()
    buses = [await make_bus(f"control-plane-{number}") for number in range(2)]
    replicas = [Waking(bus.records(KIND, Waiting), bus.publisher, clock) for bus in buses]
    held = buses[0].records(KIND, Waiting)
    for name in ("a", "b", "c"):
        await held.put(held.write("acme", name, waiting(name, "research"), None))

    async def stored_by_waking() -> int:
        before = (await buses[0].bounds())[1]
        await asyncio.gather(*(each.wake(lambda *_: None, stopping) for each in replicas))
        return (await buses[0].bounds())[1] - before

    assert await stored_by_waking() == 3
    assert {each.job_id for each in await log.wait(ReviewTask, 3)} == {"a", "b", "c"}
    clock.advance(1.0)
    assert await stored_by_waking() == 3, "another return is another message"
