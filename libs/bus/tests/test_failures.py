"""The failure policy: what each kind of exception does to a message, on a real broker."""

import pytest

from quire_bus.router import Router
from quire_bus.trials import ALONE_SECONDS, KIND, Trouble
from quire_contracts.job import CancelJob, JobRejected, SubmitJob
from quire_contracts.topology import durable_name
from quire_resilience.errors import Permanent, Transient
from quire_testing import eventually

DURABLE = durable_name("control-plane", CancelJob)


@pytest.fixture
async def control(make_bus):
    return await make_bus("control-plane")


@pytest.fixture
def failed(rejected):
    def events(message, meta, fault):
        return [rejected(message.job_id, code=fault.code)]

    return events


async def acknowledged(bus, durable=DURABLE):
    info = await bus.connection.client.jetstream().consumer_info("QUIRE", durable)
    return info.num_ack_pending == 0 and info.num_pending == 0


async def test_transient_comes_again_after_a_delay(control, bus, probe, cancel, rejected):
    events, router, runs = await probe("quire.evt.>"), Router("control-plane"), []
    import time

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        runs.append((delivery.meta.attempt, time.monotonic()))
        if delivery.meta.attempt < 3:
            raise Transient("not yet", retry_after=0.3)
        await delivery.commit(rejected("j1"))

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await events.wait(JobRejected)
    assert [attempt for attempt, _ in runs] == [1, 2, 3]
    assert runs[1][1] - runs[0][1] >= 0.3  # never at once, as a plain negative acknowledgement would
    assert await bus.dead_letters.list() == ()


async def test_permanent_is_answered_by_its_failure_event(control, bus, probe, publish_again, cancel, failed):
    log, router, runs = await probe(">"), Router("control-plane"), []

    @router.consume(CancelJob, failed=failed)
    async def do_cancel(message, delivery):
        runs.append(delivery.meta.attempt)
        raise Permanent("too-wide", "the program has 40 qubits")

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    [event] = await log.wait(JobRejected)
    assert event.code == "too-wide"
    await publish_again(log.recorded[0])
    await eventually(lambda: acknowledged(bus))
    assert runs == [1]
    assert len(log.of(JobRejected)) == 1
    assert await bus.dead_letters.list() == ()


async def test_permanent_that_nobody_answers_is_a_dead_letter(control, bus, cancel):
    router = Router("control-plane")

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        raise Permanent("too-wide", "the program has 40 qubits")

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    [letter] = await eventually(bus.dead_letters.list)
    assert (letter.kind, letter.code, letter.reason) == ("permanent", "too-wide", "the program has 40 qubits")
    assert (letter.service, letter.durable, letter.attempts) == ("control-plane", DURABLE, 1)


async def test_a_bug_is_tried_then_given_up_and_answered(control, bus, probe, cancel, failed):
    events, router, runs = await probe("quire.evt.>"), Router("control-plane"), []

    @router.consume(CancelJob, attempts=3, failed=failed)
    async def do_cancel(message, delivery):
        runs.append(delivery.meta.attempt)
        raise RuntimeError("secret words of /etc/passwd")

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    [event] = await events.wait(JobRejected)
    assert runs == [1, 2, 3]
    assert event.code == "given-up"
    [letter] = await bus.dead_letters.list()
    assert (letter.kind, letter.attempts, letter.type) == ("attempts", 3, "io.quire.job.cancel.v1")
    assert "RuntimeError: secret words" in letter.reason  # for the operator
    assert b"secret" not in events.recorded[0].body  # not for the user
    assert letter.headers["ce-id"]
    assert letter.body == b'{"job_id":"j1","tenant":"acme","reason":""}'
    await eventually(lambda: acknowledged(bus))


async def test_transient_to_the_last_attempt_is_given_up_with_its_own_reason(control, bus, probe, cancel, failed):
    events, router = await probe("quire.evt.>"), Router("control-plane")

    @router.consume(CancelJob, attempts=2, failed=failed)
    async def do_cancel(message, delivery):
        raise Transient("the store is away", code="store-away")

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    [event] = await events.wait(JobRejected)
    assert event.code == "store-away"
    [letter] = await bus.dead_letters.list()
    assert (letter.code, letter.attempts) == ("store-away", 2)


async def test_undecodable_bytes_are_a_dead_letter_at_once_and_hold_nobody_up(control, js, bus, cancel):
    router, seen = Router("control-plane"), []

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        seen.append(message.job_id)

    control.include(router)
    await control.start()
    four = {"ce-specversion": "1.0", "ce-id": "m1", "ce-source": "/me", "ce-type": "io.quire.job.cancel.v1"}
    subject = "quire.cmd.acme.job.cancel.v1.j1"
    await js.publish(subject, b'{"job_id": 7}', headers=four)
    await js.publish(subject, b'{"more": ' + b"[" * 50_000, headers=four | {"ce-id": "m2"})
    await js.publish(subject, b"{}")
    await bus.publisher.publish(cancel("j2"))
    await eventually(lambda: seen == ["j2"])
    letters = await bus.dead_letters.list()
    assert [letter.kind for letter in letters] == ["undecodable"] * 3
    assert "Expected `str`" in letters[0].reason
    assert "deeply" in letters[1].reason
    assert "ce-specversion is missing" in letters[2].reason
    assert [letter.attempts for letter in letters] == [1, 1, 1]
    await eventually(lambda: acknowledged(bus))


