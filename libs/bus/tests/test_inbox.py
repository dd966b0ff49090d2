"""How a consumer knows what it has done already: its inbox, on a real broker; messages come twice here."""

import asyncio

import pytest

from quire_bus.delivery import REPEAT_SECONDS
from quire_bus.router import Router
from quire_bus.subjects import inbox_subject
from quire_contracts.job import CancelJob, JobRejected
from quire_contracts.topology import durable_name
from quire_testing import eventually


@pytest.fixture
async def control(make_bus):
    return await make_bus("control-plane")


async def test_the_same_message_twice_is_one_effect(control, bus, probe, publish_again, cancel, rejected):
    log, runs = await probe(">"), []
    router = Router("control-plane")

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        runs.append(message.job_id)
        await delivery.commit(rejected(message.job_id))

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await log.wait(JobRejected)
    await publish_again(log.recorded[0])
    await publish_again(log.recorded[0])
    await bus.publisher.publish(cancel("j2"))
    await log.wait(JobRejected, 2)
    assert runs == ["j1", "j2"]
    assert len(log.of(CancelJob)) == 4


async def test_a_lost_acknowledgement_is_absorbed_by_the_inbox(control, bus, probe, quick, cancel, rejected):
    events, attempts = await probe("quire.evt.>"), []
    router = Router("control-plane")

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        attempts.append(delivery.meta.attempt)
        await delivery.commit(rejected(message.job_id))
        if message.job_id == "j1":
            raise asyncio.CancelledError  # as a process that stops after its commit and before its acknowledgement

    await quick(router, ack_wait=0.5)
    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await events.wait(JobRejected)
    js = control.connection.client.jetstream()
    durable = router.consumptions[0].consumer.durable

    async def settled():
        info = await js.consumer_info("QUIRE", durable)
        return info.num_ack_pending == 0 and info.ack_floor.stream_seq >= 1

    await eventually(settled)
    assert attempts == [1]
    assert len(events.recorded) == 1


async def test_two_replicas_and_a_repeated_message_are_one_effect(
    make_bus, bus, probe, publish_again, cancel, rejected
):
    log = await probe(">")
    together, runs = asyncio.Barrier(2), []
    for _ in range(2):
        router = Router("control-plane")

        @router.consume(CancelJob)
        async def do_cancel(message, delivery):
            runs.append(delivery.meta.stream_sequence)
            await together.wait()  # both have passed the inbox check before either commits
            await delivery.commit(rejected(message.job_id))

        replica = await make_bus("control-plane")
        replica.include(router)
        await replica.start()
    await bus.publisher.publish(cancel("j1"))
    await eventually(lambda: runs and log.of(CancelJob))
    await publish_again(log.recorded[0])
    await log.wait(JobRejected)
    await eventually(lambda: len(runs) == 2)
    js = bus.connection.client.jetstream()

    async def settled():
        return (await js.consumer_info("QUIRE", durable_name("control-plane", CancelJob))).num_ack_pending == 0

    await eventually(settled)
    assert len(log.of(JobRejected)) == 1


async def test_a_handler_that_commits_nothing_is_still_run_once(control, bus, probe, publish_again, cancel):
    log, runs = await probe(">"), []
    router = Router("control-plane")

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        runs.append(message.job_id)

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await eventually(lambda: len(log.recorded) == 2)
    assert log.recorded[1].subject == inbox_subject(durable_name("control-plane", CancelJob), log.recorded[0].meta)
    assert int(log.recorded[1].headers["Nats-TTL"]) == 7 * 24 * 3600
    await publish_again(log.recorded[0])
    await bus.publisher.publish(cancel("j2"))
    await eventually(lambda: "j2" in runs)
    assert runs == ["j1", "j2"]


async def test_without_an_inbox_each_delivery_runs(control, bus, probe, publish_again, cancel, rejected):
    log, runs = await probe(">"), []
    router = Router("control-plane")

    @router.consume(CancelJob, inbox="none")
    async def do_cancel(message, delivery):
        runs.append(delivery.meta.id)
        await delivery.commit(rejected(message.job_id))

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await log.wait(JobRejected)
    await publish_again(log.recorded[0])
    await eventually(lambda: len(runs) == 2)
    await bus.publisher.publish(cancel("j2"))
    await log.wait(JobRejected, 2)
    assert runs[0] == runs[1]
    assert len(log.of(JobRejected)) == 2  # the repetition had the same id, and the broker knew it
    assert not marks_of(log)


def marks_of(log):
    return [subject for subject in log.subjects if ".inbox." in subject]


