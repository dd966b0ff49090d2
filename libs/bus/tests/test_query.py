import asyncio

import msgspec
import pytest

from quire_bus.errors import QueryFailed, Unanswered
from quire_bus.router import Router
from quire_contracts.query import FindJobs, JobList
from quire_resilience.errors import Permanent, Transient


class Answer(msgspec.Struct):
    value: int


class Question(msgspec.Struct):
    number: int


@pytest.fixture
async def asked(make_bus, bus):
    async def serve(handler, replicas=1):
        for _ in range(replicas):
            router = Router("ledger")
            router.answer("jobs", Question)(handler)
            service = await make_bus("ledger")
            service.include(router)
            await service.start()

    return serve


async def test_a_question_is_answered_by_one_replica(bus, asked):
    calls = []

    async def on_question(question):
        calls.append(question.number)
        return Answer(question.number * 2)

    await asked(on_question, replicas=3)
    answers = await asyncio.gather(*(bus.ask("ledger", "jobs", Question(n), Answer) for n in range(20)))
    assert [answer.value for answer in answers] == [2 * n for n in range(20)]
    assert sorted(calls) == list(range(20))


async def test_a_slow_answer_does_not_hold_up_the_next(bus, asked):
    async def on_question(question):
        await asyncio.sleep(0.3 if question.number == 0 else 0)
        return Answer(question.number)

    await asked(on_question)
    slow = asyncio.create_task(bus.ask("ledger", "jobs", Question(0), Answer))
    assert (await bus.ask("ledger", "jobs", Question(1), Answer)).value == 1
    assert not slow.done()
    assert (await slow).value == 0


async def test_nobody_there_is_said_at_once_and_silence_in_time(bus, asked):
    with pytest.raises(Unanswered, match="nobody answers"):
        await bus.ask("ledger", "jobs", FindJobs(tenant="acme"), JobList, seconds=5)

    async def on_question(question):
        await asyncio.sleep(1)
        return Answer(1)

    await asked(on_question)
    with pytest.raises(Unanswered, match=r"within 0.2 s"):
        await bus.ask("ledger", "jobs", Question(1), Answer, seconds=0.2)


async def test_faults_travel_as_faults(bus, asked):
    async def on_question(question):
        match question.number:
            case 1:
                raise Permanent("no-such-job", "there is no job j1", next_step="Look at the list.")
            case 2:
                raise Transient("the database is away", code="database-away")
            case 3:
                raise RuntimeError("secret")
            case _:
                return Answer("x" * 300_000)

    await asked(on_question)
    with pytest.raises(QueryFailed) as caught:
        await bus.ask("ledger", "jobs", Question(1), Answer)
    assert (caught.value.code, caught.value.next_step) == ("no-such-job", "Look at the list.")
    with pytest.raises(Transient, match="database is away"):
        await bus.ask("ledger", "jobs", Question(2), Answer)
    with pytest.raises(QueryFailed) as caught:
        await bus.ask("ledger", "jobs", Question(3), Answer)
    assert caught.value.code == "internal-error"
    assert "secret" not in str(caught.value)
    with pytest.raises(QueryFailed, match="too large"):
        await bus.ask("ledger", "jobs", Question(4), Answer)
    with pytest.raises(QueryFailed, match="bad-question"):
        await bus.ask("ledger", "jobs", Answer(1), Answer)