async def test_a_submission_with_a_broken_envelope_is_answered_not_met_with_silence(control, js, probe, bus, failed):
    events, router, runs = await probe("quire.evt.>"), Router("control-plane"), []

    @router.consume(SubmitJob, failed=failed)
    async def do_submit(message, delivery):
        runs.append(message)

    control.include(router)
    await control.start()
    await js.publish("quire.cmd.acme.job.submit.v1.j7", b"{}", headers={"ce-id": "1", "ce-source": "/x"})
    [event] = await events.wait(JobRejected)
    assert (event.job_id, event.tenant, event.code) == ("j7", "acme", "undecodable")
    assert runs == []
    assert len(await bus.dead_letters.list()) == 1


async def test_a_handler_that_fails_after_its_commit_is_done(control, bus, probe, cancel, rejected):
    events, router, runs = await probe("quire.evt.>"), Router("control-plane"), []

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        runs.append(message.job_id)
        await delivery.commit(rejected("j1"))
        raise RuntimeError("too late")

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await events.wait(JobRejected)
    await eventually(lambda: acknowledged(bus))
    assert runs == ["j1"]


async def unanswered(js, times):
    """Deliveries to processes that died: here they are only handed back, which the broker counts alike."""
    subscription = await js.pull_subscribe_bind(DURABLE, stream="QUIRE")
    for _ in range(times):
        [message] = await subscription.fetch(1, timeout=5)
        await message.nak()
    await subscription.unsubscribe()


async def test_a_message_whose_processes_were_ended_is_no_failure_and_runs(control, js, bus, probe, cancel, rejected):
    events, router = await probe("quire.evt.>"), Router("control-plane")

    @router.consume(CancelJob, attempts=2, failed=lambda message, meta, fault: [rejected("j1", code=fault.code)])
    async def do_cancel(message, delivery):
        await delivery.commit(rejected("j1", code="done"))

    published = await bus.publisher.publish(cancel("j1"))
    await unanswered(js, 8)
    control.include(router)
    await control.start()
    [event] = await events.wait(JobRejected)
    assert event.code == "done"
    assert await bus.dead_letters.list() == ()

    async def acquitted():
        known = await bus.records(KIND, Trouble).get("shared", f"{DURABLE}-{published.sequence}")
        return known is not None and known.value == Trouble()

    await eventually(acquitted)


async def test_a_suspect_that_fails_is_given_up_after_as_many_failures_as_any_other(control, js, bus, probe, cancel):
    router, runs = Router("control-plane"), []

    @router.consume(CancelJob, attempts=4)
    async def do_cancel(message, delivery):
        runs.append(delivery.meta.attempt)
        raise RuntimeError("bug")

    await bus.publisher.publish(cancel("j1"))
    await unanswered(js, 3)
    control.include(router)
    await control.start()

    async def buried():
        return await bus.dead_letters.list()

    await eventually(buried)
    assert runs == [4, 5]


async def test_a_message_that_ends_every_process_is_given_up(control, js, bus, probe, cancel, failed):
    events, router, runs = await probe("quire.evt.>"), Router("control-plane"), []

    @router.consume(CancelJob, failed=failed)
    async def do_cancel(message, delivery):
        runs.append(message)

    published = await bus.publisher.publish(cancel("j1"))
    await unanswered(js, 6)
    troubles = bus.records(KIND, Trouble)
    ended = Trouble(trials=len(ALONE_SECONDS))  # each written before its trial, which nobody saw the end of
    await troubles.put(troubles.write("shared", f"{DURABLE}-{published.sequence}", ended, 0))
    control.include(router)
    await control.start()
    [event] = await events.wait(JobRejected)
    assert event.code == "given-up"
    [letter] = await bus.dead_letters.list()
    assert "ended every process" in letter.reason
    assert runs == []


async def test_a_wrong_time_to_commit_leaves_the_message_with_the_broker(
    control, bus, probe, cancel, rejected, monkeypatch
):
    """The failure path itself fails: the message is not lost, it comes again."""
    events, router = await probe("quire.evt.>"), Router("control-plane")
    bury = control.dead_letters.bury
    calls = []

    async def failing(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise Transient("the dead-letter stream is away")
        await bury(*arguments)

    monkeypatch.setattr(control.dead_letters, "bury", failing)

    @router.consume(CancelJob, attempts=1, failed=lambda message, meta, fault: [rejected("j1", code=fault.code)])
    async def do_cancel(message, delivery):
        raise RuntimeError("bug")

    control.include(router)
    await control.start()
    await bus.publisher.publish(cancel("j1"))
    await events.wait(JobRejected)
    assert len(calls) == 2
    assert len(await bus.dead_letters.list()) == 1