@pytest.mark.parametrize(("seconds", "marked"), [(0.0, False), (2 * REPEAT_SECONDS, True)])
async def test_a_light_inbox_runs_nothing_again_and_marks_what_took_long(
    control, bus, probe, publish_again, cancel, rejected, seconds, marked
):
    log, runs = await probe(">"), []
    router = Router("control-plane")

    @router.consume(CancelJob, inbox="light")
    async def do_cancel(message, delivery):
        runs.append(message.job_id)
        await asyncio.sleep(seconds)
        await delivery.commit(rejected(message.job_id))

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await log.wait(JobRejected)
    assert bool(marks_of(log)) is marked
    await publish_again(log.recorded[0])
    await bus.publisher.publish(cancel("j2"))
    await log.wait(JobRejected, 2)
    assert runs == ["j1", "j2"]


async def test_what_a_light_inbox_left_unmarked_another_process_runs_again_and_answers_by_the_same_id(
    make_bus, bus, probe, publish_again, cancel, rejected
):
    log, runs = await probe(">"), []
    for replica in range(2):
        router = Router("control-plane")

        @router.consume(CancelJob, inbox="light")
        async def do_cancel(message, delivery, replica=replica):
            runs.append((replica, message.job_id))
            await delivery.commit(rejected(message.job_id))

        control = await make_bus("control-plane")
        control.include(router)
        await control.start()
        if replica == 0:
            await bus.publisher.publish(cancel("j1"))
            await log.wait(JobRejected)
        else:
            await publish_again(log.recorded[0])
            await eventually(lambda: len(runs) == 2)
            await bus.publisher.publish(cancel("j2"))
            await log.wait(JobRejected, 2)
        await control.stop()
    assert runs == [(0, "j1"), (1, "j1"), (1, "j2")]
    assert [event.job_id for event in log.of(JobRejected)] == ["j1", "j2"]
    assert not marks_of(log)


async def test_a_light_inbox_marks_what_is_more_than_a_message(control, bus, probe, cancel, rejected):
    log, router = await probe(">"), Router("control-plane")

    @router.consume(CancelJob, inbox="light")
    async def do_cancel(message, delivery):
        await delivery.commit(*(rejected(f"j{place}") for place in range(int(message.job_id))))

    control.include(router)
    await control.start()
    for count, altogether in (("1", 1), ("2", 3)):
        await bus.publisher.publish(cancel(count))
        await log.wait(JobRejected, altogether)
    several = next(one for one in log.recorded if one.subject.endswith(".cancel.v1.2"))
    assert marks_of(log) == [inbox_subject(durable_name("control-plane", CancelJob), several.meta)]


async def test_a_light_inbox_absorbs_what_comes_twice_at_the_same_time(
    control, bus, probe, publish_again, cancel, rejected
):
    log, runs, together = await probe(">"), [], asyncio.Barrier(2)
    router = Router("control-plane")

    @router.consume(CancelJob, inbox="light", workers=2)
    async def do_cancel(message, delivery):
        runs.append(message.job_id)
        if message.job_id == "j1":
            await together.wait()  # both have passed the inbox check before either commits
        await delivery.commit(rejected(message.job_id))

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await eventually(lambda: runs and log.of(CancelJob))
    await publish_again(log.recorded[0])
    await log.wait(JobRejected)
    await bus.publisher.publish(cancel("j2"))
    await log.wait(JobRejected, 2)
    assert runs == ["j1", "j1", "j2"]
    assert [event.job_id for event in log.of(JobRejected)] == ["j1", "j2"]
    assert not marks_of(log)


@pytest.mark.parametrize("same_process", [True, False])
async def test_a_light_inbox_answers_once_though_an_acknowledgement_is_lost(
    make_bus, js, bus, probe, quick, cancel, rejected, same_process
):
    log, attempts = await probe(">"), []
    router = Router("control-plane")

    @router.consume(CancelJob, inbox="light")
    async def do_cancel(message, delivery):
        attempts.append(delivery.meta.attempt)
        await delivery.commit(rejected(message.job_id))
        if attempts == [1]:  # it stops after its commit and before its acknowledgement
            if same_process:
                raise asyncio.CancelledError
            await asyncio.Event().wait()

    await quick(router, ack_wait=0.6)
    control = await make_bus("control-plane")
    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await log.wait(JobRejected)
    if not same_process:
        await control.stop(0.1)
        another = await make_bus("control-plane")
        another.include(router)
        await another.start()

    async def settled():
        info = await js.consumer_info("QUIRE", router.consumptions[0].consumer.durable)
        return info.num_ack_pending == 0 and info.ack_floor.stream_seq >= 1

    await eventually(settled)
    assert attempts == ([1] if same_process else [1, 2])
    assert len(log.of(JobRejected)) == 1
    assert not marks_of(log)
