"""The log's writes: all or nothing, conflicts found, lost answers resolved, limits held before the wire."""

import asyncio
from datetime import timedelta

import pytest

from quire_bus.bus import Bus
from quire_bus.compose import Sender
from quire_bus.delivery import Delivery
from quire_bus.envelope import Meta, Outgoing
from quire_bus.errors import AlreadyDone, Conflict, NotStored, TooLarge, Unknown
from quire_bus.store import Part, Store
from quire_bus.wire import NoAnswer
from quire_contracts.job import CancelJob, ExpireJob, JobRejected, SubmitJob
from quire_contracts.limits import MESSAGE_BYTES
from quire_contracts.topology import consumer_of
from quire_resilience.clock import SystemClock
from quire_testing import eventually


@pytest.fixture
async def store(bus):
    return Store(bus.connection)


def part(name, body=b"{}", **options):
    return Part(f"quire.rec.acme.test.{name}", body, **options)


async def test_all_or_nothing(store):
    assert (await store.write([part("a", expected=0)])).sequence == 1
    with pytest.raises(Conflict) as caught:
        await store.write([part("new", expected=0), part("a", b"2", expected=0), part("b")])
    assert caught.value.subjects == ("quire.rec.acme.test.a",)
    assert await store.last("quire.rec.acme.test.new") is None
    assert await store.last("quire.rec.acme.test.b") is None
    acked = await store.write([part("a", b"2", expected=1), part("b"), part("c", expected=0)])
    assert acked.sequence == 4
    assert [(await store.last(f"quire.rec.acme.test.{name}")).sequence for name in "abc"] == [2, 3, 4]
    assert (await store.last("quire.rec.acme.test.a")).body == b"2"


async def test_headers_are_never_the_caller_s_dict(store):
    headers = {"x": "1"}
    await store.write([part("a", headers=headers, expected=0), part("b", expected=0, ttl_seconds=60)])
    assert headers == {"x": "1"}


async def test_a_thousand_parts_fit_and_one_more_does_not(store):
    parts = [part(f"n{number}", expected=0) for number in range(1000)]
    assert (await store.write(parts)).sequence == 1000
    with pytest.raises(ValueError, match="1 to 1000"):
        await store.write([*parts, part("more")])
    with pytest.raises(ValueError, match="1 to 1000"):
        await store.write([])


async def test_an_id_that_is_known_does_not_refuse_the_batch(store):
    """The broker refuses the whole batch (10201) because one message was said before; the record must still be kept."""
    await store.write([part("said", id="known")])
    await store.write([part("r", expected=0), part("said", id="known")])
    assert (await store.last("quire.rec.acme.test.r")).sequence == 2
    assert (await store.last("quire.rec.acme.test.said")).sequence == 3


async def test_one_id_twice_in_a_batch_is_a_bug_and_said(store):
    twice = [part("a", id="1"), part("b", id="1")]
    with pytest.raises(ValueError, match="same id"):
        await store.write(twice)


@pytest.fixture(params=[NoAnswer(swallowed=False), BrokenPipeError(32, "Broken pipe")], ids=["late", "broken"])
def lose_answers(monkeypatch, request):
    """Of the first `count` requests to a subject the broker gets the request, and we never get its answer."""

    def lose(store, subject, count):
        ask, lost = store._wire.ask, []

        async def losing(to, *arguments):
            answer = await ask(to, *arguments)
            if to == subject and len(lost) < count:
                lost.append(to)
                raise request.param
            return answer

        monkeypatch.setattr(store._wire, "ask", losing)
        return lost

    return lose


async def test_a_lost_answer_to_a_batch_is_read_back_by_its_nonce(store, lose_answers):
    lost = lose_answers(store, "quire.rec.acme.test.z", 1)
    acked = await store.write([part("a", expected=0), part("z", b"1")])
    assert len(lost) == 1
    assert acked.sequence == 2
    assert (await store.bounds("QUIRE")) == (1, 2)  # not stored twice


async def test_a_lost_answer_to_one_guarded_write_is_read_back(store, lose_answers):
    lost = lose_answers(store, "quire.rec.acme.test.a", 1)
    assert (await store.write([part("a", expected=0)])).sequence == 1
    assert len(lost) == 1  # the second try is told of a conflict, and the nonce says with whom
    assert (await store.bounds("QUIRE")) == (1, 1)


async def test_a_lost_answer_to_an_unguarded_message_is_known_by_its_id(store, lose_answers):
    lost = lose_answers(store, "quire.rec.acme.test.a", 1)
    acked = await store.write([part("a", id="1")])
    assert (acked.sequence, acked.duplicate, len(lost)) == (1, True, 1)


async def test_a_lost_answer_to_an_unguarded_batch_is_known_by_its_ids(store, lose_answers):
    lost = lose_answers(store, "quire.rec.acme.test.b", 1)
    acked = await store.write([part("a", id="1"), part("b", id="2")])
    assert (acked.duplicate, len(lost)) == (True, 1)
    assert (await store.bounds("QUIRE")) == (1, 2)


async def test_an_outcome_that_stays_unknown_is_said_to_be_unknown(store, lose_answers):
    lost = lose_answers(store, "quire.rec.acme.test.a", 99)
    with pytest.raises(Unknown):
        await store.write([part("a")])
    assert len(lost) == 3


async def test_somebody_else_s_write_is_a_conflict_even_if_it_is_equal(store):
    await store.write([part("a", b"same", expected=0)])
    with pytest.raises(Conflict):
        await store.write([part("a", b"same", expected=0)])


