"""A batch is stopped at its provider when nobody wants any of its tasks, and not before."""

from __future__ import annotations

from quire_contracts.batch import BatchFailed, CancelBatch, ExecuteBatch
from quire_contracts.record import JobRecord, Pending, evolve
from quire_quantum_gateway.journal import KIND, Submission
from quire_resilience.clock import SystemClock
from quire_testing import eventually
from quire_testing.executor_suite import FLIP
from quire_testing.jobs import NOW, make_record, make_task


def pending(member, batch):
    task = make_task(
        task_id=member.task_id,
        job_id=member.job_id,
        tenant=member.tenant,
        structure=batch.structure,
        parameters=member.parameters,
        shots=batch.shots,
        target=batch.target,
    )
    return Pending(task=task, since=NOW, tried=(batch.target,))


async def wanted(bus, batch):
    """Records of jobs that wait for the tasks of a batch."""
    records = bus.records("job", JobRecord)
    for member in batch.members:
        named = {"job_id": member.job_id, "tenant": member.tenant}
        record = make_record(**named, state="submitted", pending=(pending(member, batch),))
        await records.put(records.write(member.tenant, member.job_id, record, None))


async def unwanted(bus, batch, place):
    """The job of one member ends, and its batch is told."""
    member, records = batch.members[place], bus.records("job", JobRecord)
    stored = await records.get(member.tenant, member.job_id)
    over = evolve(stored.value, state="cancelled", pending=())
    await records.put(records.write(member.tenant, member.job_id, over, stored.revision))
    word = CancelBatch(batch_id=batch.batch_id, task_id=member.task_id, job_id=member.job_id, tenant=member.tenant)
    await bus.publisher.publish(word)


async def journal(bus):
    stored = await bus.records(KIND, Submission).get("shared", "b1")
    return stored.value if stored else None


def batch_of(make):
    return make.batch(FLIP, [make.slice("a", [[]]), make.slice("b", [[]])], target="cloud:x", batch_id="b1")


async def test_a_batch_is_cancelled_with_its_last_task_and_not_before(gateway, remote, bus, probe, make):
    log = await probe("quire.evt.>")
    provider = remote.FakeRemote("token", SystemClock(), polls=1_000_000)
    here, batch = await gateway(provider), batch_of(make)
    await wanted(bus, batch)
    await bus.publisher.publish(ExecuteBatch(batch))
    await eventually(lambda: provider.ledger)
    await unwanted(bus, batch, 0)

    async def handled():
        info = await here.connection.client.jetstream().consumer_info("QUIRE", "quantum-gateway-batch-cancel-v1")
        return info.num_pending == 0 and info.num_ack_pending == 0 and info.delivered.consumer_seq > 0

    await eventually(handled)
    assert (await journal(bus)).cancel_asked is False
    await unwanted(bus, batch, 1)
    (failed,) = await log.wait(BatchFailed)
    assert (failed.fault.code, len(failed.members)) == ("cancelled", 2)
    assert [job.status for job in provider.ledger] == ["cancelled"]
    assert (await journal(bus)).state == "failed"


async def test_a_batch_that_was_not_begun_is_not_begun(gateway, remote, bus, probe, make):
    log, batch = await probe("quire.evt.>"), batch_of(make)
    provider = remote.FakeRemote("token", SystemClock(), polls=1)
    await wanted(bus, batch)
    here = await make_late(gateway, provider, bus, batch)
    (failed,) = await log.wait(BatchFailed)
    assert failed.fault.code == "cancelled"
    assert (provider.ledger, provider.calls["submit"]) == ([], 0)
    assert here.is_healthy


async def make_late(gateway, provider, bus, batch):
    """A gateway that gets the cancellation of both tasks before it gets the batch."""
    from quire_quantum_gateway.cancelling import Cancelling
    from quire_quantum_gateway.submissions import Submissions

    await bus.publisher.publish(ExecuteBatch(batch))
    records = bus.records(KIND, Submission)
    deed = Cancelling(
        catalog={"cloud": provider},
        journal=Submissions(records, bus.blobs, SystemClock()),
        log=bus,
        jobs=bus.records("job", JobRecord),
    )
    for place in (0, 1):
        await unwanted(bus, batch, place)
    member = batch.members[0]
    word = CancelBatch(batch_id="b1", task_id=member.task_id, job_id=member.job_id, tenant=member.tenant)
    assert await deed.cancel(word) is True
    assert await deed.cancel(word) is True  # asked again, nothing changes
    assert (await journal(bus)).cancel_asked is True
    return await gateway(provider)


async def test_what_costs_nothing_is_left_to_run_and_what_is_unknown_is_left_alone(remote, bus, make):
    from quire_quantum_gateway.cancelling import Cancelling
    from quire_quantum_gateway.submissions import Submissions

    batch = batch_of(make)
    deed = Cancelling(
        catalog={"cloud": remote.FakeRemote("forgetful", SystemClock())},
        journal=Submissions(bus.records(KIND, Submission), bus.blobs, SystemClock()),
        log=bus,
        jobs=bus.records("job", JobRecord),
    )
    word = CancelBatch(batch_id="b1", task_id="a", job_id="j", tenant="acme")
    assert await deed.cancel(word) is False
    await bus.publisher.publish(ExecuteBatch(batch))
    assert await deed.cancel(word) is False
    assert await journal(bus) is None
