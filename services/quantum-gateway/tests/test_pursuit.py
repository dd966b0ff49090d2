"""What a gateway does about hanging calls, refusing providers, vanishing jobs, brokers that are away, and cancels."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from quire_bus.errors import Unknown
from quire_contracts.batch import BatchExecuted, BatchFailed
from quire_contracts.submission import BatchParked, DuplicateFound
from quire_quantum_gateway.events import CancelAsked
from quire_quantum_gateway.limits import Postponed
from quire_quantum_gateway.places import Places
from quire_quantum_gateway.postponing import NO_PATIENCE
from quire_quantum_gateway.providers.error_table import meanings
from quire_quantum_gateway.providers.port import Unfetched
from quire_resilience.errors import Permanent, Transient
from quire_testing.executor_suite import FLIP


async def answer(house, gateway, **options):
    task = asyncio.ensure_future(gateway.run(house.batch(FLIP, **options), None))
    await house.until(task)
    return task.exception() or task.result()


async def until(house, condition):
    """Let everything run until something is true; the clock moves on."""
    for _ in range(10_000):
        for _ in range(60):
            await asyncio.sleep(0)
            if condition():
                return
        house.clock.advance(1.0)
    raise AssertionError("it does not come true")


def states(house):
    return [step.state for step in house.records.of().steps]


async def test_the_whole_way_of_a_remote_job(remote):
    house = remote.House("token", polls=5)
    executed = await answer(house, house.gateway())
    assert isinstance(executed, BatchExecuted)
    assert states(house) == ["intent", "calling", "submitted", "retrieved"]
    submission = house.records.of()
    assert (submission.reserved_usd, submission.provider_job_id, submission.calls) == (1.25, "job-0", 1)
    assert submission.token == house.provider.ledger[0].token
    assert house.provider.calls["retrieve"] == 1
    again = await answer(house, house.gateway())
    assert again == executed
    assert len(house.provider.ledger) == 1


@pytest.mark.parametrize("mode", ["token", "tag", "none"])
async def test_a_call_that_hangs_is_unknown_and_its_late_answer_is_a_fact(remote, mode):
    """Even where nothing else could have said what became of it."""
    house = remote.House(mode)
    house.lanes.hang["cloud:x"] = 45.0
    task = asyncio.ensure_future(house.gateway().run(house.batch(FLIP), None))
    await until(house, lambda: house.records.kept and "unknown" in states(house))
    await until(house, lambda: house.records.of().state in ("submitted", "parked", "retrieved"))
    await house.until(task)
    await until(house, lambda: house.records.of().state in ("retrieved", "submitted"))
    assert house.records.of().provider_job_id == "job-0"
    assert len(house.provider.ledger) == 1
    assert house.again == (["b1"] if mode == "none" else [])
    if mode == "none":  # it was parked before the answer came; delivered again it is answered
        assert isinstance(await answer(house, house.gateway()), BatchExecuted)
    else:
        assert isinstance(task.result(), BatchExecuted)


async def test_a_call_that_cannot_begin_at_once_is_announced_anew(remote):
    """A process that was paused between its announcement and its call: somebody may have taken over meanwhile."""
    house = remote.House("none")
    pauses = [6.0]

    class Paused(remote.Bomb):
        def reach(self, point):
            super().reach(point)
            if point == "calling" and pauses:
                house.clock.advance(pauses.pop())

    assert isinstance(await answer(house, house.gateway(Paused(""))), BatchExecuted)
    assert states(house) == ["intent", "calling", "intent", "calling", "submitted", "retrieved"]
    assert house.provider.calls["submit"] == 1


async def test_a_paused_gateway_does_not_call_after_it_was_taken_over(remote):
    house = remote.House("tag")
    others = []

    class Frozen(remote.Bomb):
        def reach(self, point):
            if point == "announced" and not others:
                others.append(asyncio.ensure_future(house.gateway().run(house.batch(FLIP), None)))
                house.clock.advance(30.0)

    first = asyncio.ensure_future(house.gateway(Frozen("")).run(house.batch(FLIP), None))
    await house.until(first, *others)
    assert isinstance(first.result(), BatchExecuted)
    assert first.result() == others[0].result()
    assert house.provider.calls["submit"] == 1


async def test_a_refusal_is_an_answer_and_an_offline_device_is_not_called_again(remote):
    house = remote.House("tag", fates=["refuse:target-offline"])
    error = await answer(house, house.gateway())
    assert isinstance(error, Permanent)
    assert (error.code, error.kind) == ("target-offline", "offline")
    assert states(house) == ["intent", "calling", "failed"]
    assert (await answer(house, house.gateway())).code == "target-offline"
    assert house.provider.calls["submit"] == 1


@pytest.mark.parametrize("mode", ["token", "tag"])
async def test_a_refusal_in_doubt_is_believed_only_when_the_first_call_left_nothing(remote, mode):
    house = remote.House(mode, fates=["lose", "refuse:target-offline"])
    error = await answer(house, house.gateway())
    assert error.code == "target-offline"
    assert house.provider.ledger == []
    assert states(house)[-1] == "failed"
    house = remote.House("token", fates=["cut", "refuse:target-offline"])
    assert isinstance(await answer(house, house.gateway()), BatchExecuted)
    assert len(house.provider.ledger) == 1


async def test_two_jobs_are_one_too_many_and_it_is_cancelled_and_alarmed_once(remote):
    """What a provider must not do: apply a request minutes after everybody had given it up."""
    house = remote.House("tag", fates=["late:2000", "ok"], polls=250)
    assert isinstance(await answer(house, house.gateway()), BatchExecuted)
    assert len(house.provider.ledger) == 2
    late = house.gateway()
    (found,) = [each for each in house.provider.listed(house.clock.now() - timedelta(days=1)) if each.job_id == "job-1"]
    from quire_quantum_gateway.desk import Address

    address = Address("cloud:x", house.provider, "x", "tag")
    for _ in range(2):
        await late.desk.findings.found(address, house.records.of(), found.job_id, "reconciled")
    assert [each.provider_job_id for each in house.said.of(DuplicateFound)] == ["job-1"]
    assert (house.provider.job("job-1").status, len(house.provider.paid)) == ("cancelled", 1)
    assert (house.records.of().provider_job_id, house.records.of().duplicates) == ("job-0", ("job-1",))


async def test_a_job_that_fails_there_failed(remote):
    house = remote.House("token", polls=10)
    task = asyncio.ensure_future(house.gateway().run(house.batch(FLIP), None))
    await until(house, lambda: house.provider.calls["status"] >= 1)
    house.provider.ledger[0].status = "failed"
    await house.until(task)
    assert task.exception().code == "execution-failed"
    assert (states(house)[-1], house.records.of().provider_job_id) == ("failed", "job-0")
    assert (await answer(house, house.gateway())).code == "execution-failed"
    assert len(house.provider.ledger) == 1


async def test_a_job_that_is_gone_is_searched_for_and_then_parked(remote):
    house = remote.House("token", polls=1000)
    task = asyncio.ensure_future(house.gateway().run(house.batch(FLIP), None))
    await until(house, lambda: house.provider.calls["status"] >= 1)
    gone = house.provider.ledger.pop()
    await house.until(task)
    assert task.exception().code == "submission-parked"
    assert house.provider.calls["submit"] == 1
    (alarm,) = house.said.of(BatchParked)
    assert (alarm.batch_id, alarm.token, alarm.reserved_usd) == ("b1", gone.token, 1.25)


async def test_a_provider_that_cannot_be_asked_is_asked_again_and_a_result_that_cannot_be_fetched_too(remote):
    house = remote.House("tag", polls=3)
    house.provider.down = ConnectionError()
    fetch, troubles = house.provider.retrieve, [Unfetched("not now"), Unfetched("not now")]

    def retrieve(*arguments):
        if troubles:
            raise troubles.pop()
        return fetch(*arguments)

    house.provider.retrieve = retrieve
    task = asyncio.ensure_future(house.gateway().run(house.batch(FLIP), None))
    await until(house, lambda: house.provider.calls["status"] >= 5)
    house.provider.down = None
    await house.until(task)
    assert isinstance(task.result(), BatchExecuted)
    assert (troubles, len(house.provider.ledger)) == ([], 1)


@pytest.mark.parametrize("failures", [1, 3])
@pytest.mark.parametrize("at", ["announced", "heard", "fetched"])
async def test_a_broker_that_is_away_costs_time_and_no_second_job(remote, at, failures):
    """Until something was called the batch may go back; from then on it is waited out."""
    house = remote.House("none")

    class Away(remote.Bomb):
        def reach(self, point):
            if point == self.point:
                house.records.trouble += [Unknown("no answer")] * failures
                self.point = ""

    assert isinstance(await answer(house, house.gateway(Away(at))), BatchExecuted)
    assert len(house.provider.ledger) == 1
    assert house.records.of().state == "retrieved"


async def test_an_announcement_that_was_not_confirmed_is_no_call(remote):
    house = remote.House("none")

    class Away(remote.Bomb):
        def reach(self, point):
            if point == "opened":
                house.records.trouble.append(Unknown("no answer"))

    assert isinstance(await answer(house, house.gateway(Away(""))), BatchExecuted)
    assert len(house.provider.ledger) == 1


async def test_a_cancel_reaches_the_provider(remote):
    house = remote.House("tag", polls=1000)
    task = asyncio.ensure_future(house.gateway().run(house.batch(FLIP), None))
    await until(house, lambda: house.provider.calls["status"] >= 1)
    await house.gateway().desk.journal.note("b1", CancelAsked())
    await house.until(task)
    assert task.exception().code == "cancelled"
    assert house.provider.paid == []
    assert states(house)[-1] == "failed"


async def test_a_cancel_before_the_call_prevents_it(remote):
    house = remote.House("tag")
    first = asyncio.ensure_future(house.gateway(remote.Bomb("opened")).run(house.batch(FLIP), None))
    await house.until(first)
    await house.gateway().desk.journal.note("b1", CancelAsked())
    assert (await answer(house, house.gateway())).code == "cancelled"
    assert house.provider.calls["submit"] == 0


async def test_a_cancel_in_doubt_makes_no_call_and_cancels_what_is_found(remote):
    house = remote.House("token", fates=["cut"], polls=1000)
    first = asyncio.ensure_future(house.gateway(remote.Bomb("heard")).run(house.batch(FLIP), None))
    await house.until(first)
    await house.gateway().desk.journal.note("b1", CancelAsked())
    assert (await answer(house, house.gateway())).code == "cancelled"
    assert (house.provider.calls["submit"], len(house.provider.ledger), house.provider.paid) == (1, 1, [])


async def test_after_its_deadline_nothing_is_submitted_and_what_waits_is_cancelled(remote):
    house = remote.House("tag", polls=1000)
    late = msgspec.structs.replace(house.batch(FLIP), deadline_at=house.clock.now() + timedelta(seconds=60))
    task = asyncio.ensure_future(house.gateway().run(late, None))
    await house.until(task)
    assert (task.exception().code, task.exception().kind) == ("deadline-passed", "capacity")
    assert (len(house.provider.ledger), house.provider.paid) == (1, [])
    later = msgspec.structs.replace(late, batch_id="b2")
    task = asyncio.ensure_future(house.gateway().run(later, None))
    await house.until(task)
    assert task.exception().code == "deadline-passed"
    assert len(house.provider.ledger) == 1


async def test_after_its_deadline_what_is_to_be_kept_is_waited_for_and_answered(remote):
    house = remote.House("tag", polls=100)
    late = msgspec.structs.replace(house.batch(FLIP), deadline_at=house.clock.now() + timedelta(seconds=5), late="keep")
    task = asyncio.ensure_future(house.gateway().run(late, None))
    await house.until(task)
    assert isinstance(task.result(), BatchExecuted)
    assert house.clock.now() > late.deadline_at
    assert len(house.provider.ledger) == 1


async def test_a_provider_that_takes_no_calls_postpones_what_was_not_called_and_keeps_what_is_in_doubt(remote):
    house = remote.House("token", fates=["lose"])
    gateway = house.gateway()
    busy = Postponed(meanings()["target-offline"].fault, 30.0)
    refusals = [busy]
    breakers = gateway.desk.calls.breakers

    class Busy(type(breakers)):
        def refusal(self, site, operation):
            if operation == "create" and refusals:
                raise refusals.pop()

    gateway.desk.calls.breakers = Busy(policy=breakers.policy, clock=house.clock, uniform=breakers.uniform)
    assert await answer(house, gateway) is busy
    assert states(house) == ["intent"]
    refusals.append(busy)
    hindered = asyncio.ensure_future(house.gateway(remote.Bomb("heard")).run(house.batch(FLIP), None))
    await house.until(hindered)
    assert isinstance(await answer(house, gateway), BatchExecuted)
    assert (refusals, len(house.provider.ledger)) == ([], 1)


async def test_work_that_cannot_wait_is_not_run_after_all(remote):
    house = remote.House("tag")
    first = asyncio.ensure_future(house.gateway(remote.Bomb("opened")).run(house.batch(FLIP), None))
    await house.until(first)
    late = Postponed(meanings()["target-offline"].fault, 30.0)
    failed = await house.gateway().later(house.batch(FLIP), late, NO_PATIENCE)
    assert (failed.fault.code, failed.after_seconds) == ("target-offline", 30.0)
    assert (states(house)[-1], house.records.of().fault.code) == ("failed", "target-offline")
    assert (await answer(house, house.gateway())).code == "target-offline"
    assert house.provider.calls["submit"] == 0


@pytest.mark.parametrize("point", ["announced", "called", "submitted"])
async def test_what_may_be_at_a_provider_is_postponed_without_end(remote, point):
    """Its answer would be `failed`, and its tasks would run elsewhere as well."""
    house = remote.House("tag")
    first = asyncio.ensure_future(house.gateway(remote.Bomb(point)).run(house.batch(FLIP), None))
    await house.until(first)
    full = Postponed(meanings()["too-many-jobs"].fault, 5.0)
    said = await house.gateway().later(house.batch(FLIP), full, NO_PATIENCE)
    assert said.message.batch.batch_id == "b1"
    assert said.at > house.clock.now()
    assert states(house)[-1] in ("calling", "submitted")


async def test_work_that_was_never_begun_and_cannot_wait_is_not_run_by_a_later_delivery(remote):
    house = remote.House("tag")
    full = Postponed(meanings()["too-many-jobs"].fault, 5.0)
    assert isinstance(await house.gateway().later(house.batch(FLIP), full, NO_PATIENCE), BatchFailed)
    assert states(house) == ["intent", "failed"]


async def test_an_operator_hears_of_what_was_parked_by_a_gateway_that_died_over_it(remote):
    house = remote.House("none", fates=["lose"])
    put, house.shelf.put = house.shelf.put, None  # dies between the journal and the alarm's end
    with pytest.raises(AssertionError, match="TypeError"):
        raise AssertionError(repr(await answer(house, house.gateway())))
    house.shelf.put = put
    assert house.shelf.parked == {}
    for _ in range(2):
        assert (await answer(house, house.gateway())).code == "submission-parked"
    assert list(house.shelf.parked) == ["b1"]
    assert len(house.said.of(BatchParked)) == 2  # the second says what the first may not have said


async def test_a_target_has_only_so_many_places():
    places = Places(local=1, remote=1)
    async with places.of("cloud:x", remote=True):
        with pytest.raises(Postponed):
            async with places.of("cloud:x", remote=True):
                pass
        async with places.of("cloud:y", remote=True), places.of("qiskit:aer", remote=False):
            waiting = asyncio.ensure_future(anext_place(places))
            await asyncio.sleep(0)
            assert not waiting.done()
        assert await waiting
    async with places.of("cloud:x", remote=True):
        pass


async def anext_place(places):
    async with places.of("qiskit:aer", remote=False):
        return True


async def test_a_refusal_for_now_may_be_tried_again_by_another_delivery(remote):
    house = remote.House("tag", fates=["refuse:busy"])
    submit = house.provider.submit

    def refusing(*arguments, **options):
        try:
            return submit(*arguments, **options)
        except Permanent as error:
            raise Transient(error.reason, code=error.code) from None

    house.provider.submit = refusing
    assert isinstance(await answer(house, house.gateway()), Transient)
    assert isinstance(await answer(house, house.gateway()), BatchExecuted)
    assert states(house) == ["intent", "calling", "failed", "intent", "calling", "submitted", "retrieved"]
    assert len(house.provider.ledger) == 1
