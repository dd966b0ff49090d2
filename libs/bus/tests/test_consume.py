"""What a handler may count on, on a real broker; where a message can come twice, it does."""

import asyncio

import pytest

from quire_bus.envelope import Outgoing, message_id
from quire_bus.records import RecordWrite
from quire_bus.router import Router
from quire_contracts.job import CancelJob, JobRejected, SubmitJob
from quire_contracts.topology import durable_name
from quire_testing import eventually


@pytest.fixture
async def control(make_bus):
    return await make_bus("control-plane")


async def test_a_message_is_handled_and_its_answer_committed(control, bus, probe, cancel, rejected):
    events = await probe("quire.evt.>")
    router, seen = Router("control-plane"), []

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        seen.append(delivery.meta)
        await delivery.commit(rejected(message.job_id))

    control.include(router)
    await control.start()
    sent = await bus.publisher.publish(cancel("j1"), correlation_id="run-1")
    assert await events.wait(JobRejected) == [rejected("j1")]
    [meta] = seen
    assert (meta.id, meta.source, meta.tenant, meta.key) == (sent.id, "/quire/test", "acme", "j1")
    assert (meta.attempt, meta.stream_sequence, meta.correlation_id) == (1, sent.sequence, "run-1")
    answer = events.recorded[0]
    assert answer.subject == "quire.evt.acme.job.rejected.v1.j1"
    assert answer.meta.id == message_id("io.quire.job.rejected.v1", "j1", cause_id=sent.id)
    assert (answer.meta.causation_id, answer.meta.correlation_id) == (sent.id, "run-1")
    assert answer.meta.source == "/quire/control-plane"


async def test_a_process_holds_no_more_than_it_has_workers(control, bus, cancel):
    router, running, most, gate = Router("control-plane"), set(), [], asyncio.Event()

    @router.consume(CancelJob, workers=3)
    async def do_cancel(message, delivery):
        running.add(message.job_id)
        most.append(len(running))
        await gate.wait()
        running.discard(message.job_id)

    for number in range(10):
        await bus.publisher.publish(cancel(f"j{number}"))
    control.include(router)
    await control.start()
    await eventually(lambda: len(running) == 3)
    js = bus.connection.client.jetstream()
    info = await js.consumer_info("QUIRE", durable_name("control-plane", CancelJob))
    assert (info.num_ack_pending, info.num_pending) == (3, 7)  # nothing waits here with its clock running
    gate.set()
    await eventually(lambda: len(most) == 10 and not running)
    assert max(most) == 3


async def test_one_slow_message_holds_up_nobody_else(control, bus, cancel):
    """The trap: a fetched batch is done only when its slowest message is, and nothing is fetched before."""
    router, done, gate = Router("control-plane"), [], asyncio.Event()

    @router.consume(CancelJob, workers=2)
    async def do_cancel(message, delivery):
        if message.job_id == "slow":
            await gate.wait()
        done.append(message.job_id)

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("slow"))
    for number in range(10):
        await bus.publisher.publish(cancel(f"j{number}"))
    await eventually(lambda: len(done) == 10)
    assert "slow" not in done
    gate.set()
    await eventually(lambda: "slow" in done)


async def test_a_service_changes_nothing_on_the_broker(control, js, cancel):
    """The trap: a framework that declares streams brings an existing one to each service's own view of it."""
    config = (await js.stream_info("QUIRE")).config
    config.max_age = 1234.0
    await js.update_stream(config)
    before = [info.config.as_dict() for info in await js.streams_info()]
    consumers = sorted((info.name, str(info.config)) for info in await js.consumers_info("QUIRE"))
    router = Router("control-plane")

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        pass

    control.include(router)
    await control.start()
    await control.stop()
    assert [info.config.as_dict() for info in await js.streams_info()] == before
    assert sorted((info.name, str(info.config)) for info in await js.consumers_info("QUIRE")) == consumers


async def test_a_slow_handler_keeps_its_message(control, bus, js, quick, patience_ends, cancel):
    router, starts, gate = Router("control-plane"), [], asyncio.Event()

    @router.consume(CancelJob, workers=2)  # one of them is free for the message's coming again
    async def do_cancel(message, delivery):
        starts.append(delivery.meta.attempt)
        await gate.wait()
        starts.append("done")

    await quick(router, ack_wait=0.5)
    consumer = router.consumptions[0].consumer
    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await eventually(lambda: starts == [1])
    await patience_ends(consumer)
    gate.set()
    await eventually(lambda: "done" in starts)
    assert starts == [1, "done"]
    assert (await js.consumer_info(consumer.stream, consumer.durable)).delivered.consumer_seq == 1