async def test_the_size_limit_holds_before_the_wire(bus, cancel):
    """Body and headers together above the broker's limit would cut the connection for good; ours is below it."""
    with pytest.raises(TooLarge, match="the limit is 262144"):
        await bus.publisher.publish(cancel(reason="x" * MESSAGE_BYTES))
    many = Outgoing(cancel("j1"))
    with pytest.raises(TooLarge):
        await bus.publisher.publish(many, correlation_id="c" * MESSAGE_BYTES)
    store = Store(bus.connection)
    exact = MESSAGE_BYTES - len("NATS/1.0\r\n\r\n") - len("a: b\r\n")
    assert (await store.write([part("a", b"x" * exact, headers={"a": "b"})])).sequence == 1
    with pytest.raises(TooLarge):
        await store.write([part("a", b"x" * (exact + 1), headers={"a": "b"})])
    assert (await bus.publisher.publish(cancel("j2"))).sequence == 2
    assert bus.is_healthy


async def test_a_message_that_no_stream_takes_is_never_silently_lost(nats_server, bus_settings, cancel):
    async with Bus.connect(bus_settings("test"), on_fatal=print) as bare:  # a broker that nobody provisioned
        with pytest.raises(NotStored):
            await bare.publisher.publish(cancel("j1"))
        with pytest.raises(NotStored):
            await bare.check()


async def test_two_tenants_may_name_their_jobs_alike(bus, cancel):
    submit = [SubmitJob(job_id="j1", tenant=tenant, body=body) for tenant in ("acme", "other") for body in (b"1", b"2")]
    for message in (cancel("j1", tenant="acme"), cancel("j1", tenant="other"), *submit):
        assert not (await bus.publisher.publish(message)).duplicate
    assert (await bus.bounds())[1] == 6


async def test_publishing_twice_is_one_message_and_says_so(bus, cancel):
    first = await bus.publisher.publish(cancel("j1"))
    again = await bus.publisher.publish(cancel("j1"))
    assert (again.id, again.sequence, first.duplicate, again.duplicate) == (first.id, first.sequence, False, True)


@pytest.mark.parametrize("key", ["a.b", "*", ">", "", "a b", "x" * 65])
async def test_a_key_that_reaches_into_other_subjects_is_refused(bus, cancel, key):
    with pytest.raises(ValueError, match="no subject"):
        await bus.publisher.publish(cancel("j1", tenant="acme").__class__(job_id=key, tenant="acme"))
    with pytest.raises(ValueError, match="no subject"):
        await bus.publisher.publish(cancel("j1", tenant="acme." + key))


async def test_scheduled_messages_are_part_of_the_commit_and_come_at_their_time(bus, probe, cancel, rejected):
    log = await probe(">")
    delivery = a_delivery(bus, cancel("j1"))
    now = SystemClock().now()
    soon = Outgoing(ExpireJob(job_id="j1", tenant="acme"), at=now + timedelta(seconds=1))
    past = Outgoing(ExpireJob(job_id="j1", tenant="acme"), at=now - timedelta(hours=1), attempt=1)
    await delivery.commit(rejected("j1"), soon, past)
    await log.wait(ExpireJob, 2)
    came = [one for one in log.recorded if isinstance(one.message, ExpireJob)]
    assert {one.subject for one in came} == {"quire.cmd.acme.job.expire.v1.j1"}
    assert {one.meta.causation_id for one in came} == {delivery.meta.id}
    assert len({one.meta.id for one in came}) == 2
    stored = await Store(bus.connection).at(came[-1].sequence, stream="QUIRE")
    assert 0 <= (stored.time - (now + timedelta(seconds=1))).total_seconds() < 1.0
    assert await Store(bus.connection).subjects("quire.sched.>", stream="QUIRE") == ()


async def test_a_record_with_a_lifetime_is_forgotten_and_can_be_made_again(store):
    """A time to live inside an atomic batch; a mark that has expired is no conflict."""
    await store.write([part("a", expected=0, ttl_seconds=1), part("b")])
    await eventually(lambda: _gone(store, "quire.rec.acme.test.a"))
    await store.write([part("a", expected=0, ttl_seconds=1), part("b")])


async def _gone(store, subject):
    return await store.last(subject) is None


def a_delivery(bus, message, inbox="strict"):
    meta = Meta(
        id="5a1f1b8e-7a3c-4c0e-9d6b-6f2a4c8e1d31",
        source="/x",
        type="io.quire.job.cancel.v1",
        time=SystemClock().now(),
        tenant="acme",
        key="j1",
        correlation_id="j1",
    )
    sender = Sender(Store(bus.connection), "/quire/test", SystemClock(), bus._sender.tracer)
    return Delivery(sender, meta, message, durable=consumer_of("control-plane", CancelJob).durable, inbox=inbox)


async def test_the_second_commit_of_one_message_is_told_that_it_is_done(bus, probe, cancel, rejected):
    log = await probe("quire.evt.>")
    first, second = a_delivery(bus, cancel("j1")), a_delivery(bus, cancel("j1"))
    await first.commit(rejected("j1"))
    with pytest.raises(AlreadyDone) as caught:
        await second.commit(rejected("j1"), rejected("j2"))
    assert caught.value.subjects == (second.mark,)
    assert (first.committed, second.committed, await second.is_marked()) == (True, False, True)
    assert await log.wait(JobRejected) == [rejected("j1")]


async def test_two_commits_at_once_are_one(bus, probe, cancel, rejected):
    log = await probe("quire.evt.>")
    racers = [a_delivery(bus, cancel("j1")) for _ in range(6)]
    results = await asyncio.gather(*(racer.commit(rejected("j1")) for racer in racers), return_exceptions=True)
    assert sum(isinstance(result, AlreadyDone) for result in results) == 5
    await log.wait(JobRejected)
    assert len(log.recorded) == 1
