"""Batching on a real broker: what is said for what was asked, whatever is repeated, lost or killed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from quire_batching.__main__ import SERVICE
from quire_batching.assignment import KIND, Assignment
from quire_batching.reporting import BUCKET
from quire_batching.settings import Settings
from quire_bus.envelope import Outgoing
from quire_contracts.batch import BatchFailed, ExecuteBatch, SimulateBatch
from quire_contracts.breaker import TargetState, target_key
from quire_contracts.load import LOAD_KEYS, LoadReport
from quire_contracts.task import RunTask, TaskFailed
from quire_contracts.topology import consumer_of
from quire_contracts.value import BlobRef, Fault, Matrix
from quire_resilience.clock import SystemClock
from quire_testing import eventually

SOON = {"fixed_window_seconds": 0.05}
NEVER = {"fixed_window_seconds": 60.0} | {
    f"{name}_hold_seconds": 60.0 for name in ("research", "validation", "production", "customer_facing")
}
BUSY = {"target_places": {"*": 1}}


@pytest.fixture
def start(replica):
    """`await start(**settings)`: a replica whose windows are short; its bus."""
    return lambda **settings: replica(**(SOON | settings))


async def ask(bus, *tasks, times: int = 2, **meta) -> None:
    """Publish each RunTask `times` over, each time as a message of another id."""
    for repetition in range(times):
        for task in tasks:
            await bus.publisher.publish(Outgoing(RunTask(task=task), attempt=repetition, **meta))


async def settled(bus) -> bool:
    """Whether batching has acknowledged everything that was sent to it."""
    consumer = consumer_of("batching", RunTask)
    js = bus.connection.client.jetstream()
    last = await js.get_last_msg(consumer.stream, consumer.filters[0])
    info = await js.consumer_info(consumer.stream, consumer.durable)
    return info.ack_floor.stream_seq >= last.seq and info.num_ack_pending == 0


async def all_batches(bus, seen, tasks: int):
    """The batches, once every task is in one and every delivery is acknowledged."""
    commands = (SimulateBatch, ExecuteBatch)

    async def done():
        batches = [command.batch for type_ in commands for command in seen.of(type_)]
        names = {(member.task_id, member.attempt) for batch in batches for member in batch.members}
        return batches if len(names) >= tasks and await settled(bus) else None

    return await eventually(done)


async def test_lone_task_leaves_after_its_window(start, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    await start()
    await ask(bus, make_task("one", seed=5))
    (batch,) = await all_batches(bus, seen, 1)
    (member,) = batch.members
    assert (batch.target, batch.flush_reason, batch.shots, batch.qubits) == ("simulation", "age", 100, 1)
    assert (member.task_id, member.first, member.total_rows, member.seed) == ("one", 0, 1, 5)
    assert member.parameters == make_task("one").parameters
    assert batch.formed_at - member.queued_at < timedelta(seconds=2)


async def test_tasks_of_many_jobs_become_one_batch_and_each_is_in_it_once(start, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    tasks = [make_task(f"task-{index}", tenant=f"tenant-{index % 3}", rows=index + 1) for index in range(20)]
    await ask(bus, *tasks)
    await start(fixed_window_seconds=1.0)
    batches = await all_batches(bus, seen, 20)
    members = [member for batch in batches for member in batch.members]
    assert sorted(member.task_id for member in members) == sorted(task.task_id for task in tasks)
    assert len(batches) == 1
    assert seen.subjects == [f"quire.cmd.shared.batch.simulate.v1.{batches[0].batch_id}"]


async def test_full_window_does_not_wait(start, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    await start(**NEVER, max_members=3)
    await ask(bus, *(make_task(f"task-{index}") for index in range(3)), times=1)
    (batch,) = await all_batches(bus, seen, 3)
    assert batch.flush_reason == "size"


async def test_planes_structures_and_priorities_stay_apart(start, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    await start()
    tasks = [
        make_task("simulated"),
        make_task("executed", target="qiskit:aer"),
        make_task("other", structure="qubit[3] q;"),
        make_task("patient", priority="research"),
        make_task("exact", shots=None),
    ]
    await ask(bus, *tasks)
    batches = await all_batches(bus, seen, 5)
    assert len(batches) == 5
    assert [one.batch.members[0].task_id for one in seen.of(ExecuteBatch)] == ["executed"]


async def test_deadline_hurries_the_batch(start, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    await start(**NEVER, deadline_reserve_seconds=10.0)
    deadline = datetime.now(UTC) + timedelta(seconds=10.2)
    await ask(bus, make_task("one", deadline_at=deadline))
    (batch,) = await all_batches(bus, seen, 1)
    assert batch.flush_reason == "deadline"
    assert batch.deadline_at == deadline


async def test_large_task_is_cut_and_all_of_it_is_sent(start, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    await start(**NEVER, max_rows=4)
    task = make_task("large", rows=10, seed=3)
    await ask(bus, task)
    batches = await all_batches(bus, seen, 1)
    members = sorted((batch.members[0] for batch in batches), key=lambda member: member.first)
    assert [(member.first, member.parameters.rows, member.total_rows) for member in members] == [
        (0, 3, 10),
        (3, 3, 10),
        (6, 4, 10),
    ]
    data = [await bus.blobs.get(member.parameters.data) for member in members]
    assert b"".join(data) == task.parameters.data.inline
    assert {member.seed for member in members} == {3}
    assert {batch.flush_reason for batch in batches} == {"single"}
    record = await bus.records(KIND, Assignment).get("acme", "large-1")
    assert set(record.value.batch_ids) == {batch.batch_id for batch in batches}


async def test_task_that_is_assigned_already_is_left_out_and_its_mates_go_on(start, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    records = bus.records(KIND, Assignment)
    await records.put(records.write("acme", "first-1", Assignment("first", 1, ("b",), datetime.now(UTC)), 0))
    await ask(bus, make_task("first"), make_task("second"))
    await start()
    (batch,) = await all_batches(bus, seen, 1)
    assert [member.task_id for member in batch.members] == ["second"]


async def test_next_attempt_of_a_task_is_other_work(start, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    await start()
    await ask(bus, make_task("one"), make_task("one", attempt=2))
    batches = await all_batches(bus, seen, 2)
    assert sorted(member.attempt for batch in batches for member in batch.members) == [1, 2]


async def test_task_that_no_batch_can_hold_fails_with_a_reason(start, bus, probe, make_task):
    seen = await probe("quire.evt.>")
    await start(max_rows=4)
    gone = Matrix(10, 1, BlobRef(hashlib.sha256(b"gone").hexdigest(), 80, "application/vnd.quire.float64"))
    await ask(bus, make_task("lost", parameters=gone), times=1)
    (failed,) = await seen.wait(TaskFailed)
    assert (failed.task_id, failed.attempt, failed.target) == ("lost", 1, "simulation")
    assert failed.fault.code == "blob-missing"
    await eventually(lambda: settled(bus))


async def test_batch_has_a_trace_of_its_own_with_links_to_its_members(start, bus, probe, make_task, spans):
    seen = await probe("quire.cmd.*.batch.>")
    parents = [f"00-{index:032x}-{index:016x}-01" for index in (1, 2)]
    for index, parent in enumerate(parents):
        await ask(bus, make_task(f"task-{index}"), times=1, traceparent=parent)
    await start(fixed_window_seconds=1.0)
    (batch,) = await all_batches(bus, seen, 2)
    forms = await eventually(lambda: spans.named("quire.batch.form"))
    processes = {span.context.span_id: span for span in spans.named("process task.run")}
    assert len(forms) == 1
    assert forms[0].parent is None
    assert {link.context.span_id for link in forms[0].links} == set(processes)
    assert forms[0].attributes["quire.batch.size"] == 2
    assert forms[0].context.trace_id not in {1, 2}
    for member in batch.members:
        _, trace_id, span_id, _ = member.traceparent.split("-")
        assert int(trace_id, 16) == int(member.task_id[-1]) + 1
        assert int(span_id, 16) in processes
    (sent,) = spans.named("send batch.simulate")
    assert sent.parent.span_id == forms[0].context.span_id
    assert sent.context.trace_id == forms[0].context.trace_id


async def test_nothing_is_lost_when_it_dies_with_a_half_full_window(start, bus, probe, make_task, nats_server):
    seen = await probe("quire.cmd.*.batch.>")
    tasks = [make_task(f"task-{index}") for index in range(5)]
    await ask(bus, *tasks, times=1)
    environment = {"QUIRE_NATS_URL": nats_server.url, "QUIRE_LOG_LEVEL": "error"}
    environment |= {f"QUIRE_BATCHING_{name.upper()}": "60" for name in NEVER}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "quire_batching", env={**os.environ, **environment}
    )
    consumer = consumer_of("batching", RunTask)
    js = bus.connection.client.jetstream()

    async def all_in_hand():
        return (await js.consumer_info(consumer.stream, consumer.durable)).num_ack_pending == 5

    await eventually(all_in_hand, within=30)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert seen.recorded == []
    await start()
    batches = await eventually(lambda: all_batches(bus, seen, 5), within=30)
    assert sorted(member.task_id for batch in batches for member in batch.members) == [task.task_id for task in tasks]


async def test_nothing_is_lost_or_doubled_when_the_broker_is_gone_at_the_flush(
    start, bus, probe, make_task, spans, nats_server
):
    seen = await probe("quire.cmd.*.batch.>")
    await start(fixed_window_seconds=1.0, answer_seconds=0.5)
    consumer = consumer_of("batching", RunTask)
    js = bus.connection.client.jetstream()
    await ask(bus, *(make_task(f"task-{index}") for index in range(5)), times=1)

    async def all_in_hand():
        return (await js.consumer_info(consumer.stream, consumer.durable)).num_ack_pending == 5

    await eventually(all_in_hand)
    nats_server.kill()
    (failed,) = await eventually(lambda: spans.named("quire.batch.form"), within=30)
    assert not failed.status.is_ok
    await asyncio.to_thread(nats_server.start)
    batches = await eventually(lambda: all_batches(bus, seen, 5), within=60)
    names = sorted(member.task_id for batch in batches for member in batch.members)
    assert names == [f"task-{index}" for index in range(5)]


@pytest.mark.parametrize("seconds", [0.0, 0.05])
async def test_hundreds_of_tasks_from_two_replicas_are_each_sent_once(start, bus, probe, make_task, seconds):
    seen = await probe("quire.cmd.*.batch.>")
    for _ in range(2):
        await start(fixed_window_seconds=seconds, max_members=16)
    await asyncio.gather(*(ask(bus, make_task(f"task-{index}")) for index in range(200)))
    batches = await all_batches(bus, seen, 200)
    names = [member.task_id for batch in batches for member in batch.members]
    assert len(names) == len(set(names)) == 200
    assert max(len(batch.members) for batch in batches) <= 16


@pytest.mark.parametrize(("kind", "rate"), [("offline", 0.12), ("invalid", 0.0)])
async def test_a_failed_batch_counts_against_its_target_unless_the_work_was_at_fault(
    start, bus, probe, make_task, kind, rate
):
    seen = await probe("quire.cmd.*.batch.>")
    await start(**BUSY)
    await ask(bus, make_task("one"), times=1)
    (first,) = await all_batches(bus, seen, 1)
    await ask(bus, make_task("two", priority="research"), make_task("three", priority="research"), times=1)
    fault = Fault(kind=kind, code="unsupported-test", reason="it cannot be", next_step="", retryable=False)
    failed = BatchFailed(batch_id=first.batch_id, target=first.target, members=first.members, fault=fault)
    await bus.publisher.publish(failed)
    await all_batches(bus, seen, 3)  # the place is free again, whoever is to blame
    known = datetime.now(UTC)

    async def reported():
        stored = await bus.bucket(BUCKET, LoadReport).get(f"{LOAD_KEYS}test")
        return stored.value.targets[0] if stored and stored.value.at >= known else None

    assert (await eventually(reported)).error_rate == rate


def test_settings_are_read_from_the_environment():
    from quire_service import load_settings

    environ = {"QUIRE_BATCHING_MAX_MEMBERS": "7", "QUIRE_BATCHING_RESEARCH_HOLD_SECONDS": "0.5"}
    settings = load_settings(Settings, SERVICE.name, environ)
    assert settings.policy.limits_of("simulation").members == 7
    assert settings.policy.limits_of("braket:sv1").rows == 100
    assert settings.policy.limits_of("braket:local").rows == 4_096
    assert settings.policy.bounds["research"].hold == 0.5


def said(clock, state):
    until = clock.now() + timedelta(seconds=30) if state == "down" else None
    return TargetState(target="qiskit:aer", state=state, since=clock.now(), until=until, reason_code="target-offline")


async def test_what_waits_for_a_target_that_goes_down_is_given_back(start, make_bus, make_task, probe):
    helper, clock, log = await make_bus("control-plane"), SystemClock(), await probe("quire.>")
    targets = helper.bucket(BUCKET, TargetState)
    bus = await start(**NEVER)
    waiting = [make_task(f"t{number}", target="qiskit:aer") for number in range(3)]
    await ask(helper, *waiting, make_task("other"))
    await targets.put(target_key("qiskit:aer"), said(clock, "down"))
    failed = await log.wait(TaskFailed, 3)
    assert sorted(each.task_id for each in failed) == ["t0", "t1", "t2"]
    assert {(each.fault.kind, each.fault.code, each.fault.retryable) for each in failed} == {
        ("offline", "target-down", True)
    }
    assert all(0 < each.after_seconds <= 30 for each in failed)
    await ask(helper, make_task("late", target="qiskit:aer"), *waiting)
    assert [each.task_id for each in (await log.wait(TaskFailed, 4))[3:]] == ["late"]
    await targets.put(target_key("qiskit:aer"), said(clock, "up"))
    again = [msgspec.structs.replace(task, attempt=task.attempt + 1) for task in waiting]
    await ask(helper, *again)
    assert log.of(ExecuteBatch) == log.of(SimulateBatch) == []
    assert len(log.of(TaskFailed)) == 4
    await bus.check()