async def test_a_conflict_runs_the_handler_again_on_a_fresh_reading(control, bus, probe, cancel, rejected):
    records, revisions = control.records("counter", CancelJob), []
    router = Router("control-plane")

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        found = await records.get("acme", "c1")
        revisions.append(found.revision if found else 0)
        if len(revisions) == 1:  # somebody else writes between our reading and our commit
            await records.put(RecordWrite("counter", "acme", "c1", cancel(reason="theirs"), 0))
        write = records.write("acme", "c1", cancel(reason="ours"), revisions[-1])
        committed = await delivery.commit(rejected("j1"), records=[write])
        revisions.append(committed.revisions)

    control.include(router)
    await control.start()
    events = await probe("quire.evt.>")
    sent = await bus.publisher.publish(cancel("j1"))
    await events.wait(JobRejected)
    stored = await records.get("acme", "c1")
    assert stored.value.reason == "ours"
    assert revisions == [0, sent.sequence + 1, (stored.revision,)]
    assert len(events.recorded) == 1


async def test_a_window_of_messages_is_answered_by_one_commit(control, bus, probe, publish_again, cancel, rejected):
    log, window, runs = await probe(">"), [], []
    router, flushed = Router("control-plane"), asyncio.Event()

    @router.consume(CancelJob, workers=8)
    async def do_cancel(message, delivery):
        runs.append(message.job_id)
        window.append(delivery)
        if len(window) == 3:
            await delivery.commit(rejected("together"), together=window[:2])
            flushed.set()
        await flushed.wait()

    control.include(router)
    await control.start()
    for number in range(3):
        await bus.publisher.publish(cancel(f"j{number}"))
    await log.wait(JobRejected)
    marks = [subject for subject in log.subjects if ".inbox." in subject]
    assert len(marks) == 3
    for recorded in log.recorded[:3]:
        await publish_again(recorded)
    await bus.publisher.publish(cancel("j9"))
    await eventually(lambda: "j9" in runs)
    assert sorted(runs) == ["j0", "j1", "j2", "j9"]


async def test_a_second_commit_is_refused(control, bus, cancel, rejected):
    router, errors = Router("control-plane"), []

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        await delivery.commit(rejected("j1"))
        try:
            await delivery.commit(rejected("j2"))
        except ValueError as error:
            errors.append(str(error))

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await eventually(lambda: errors)
    assert "committed once" in errors[0]


async def test_an_answer_can_go_under_another_key(control, bus, probe, cancel, rejected):
    events, router = await probe("quire.evt.>"), Router("control-plane")

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        await delivery.commit(rejected("j1"), Outgoing(rejected("j1"), key="theirs"))

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await events.wait(JobRejected, 2)
    assert [subject.rsplit(".", 1)[1] for subject in events.subjects] == ["j1", "theirs"]
    assert [one.meta.correlation_id for one in events.recorded] == ["j1", "j1"]


async def test_twelve_lines_of_another_client_are_understood(control, js):
    """Four headers and a body, spelled as some other client spells them; the handler gets the bytes as they are."""
    router, seen = Router("control-plane"), []

    @router.consume(SubmitJob)
    async def do_submit(message, delivery):
        seen.append((message, delivery.meta))

    control.include(router)
    await control.start()
    headers = {
        "Ce-Specversion": "1.0",
        "Ce-Id": "order 7",
        "Ce-Source": "/shop",
        "Ce-Type": "io.quire.job.submit.v1",
    }
    for _ in range(2):
        await js.publish("quire.cmd.acme.job.submit.v1.order-7", b'{"kind":"sample"}', headers=headers)
    await js.publish("quire.cmd.acme.job.submit.v1.order-8", b"{}", headers=headers)
    await eventually(lambda: len(seen) == 2)
    (message, meta), (other, _) = seen
    assert message == SubmitJob(job_id="order-7", tenant="acme", body=b'{"kind":"sample"}')
    assert (meta.id, meta.correlation_id, meta.causation_id) == ("order 7", "order-7", None)
    assert other.job_id == "order-8"  # a careless constant id is not taken for a repetition of another job
