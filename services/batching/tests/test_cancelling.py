"""Tasks that nobody wants any more, on a real broker: wherever they are, each is dropped or its batches are told."""

from __future__ import annotations

import asyncio

from quire_batching.assignment import KIND, Assignment
from quire_bus.envelope import Outgoing
from quire_contracts.batch import CancelBatch, ExecuteBatch, SimulateBatch
from quire_contracts.task import CancelTask, RunTask
from quire_contracts.topology import consumer_of
from quire_resilience.clock import SystemClock
from quire_testing import eventually

NEVER = {"fixed_window_seconds": 60.0} | {
    f"{name}_hold_seconds": 60.0 for name in ("research", "validation", "production", "customer_facing")
}


async def run(bus, *tasks):
    for task in tasks:
        await bus.publisher.publish(RunTask(task=task))


async def cancel(bus, *tasks, times=2):
    for number in range(times):
        for task in tasks:
            word = CancelTask(
                job_id=task.job_id, tenant=task.tenant, task_id=task.task_id, attempt=task.attempt, target=task.target
            )
            await bus.publisher.publish(Outgoing(word, attempt=number))


async def done(bus, message):
    """Whether batching has handled every such message that was sent."""
    consumer = consumer_of("batching", message)
    info = await bus.connection.client.jetstream().consumer_info(consumer.stream, consumer.durable)
    return info.num_pending == 0 and info.num_ack_pending == 0 and info.delivered.consumer_seq > 0


async def assigned(bus, task):
    stored = await bus.records(KIND, Assignment).get(task.tenant, f"{task.task_id}-{task.attempt}")
    return stored.value.batch_ids if stored else None


async def test_a_task_that_waits_is_dropped_at_once_and_the_others_stay(replica, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    await replica(**NEVER, max_members=3)
    tasks = [make_task(f"t{number}", target="qiskit:aer") for number in range(3)]
    await run(bus, *tasks[:2])
    await eventually(lambda: waits(bus, 2))
    await cancel(bus, tasks[0])
    await eventually(lambda: waits(bus, 1))
    assert await assigned(bus, tasks[0]) == ()
    await run(bus, tasks[2])
    await eventually(lambda: done(bus, RunTask))
    (batch,) = [command.batch for command in seen.of(ExecuteBatch)]
    assert sorted(member.task_id for member in batch.members) == ["t1", "t2"]
    assert seen.of(CancelBatch) == []


async def waits(bus, tasks):
    consumer = consumer_of("batching", RunTask)
    info = await bus.connection.client.jetstream().consumer_info(consumer.stream, consumer.durable)
    return info.num_ack_pending == tasks


async def test_a_task_is_dropped_though_its_cancellation_came_first(replica, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    await replica(fixed_window_seconds=0.05)
    early, other = make_task("early"), make_task("other")
    await cancel(bus, early)
    await eventually(lambda: done(bus, CancelTask))
    await run(bus, early, other)
    await eventually(lambda: done(bus, RunTask))
    members = [member.task_id for command in seen.of(SimulateBatch) for member in command.batch.members]
    assert members == ["other"]


async def test_a_task_that_another_replica_holds_is_left_out_of_its_batch(replica, bus, probe, make_task):
    """The cancellation is written, as the replica would that gets it; who holds the task finds it when it commits."""
    seen = await probe("quire.cmd.*.batch.>")
    tasks = [make_task(f"t{number}") for number in range(2)]
    await replica(fixed_window_seconds=0.5)
    await run(bus, *tasks)
    await eventually(lambda: waits(bus, 2))
    records = bus.records(KIND, Assignment)
    nowhere = Assignment("t0", 1, (), SystemClock().now())
    await records.put(records.write("acme", "t0-1", nowhere, 0, 60))
    await eventually(lambda: done(bus, RunTask))
    members = [member.task_id for command in seen.of(SimulateBatch) for member in command.batch.members]
    assert members == ["t1"]


async def test_the_batches_of_a_task_that_has_left_are_told_but_the_simulators_are_not(replica, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    await replica(fixed_window_seconds=0.05)
    tasks = [make_task("paid", target="qiskit:aer"), make_task("free")]
    await run(bus, *tasks)
    await eventually(lambda: done(bus, RunTask))
    await cancel(bus, *tasks)
    await eventually(lambda: done(bus, CancelTask))
    (execute,) = seen.of(ExecuteBatch)
    told = await seen.wait(CancelBatch, 2)
    assert {(each.batch_id, each.task_id, each.tenant) for each in told} == {(execute.batch.batch_id, "paid", "acme")}
    assert len(seen.of(SimulateBatch)) == 1


async def test_cancelling_while_batches_form_loses_nobody(replica, bus, probe, make_task):
    seen = await probe("quire.cmd.*.batch.>")
    await replica(fixed_window_seconds=0.01, max_members=4)
    tasks = [make_task(f"t{number}", target="qiskit:aer") for number in range(40)]
    await asyncio.gather(run(bus, *tasks), cancel(bus, *tasks[::2], times=1))
    await eventually(lambda: done(bus, RunTask))
    await eventually(lambda: done(bus, CancelTask))
    ran = {member.task_id for command in seen.of(ExecuteBatch) for member in command.batch.members}
    told = {each.task_id for each in seen.of(CancelBatch)}
    wanted = {task.task_id for task in tasks[1::2]}
    assert wanted <= ran
    assert told == ran - wanted  # a task ran and its batch was told, or it never ran
