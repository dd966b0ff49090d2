import dataclasses

import nats.errors
import pytest

from quire_bus.broker_config import consumer_config
from quire_bus.router import Router
from quire_contracts.job import CancelJob, JobRejected
from quire_contracts.topology import consumer_of
from quire_resilience.errors import Permanent
from quire_testing import eventually


@pytest.fixture
async def broken(make_bus, rejected):
    """A control plane that refuses until `mended`."""
    control, router, mended = await make_bus("control-plane"), Router("control-plane"), []

    @router.consume(CancelJob)
    async def do_cancel(message, delivery):
        if not mended:
            raise Permanent("broken", "it is broken: 100 % sure \N{SNOWMAN}")
        await delivery.commit(rejected(message.job_id))

    control.include(router)
    await control.start()
    return mended


async def letters_of(bus, count):
    async def enough():
        found = await bus.dead_letters.list()
        return found if len(found) >= count else None

    return await eventually(enough)


async def test_a_letter_keeps_the_message_and_says_why(bus, broken, cancel):
    sent = await bus.publisher.publish(cancel("j1"), correlation_id="run-1")
    [letter] = await letters_of(bus, 1)
    assert (letter.service, letter.type, letter.kind) == ("control-plane", "io.quire.job.cancel.v1", "permanent")
    assert letter.reason == "it is broken: 100 % sure \N{SNOWMAN}"
    assert (letter.subject, letter.stream_sequence) == ("quire.cmd.acme.job.cancel.v1.j1", sent.sequence)
    assert (letter.headers["ce-id"], letter.headers["ce-correlationid"]) == (sent.id, "run-1")
    assert letter.body == b'{"job_id":"j1","tenant":"acme","reason":""}'
    assert not [name for name in letter.headers if name.startswith(("Nats-", "quire-error-"))]
    assert await bus.dead_letters.read(letter.sequence) == letter
    assert await bus.dead_letters.read(letter.sequence + 1) is None


async def test_letters_are_listed_by_service_and_page(bus, broken, cancel):
    assert await bus.dead_letters.newest() == await bus.dead_letters.list() == ()
    for number in range(5):
        await bus.publisher.publish(cancel(f"j{number}"))
    letters = await letters_of(bus, 5)
    assert await bus.dead_letters.list(limit=2) == letters[:2]
    assert await bus.dead_letters.list(after=letters[1].sequence) == letters[2:]
    assert await bus.dead_letters.list(service="control-plane") == letters
    assert await bus.dead_letters.list(service="batching") == ()
    assert await bus.dead_letters.newest() == letters[::-1]
    await bus.dead_letters.drop(letters[4].sequence)
    await bus.dead_letters.drop(letters[2].sequence)
    assert await bus.dead_letters.newest(limit=2) == (letters[3], letters[1])
    assert await bus.dead_letters.newest(limit=9, service="control-plane") == (letters[3], letters[1], letters[0])
    assert await bus.dead_letters.newest(limit=9, service="batching") == ()


async def test_a_replay_is_handled_once_and_the_letter_is_gone(bus, broken, probe, cancel):
    events = await probe("quire.evt.>")
    sent = await bus.publisher.publish(cancel("j1"), correlation_id="run-1")
    [letter] = await letters_of(bus, 1)
    broken.append("mended")
    sequence = await bus.dead_letters.replay(letter.sequence)
    assert sequence > sent.sequence
    await events.wait(JobRejected)
    assert await bus.dead_letters.list() == ()
    assert events.recorded[0].meta.correlation_id == "run-1"
    with pytest.raises(LookupError):
        await bus.dead_letters.replay(letter.sequence)
    replayed = await bus.last(CancelJob, "acme", "j1")
    assert replayed.meta.causation_id == sent.id
    assert replayed.meta.id != sent.id  # under the old id the inbox would take it for done


async def test_a_letter_can_be_dropped(bus, broken, cancel):
    await bus.publisher.publish(cancel("j1"))
    [letter] = await letters_of(bus, 1)
    assert await bus.dead_letters.drop(letter.sequence) is True
    assert await bus.dead_letters.drop(letter.sequence) is False
    assert await bus.dead_letters.list() == ()


async def test_the_broker_s_own_limit_is_caught_in_the_net(bus, js, cancel):
    """Deliveries that never reach our code (a client that takes and never answers) end in an advisory; it is kept."""
    consumer = dataclasses.replace(consumer_of("control-plane", CancelJob), max_deliver=2)
    await js.delete_consumer("QUIRE", consumer.durable)
    await js.add_consumer("QUIRE", consumer_config(consumer))
    sent = await bus.publisher.publish(cancel("j1"))
    subscription = await js.pull_subscribe_bind(consumer.durable, stream="QUIRE")
    for _ in range(2):
        [message] = await subscription.fetch(1, timeout=5)
        await message.nak()
    with pytest.raises(nats.errors.TimeoutError):
        await subscription.fetch(1, timeout=0.5)  # the broker notices its limit when it would deliver once more
    [letter] = await letters_of(bus, 1)
    assert (letter.kind, letter.code, letter.attempts) == ("advisory", "delivery-limit", 2)
    assert (letter.service, letter.durable) == ("control-plane", consumer.durable)
    assert (letter.stream_sequence, letter.subject) == (sent.sequence, "quire.cmd.acme.job.cancel.v1.j1")
    assert letter.body == b'{"job_id":"j1","tenant":"acme","reason":""}'
    assert await bus.dead_letters.replay(letter.sequence) > sent.sequence
    assert await bus.dead_letters.list() == ()


async def test_the_broker_says_what_was_terminated_and_that_is_a_letter_too(bus, js, cancel):
    consumer = consumer_of("control-plane", CancelJob)
    await bus.publisher.publish(cancel("j1"))
    subscription = await js.pull_subscribe_bind(consumer.durable, stream="QUIRE")
    [message] = await subscription.fetch(1, timeout=5)
    await message.term()
    [letter] = await letters_of(bus, 1)
    assert (letter.kind, letter.code, letter.attempts) == ("advisory", "terminated", 1)
    assert (letter.service, letter.tenant, letter.key, letter.source) == ("control-plane", "acme", "j1", "/quire/test")
