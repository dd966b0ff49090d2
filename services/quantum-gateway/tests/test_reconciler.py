"""The provider's list beside the journal, and what operators can do: the rules in memory, the way on a broker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from quire_bus.envelope import Outgoing
from quire_bus.records import Stored
from quire_contracts.batch import BatchExecuted, BatchFailed, ExecuteBatch
from quire_contracts.query import FindParked, ParkedList, SettleSubmission, SubmissionSettled
from quire_contracts.submission import BatchParked, DuplicateFound, OrphanFound
from quire_quantum_gateway.events import Abandoned, Accepted, Adopted, Called, Intended, Lost, Parked, Refused
from quire_quantum_gateway.journal import KIND, Submission, transition
from quire_quantum_gateway.operators import ABANDONED, Operators
from quire_quantum_gateway.providers.port import Found
from quire_quantum_gateway.reconciler import Reconciler, verdict
from quire_quantum_gateway.recovery import PARKED
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import FLIP

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SETTLED = timedelta(seconds=300)
OLD, YOUNG = NOW - timedelta(hours=1), NOW - timedelta(seconds=10)
INTENDED = Intended("b1", "cloud:x", "0" * 64)
LOST = (Called(1), Lost(1, "cut"))
PARK = (*LOST, Parked(1, PARKED))


def follow(*events):
    current = transition(None, INTENDED, OLD)
    for event in events:
        current = transition(current, event, OLD)
    return current


@pytest.mark.parametrize(
    ("events", "created", "expected"),
    [
        (None, OLD, "orphan"),
        (None, YOUNG, "wait"),
        ((Called(1), Accepted(1, "job")), OLD, "known"),
        ((Called(1), Accepted(1, "other")), OLD, "surplus"),
        ((Called(1), Accepted(1, "other")), YOUNG, "wait"),
        ((), OLD, "wait"),
        (LOST, YOUNG, "wait"),
        (LOST, OLD, "adopt"),
        ((Called(1),), OLD, "adopt"),
        (PARK, OLD, "adopt"),
        (PARK, YOUNG, "adopt"),
        ((*PARK, Adopted("job", "ann")), OLD, "deliver"),
        ((*PARK, Abandoned(ABANDONED, "ann")), OLD, "surplus"),
        ((Called(1), Refused(1, PARKED)), OLD, "surplus"),
        ((Called(1), Accepted(1, "job"), Lost(1, "gone", "job")), OLD, "known"),
    ],
)
def test_what_follows_from_a_job_and_its_submission(events, created, expected):
    submission = None if events is None else follow(*events)
    token = submission.token if submission else "b9-" + "a" * 15
    assert verdict(Found("job", token, "x", created, "queued"), submission, NOW, SETTLED) == expected


def test_a_job_of_another_request_of_the_same_batch_is_nobodys():
    assert verdict(Found("job", "b1-" + "a" * 15, "x", OLD, "queued"), follow(*LOST), NOW, SETTLED) == "orphan"


def test_parts_of_a_submission_are_its_gateways_until_nobody_wants_them():
    parts = Found("job", follow().token, "x", OLD, "queued", complete=False)
    assert verdict(parts, follow(*LOST), NOW, SETTLED) == "wait"
    assert verdict(parts, follow(Called(1), Refused(1, PARKED)), NOW, SETTLED) == "surplus"


class Log:
    """The newest command of each batch; what is published comes again."""

    def __init__(self):
        self.batches, self.again = {}, []

    async def last(self, message, tenant, key):
        batch = self.batches.get(key)
        return SimpleNamespace(message=ExecuteBatch(batch)) if batch is not None else None

    async def publish(self, message, *, id_=None):
        self.again.append((message.batch, id_))


class Rounds:
    """A bucket of rounds."""

    stored = None

    async def get(self, key):
        return self.stored

    async def put(self, key, value, expected_revision=None):
        assert expected_revision == (self.stored.revision if self.stored else 0)
        self.stored = SimpleNamespace(value=value, revision=(self.stored.revision if self.stored else 0) + 1)


@pytest.fixture
def desk(remote):
    """`desk.house`, and `desk.reconciler()` of one more gateway of it; `desk.log` remembers what is delivered again."""
    house, log, rounds = remote.House("tag", polls=10_000), Log(), Rounds()

    def reconciler(**options):
        gateway = house.gateway()
        operators = Operators(journal=gateway.desk.journal, shelf=house.shelf, log=log, publisher=log)
        return Reconciler(
            catalog={"cloud": house.provider},
            desk=gateway.desk,
            lanes=house.lanes,
            operators=operators,
            rounds=rounds,
            instance="test",
            every=600.0,
            back=timedelta(hours=24),
            **options,
        )

    return SimpleNamespace(house=house, log=log, reconciler=reconciler, remote=remote)


async def later(desk, seconds=400.0):
    desk.house.clock.advance(seconds)
    return await desk.reconciler().reconcile()


async def killed(desk, point):
    """A gateway that is killed at a point."""
    task = asyncio.ensure_future(desk.house.gateway(desk.remote.Bomb(point)).run(desk.house.batch(FLIP), None))
    await desk.house.until(task)


async def test_what_the_journal_knows_is_left_alone(desk):
    await killed(desk, "submitted")
    assert await later(desk) == {"known": 1}
    assert desk.house.said.messages == []


async def test_a_job_that_a_dead_gateway_left_is_adopted(desk):
    await killed(desk, "called")
    assert await desk.reconciler().reconcile() == {"wait": 1}
    assert await later(desk) == {"adopt": 1}
    submission = desk.house.records.of()
    assert (submission.state, submission.provider_job_id) == ("submitted", "job-0")
    assert desk.log.again == []  # the broker delivers it again by itself


async def test_a_parked_submission_whose_job_turns_up_is_answered_after_all(desk):
    await killed(desk, "called")
    batch = desk.log.batches["b1"] = desk.house.batch(FLIP)
    kept = desk.house.records.kept["shared", "b1"]
    parked = transition(transition(kept.value, Lost(1, "cut"), OLD), Parked(1, PARKED), OLD)
    desk.house.records.kept["shared", "b1"] = Stored(parked, kept.revision)
    assert await later(desk) == {"adopt": 1}
    assert desk.house.again == ["b1"]
    assert await later(desk) == {"deliver": 1}  # until somebody takes it up
    assert desk.log.again == [(batch, "b1-again-1")]


async def test_an_answer_that_nobody_fetches_is_delivered_again(desk):
    """The broker drops a message after so many deliveries; the job is paid for all the same."""
    await killed(desk, "submitted")
    batch = desk.log.batches["b1"] = desk.house.batch(FLIP)
    desk.house.provider.ledger[0].status = "done"
    reconciler = desk.reconciler()
    assert await reconciler.reconcile() == {"known": 1}
    assert desk.log.again == []  # its gateway may be just about to look
    assert await reconciler.reconcile() == {"known": 1}
    assert desk.log.again == [(batch, "b1-again-1")]


async def test_a_job_too_many_is_cancelled_and_counted_once(desk):
    await killed(desk, "submitted")
    house = desk.house
    house.provider._apply(house.provider.ledger[0].work, house.provider.ledger[0].token)
    for _ in range(2):
        assert await later(desk) == {"known": 1, "surplus": 1}
    assert [each.provider_job_id for each in house.said.of(DuplicateFound)] == ["job-1"]
    assert [job.status for job in house.provider.ledger] == ["queued", "cancelled"]
    assert house.records.of().duplicates == ("job-1",)


@pytest.mark.parametrize("cancel_orphans", [True, False])
async def test_a_job_that_nobody_knows_is_alarmed_once_and_cancelled_if_that_is_wished(desk, cancel_orphans):
    await killed(desk, "submitted")
    desk.house.records.kept.clear()
    reconciler = desk.reconciler(cancel_orphans=cancel_orphans)
    desk.house.clock.advance(400.0)
    for _ in range(2):
        assert await reconciler.reconcile() == {"orphan": 1}
    (alarm,) = desk.house.said.of(OrphanFound)
    assert (alarm.provider_job_id, alarm.cancelled) == ("job-0", cancel_orphans)
    assert desk.house.provider.ledger[0].status == ("cancelled" if cancel_orphans else "queued")


async def test_a_journal_that_was_lost_is_written_again_from_the_log(desk):
    await killed(desk, "submitted")
    desk.house.records.kept.clear()
    batch = desk.log.batches["b1"] = desk.house.batch(FLIP)
    assert await later(desk) == {"orphan": 1}
    submission = desk.house.records.of()
    assert (submission.state, submission.provider_job_id) == ("submitted", "job-0")
    assert (desk.log.again, desk.house.said.of(OrphanFound)) == ([(batch, "b1-again-1")], [])
    desk.house.provider.polls = 0
    task = asyncio.ensure_future(desk.house.gateway().run(batch, None))
    await desk.house.until(task)
    assert isinstance(task.result(), BatchExecuted)
    assert len(desk.house.provider.ledger) == 1


async def test_one_gateway_of_the_fleet_compares_in_each_round(desk):
    await killed(desk, "submitted")
    stopping, listed = asyncio.Event(), []
    desk.house.provider.listed = lambda since: listed.append(desk.house.clock.monotonic()) or []
    watches = [asyncio.ensure_future(desk.reconciler().watch(stopping)) for _ in range(3)]
    for _ in range(3 * 600 + 5):
        for _ in range(20):
            await asyncio.sleep(0)
        desk.house.clock.advance(1.0)
    stopping.set()
    await asyncio.gather(*watches)
    assert len(listed) == 3


async def test_on_a_broker_a_remote_batch_is_polled_answered_and_answered_again(gateway, remote, bus, probe, make):
    log = await probe("quire.evt.>")
    provider = remote.FakeRemote("token", SystemClock(), fates=["cut"], polls=1)
    await gateway(provider)
    batch = make.batch(FLIP, [make.slice("a", [[]])], target="cloud:x")
    for cause in ("one", "two"):
        await bus.publisher.publish(ExecuteBatch(batch), id_=cause)
    first, second = await log.wait(BatchExecuted, 2)
    assert first == second
    assert len(provider.ledger) == 1
    journal = (await bus.records(KIND, Submission).get("shared", "b1")).value
    assert [step.state for step in journal.steps] == [
        "intent", "calling", "unknown", "calling", "submitted", "retrieved",
    ]  # fmt: skip


async def test_on_a_broker_an_operator_lists_adopts_and_abandons(gateway, remote, bus, probe, make):
    log = await probe("quire.evt.>")
    provider = remote.FakeRemote("none", SystemClock(), fates=["cut", "lose"], polls=1)
    await gateway(provider)
    for batch_id in ("b1", "b2"):
        batch = make.batch(FLIP, [make.slice("a", [[]])], target="cloud:x", batch_id=batch_id)
        await bus.publisher.publish(ExecuteBatch(batch))
        await log.wait(BatchParked, 1 if batch_id == "b1" else 2)
    failed = await log.wait(BatchFailed, 2)
    assert [(each.fault.kind, each.fault.code, each.fault.retryable) for each in failed] == [
        ("unknown", "submission-parked", False)
    ] * 2

    async def ask(name, question, answer):
        return await bus.ask("quantum-gateway", name, question, answer)

    parked = (await ask("parked", FindParked(), ParkedList)).submissions
    assert [(each.batch_id, each.target, each.reserved_usd) for each in parked] == [
        ("b1", "cloud:x", 1.25),
        ("b2", "cloud:x", 1.25),
    ]
    adopt = SettleSubmission(batch_id="b1", provider_job_id="job-0", by="ann")
    assert await ask("settle", adopt, SubmissionSettled) == SubmissionSettled("b1", "adopted")
    (executed,) = await log.wait(BatchExecuted)
    assert executed.batch_id == "b1"
    abandon = SettleSubmission(batch_id="b2", by="ann")
    assert await ask("settle", abandon, SubmissionSettled) == SubmissionSettled("b2", "abandoned")
    assert (await ask("parked", FindParked(), ParkedList)).submissions == ()
    with pytest.raises(Permanent, match="not-parked"):
        await ask("settle", abandon, SubmissionSettled)
    with pytest.raises(Permanent, match="no-such-submission"):
        await ask("settle", SettleSubmission(batch_id="b3"), SubmissionSettled)
    await bus.publisher.publish(Outgoing(ExecuteBatch(batch)), id_="again")
    assert (await log.wait(BatchFailed, 3))[2].fault.code == "submission-abandoned"
    assert len(provider.ledger) == 1
