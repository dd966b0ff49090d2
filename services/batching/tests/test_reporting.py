"""Reports of the load: what they say, on change at most once a second, and again while there is work."""

from __future__ import annotations

import asyncio
import math

import pytest
import pytest_asyncio

from quire_batching.group import Item
from quire_batching.grouping import GroupKey
from quire_batching.load import Load
from quire_batching.policy import Bounds, Policy
from quire_batching.reporting import AGAIN_SECONDS, BUCKET, SECONDS, loads_of, report
from quire_batching.target_queue import TargetQueue
from quire_batching.verdict import blames_the_work
from quire_contracts.load import LOAD_KEYS, LoadReport
from quire_resilience.errors import Transient
from quire_testing import eventually

POLICY = Policy(
    limits={"*": Load(100, 100, 10_000, 10**9, 10.0, 2**30)},
    places={"*": 1},
    bounds={"research": Bounds(window=1.0, hold=600.0)},
)


def queue_of(target, tasks=0, now=0.0):
    """A queue with one batch under way, and so many tasks of a second each behind it."""
    queue = TargetQueue(target, POLICY, now)
    for structure in ["a" * 64] + ["b" * 64] * tasks:
        key = GroupKey(target, structure, None, 10, "research")
        queue.admit(Item(key, "acme", Load(1, 1, 10, 100, 1.0, 16), object(), math.inf), now)
        queue.take(now)
    return queue


def test_a_report_names_the_targets_that_have_work_and_what_waits_there():
    queues = {"simulation": queue_of("simulation", tasks=3), "a:b": TargetQueue("a:b", POLICY, 0.0)}
    (load,) = loads_of(queues, 0.0)
    assert (load.target, load.waiting, load.in_flight, load.error_rate) == ("simulation", 3, 1, 0.0)
    assert load.wait_seconds == pytest.approx(4.0)


def test_nobody_expects_less_than_the_oldest_has_waited():
    queue = queue_of("simulation", tasks=1)
    assert queue.expected_wait(0.0) == pytest.approx(2.0)
    assert queue.expected_wait(50.0) == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("body", "blamed"),
    [
        (b'{"batch_id": "b", "fault": {"kind": "invalid", "code": "x"}}', True),
        (b'{"fault": {"kind": "spend"}}', True),
        (b'{"fault": {"kind": "capacity"}}', False),
        (b'{"fault": {"kind": "new"}}', False),
        (b"{}", False),
        (b"\xff", False),
    ],
)
def test_only_faults_of_the_work_leave_its_target_out_of_it(body, blamed):
    assert blames_the_work(body) is blamed


def test_failed_batches_are_a_rate():
    queue = queue_of("simulation", tasks=1)
    (ticket,) = queue.flights
    queue.over(ticket, 1.0, ok=False)
    (load,) = loads_of({"simulation": queue}, 1.0)
    assert 0 < load.error_rate < 1


class Notebook:
    """A bucket that says no when it is told to."""

    def __init__(self):
        self.entries = []
        self.refusing = False

    async def put(self, key, value):
        if self.refusing:
            raise Transient("away", code="away")
        self.entries.append((key, value))


@pytest_asyncio.fixture
async def reporting(clock):
    """`pages, queues, failures, tick, stop`: a reporter on a manual clock; `await tick(seconds)` lets time pass."""
    notebook, queues, failures, stopping = Notebook(), {}, [], asyncio.Event()
    running = asyncio.create_task(
        report(queues, notebook, stopping, instance="host.1:2", clock=clock, failed=failures.append)
    )

    async def tick(seconds=SECONDS):
        await eventually(lambda: clock.sleeping == 1)
        clock.advance(seconds)
        await eventually(lambda: clock.sleeping == 1)

    async def stop():
        stopping.set()
        await running

    yield notebook, queues, failures, tick, stop
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_it_reports_on_change_and_repeats_while_there_is_work(reporting):
    notebook, queues, _, tick, stop = reporting
    await tick()
    assert not notebook.entries, "nothing to say, nothing said"
    queues["simulation"] = queue_of("simulation")
    await tick()
    ((key, first),) = notebook.entries
    assert key == f"{LOAD_KEYS}host-1-2"
    assert (first.instance, first.targets[0].in_flight) == ("host.1:2", 1)
    await tick(AGAIN_SECONDS - SECONDS)
    assert len(notebook.entries) == 1, "the same again, too soon"
    await tick()
    assert len(notebook.entries) == 2
    queues.clear()
    await tick()
    assert notebook.entries[-1][1].targets == ()
    await tick(2 * AGAIN_SECONDS)
    assert len(notebook.entries) == 3, "an idle replica is silent"
    await stop()
    assert len(notebook.entries) == 3


async def test_changes_within_a_second_are_one_report(reporting):
    notebook, queues, _, tick, _ = reporting
    await tick()
    for tasks in range(3):
        queues["simulation"] = queue_of("simulation", tasks=tasks)
        await asyncio.sleep(0)
    await tick()
    assert [each.targets[0].waiting for _, each in notebook.entries] == [2]


async def test_a_report_that_cannot_be_written_is_followed_by_the_next(reporting):
    notebook, queues, failures, tick, _ = reporting
    notebook.refusing = True
    queues["simulation"] = queue_of("simulation")
    await tick()
    assert failures == ["away"]
    notebook.refusing = False
    queues["simulation"] = queue_of("simulation", tasks=1)
    await tick()
    assert len(notebook.entries) == 1


async def test_a_replica_that_stops_takes_its_load_away(reporting):
    notebook, queues, _, tick, stop = reporting
    queues["simulation"] = queue_of("simulation")
    await tick()
    await stop()
    assert [len(each.targets) for _, each in notebook.entries] == [1, 0]


async def test_reports_are_in_the_bucket_of_a_real_broker(bus, clock):
    stopping, queues = asyncio.Event(), {"simulation": queue_of("simulation", tasks=2)}
    bucket = bus.bucket(BUCKET, LoadReport)
    running = asyncio.create_task(report(queues, bucket, stopping, instance="one", clock=clock, failed=pytest.fail))

    async def reported():
        return await bucket.get(f"{LOAD_KEYS}one")

    stored = await eventually(reported)
    assert stored.value.targets[0].waiting == 2
    stopping.set()
    await running
    assert (await bucket.get(f"{LOAD_KEYS}one")).value.targets == ()
