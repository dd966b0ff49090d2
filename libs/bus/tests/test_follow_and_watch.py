import asyncio

import pytest

from quire_bus.router import Router
from quire_contracts.control import Progress
from quire_contracts.job import SubmitJob
from quire_testing import eventually


@pytest.fixture
async def ledger(make_bus):
    return await make_bus("ledger")


async def emit(bus, rejected, first, last, job="j"):
    for number in range(first, last):
        await bus.publisher.publish(rejected(f"{job}{number}"))


async def test_the_log_is_followed_in_order_and_in_batches(ledger, bus, rejected):
    await emit(bus, rejected, 0, 50)
    router, batches = Router("ledger"), []

    @router.follow("ledger-log", batch=20)
    async def on_log(entries):
        batches.append([entry.meta.stream_sequence for entry in entries])
        await asyncio.sleep(0.01)

    ledger.include(router)
    await ledger.start()
    await emit(bus, rejected, 50, 70)
    await eventually(lambda: sum(map(len, batches)) == 70)
    assert [sequence for batch in batches for sequence in batch] == list(range(1, 71))
    assert max(map(len, batches)) <= 20
    assert len(batches) < 40
    js = ledger.connection.client.jetstream()

    async def acknowledged():
        return (await js.consumer_info("QUIRE", "ledger-log")).ack_floor.stream_seq == 70

    await eventually(acknowledged)


async def test_a_reader_that_fails_gets_the_same_entries_again_in_order(ledger, bus, rejected):
    await emit(bus, rejected, 0, 5)
    router, given = Router("ledger"), []

    @router.follow("ledger-log", batch=5)
    async def on_log(entries):
        given.append([entry.message.job_id for entry in entries])
        if len(given) < 3:
            raise RuntimeError("the database is away")

    ledger.include(router)
    await ledger.start()
    await eventually(lambda: len(given) >= 3 and sum(len(batch) for batch in given[2:]) == 5)
    assert given[0] == given[1] == given[2]
    assert [job for batch in given[2:] for job in batch] == ["j0", "j1", "j2", "j3", "j4"]


async def test_what_was_not_committed_comes_again_to_the_next_process(make_bus, bus, rejected):
    await emit(bus, rejected, 0, 4)
    given, hanging = [], asyncio.Event()
    for process in range(2):
        router = Router("ledger")

        @router.follow("ledger-log", batch=4)
        async def on_log(entries, process=process):
            given.extend((process, entry.meta.stream_sequence) for entry in entries)
            if process == 0:
                hanging.set()
                await asyncio.sleep(60)

        reader = await make_bus("ledger")
        reader.include(router)
        await reader.start()
        if process == 0:
            await hanging.wait()
            await reader.stop(0.1)
    await eventually(lambda: [one for one in given if one[0] == 1], within=15)
    await eventually(lambda: {sequence for process, sequence in given if process == 1} >= {1, 2, 3, 4}, within=15)


async def test_what_this_release_does_not_know_is_an_entry_with_a_fault(ledger, js):
    router, entries = Router("ledger"), []

    @router.follow("ledger-log")
    async def on_log(batch):
        entries.extend(batch)

    ledger.include(router)
    await ledger.start()
    four = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "io.quire.job.sang.v9"}
    await js.publish("quire.evt.acme.job.sang.v9.j1", b'{"song": 1}', headers=four)
    await js.publish("quire.evt.acme.job.rejected.v1.j1", b"no envelope")
    known = four | {"ce-type": "io.quire.job.rejected.v1"}
    await js.publish("quire.evt.acme.job.rejected.v1.j1", b'{"job_id": 1}', headers=known)
    await eventually(lambda: len(entries) == 2)
    assert [entry.message for entry in entries] == [None, None]
    assert "not known here" in entries[0].fault.reason
    assert entries[0].body == b'{"song": 1}'
    assert [entry.meta.stream_sequence for entry in entries] == [1, 3]


async def test_the_whole_log_is_read_and_then_it_ends(bus, rejected):
    assert [entry async for entry in bus.read_log()] == []
    assert await bus.bounds() == (1, 0) or (await bus.bounds())[1] == 0
    await emit(bus, rejected, 0, 150)
    assert [entry.meta.stream_sequence async for entry in bus.read_log()] == list(range(1, 151))
    assert [entry.meta.key async for entry in bus.read_log(after=148)] == ["j148", "j149"]
    assert [entry async for entry in bus.read_log(after=150)] == []
    assert [entry async for entry in bus.read_log(filter_="quire.evt.other.>")] == []
    assert [entry.meta.key async for entry in bus.read_log(filter_="quire.evt.acme.*.*.*.j7")] == ["j7"]
    assert await bus.bounds() == (1, 150)


async def test_the_last_message_of_a_subject(bus):
    assert await bus.last(SubmitJob, "acme", "j1") is None
    sent = await bus.publisher.publish(SubmitJob(job_id="j1", tenant="acme", body=b"{}"))
    found = await bus.last(SubmitJob, "acme", "j1")
    assert (found.meta.id, found.meta.stream_sequence, found.message.body) == (sent.id, sent.sequence, b"{}")
    with pytest.raises(ValueError, match="cannot stand in a subject"):
        await bus.last(SubmitJob, "acme", "*")


async def test_a_job_s_life_is_read_from_any_point_and_as_it_grows(bus, rejected):
    await bus.publisher.publish(rejected("j1", code="a"))
    await bus.publisher.publish(rejected("other"))
    third = await bus.publisher.publish(rejected("j1"), id_="b")
    seen = []

    async def watch(after):
        async for sequence, meta, body in bus.watch_job("acme", "j1", after=after):
            seen.append((after, sequence, meta.type, body))

    watching = [asyncio.create_task(watch(after)) for after in (0, 1, third.sequence)]
    await eventually(lambda: len(seen) == 3)
    await bus.publisher.publish(rejected("j1"), id_="c")
    await eventually(lambda: len(seen) == 6)
    for task in watching:
        task.cancel()
    assert sorted(one[:2] for one in seen) == [(0, 1), (0, 3), (0, 4), (1, 3), (1, 4), (3, 4)]
    assert {one[2] for one in seen} == {"io.quire.job.rejected.v1"}
    assert seen[0][3].startswith(b'{"job_id":"j1"')
    js = bus.connection.client.jetstream()

    async def nothing_left():
        return [info.name for info in await js.consumers_info("QUIRE") if info.name.startswith("watch-")] == []

    await asyncio.wait(watching)
    await eventually(nothing_left)


@pytest.mark.parametrize(("tenant", "job"), [("*", "j1"), ("acme", ">"), ("acme", "a.b"), ("", "j1")])
async def test_watching_cannot_reach_into_other_subjects(bus, tenant, job):
    with pytest.raises(ValueError, match="cannot stand in a subject"):
        await anext(bus.watch_job(tenant, job))
    with pytest.raises(ValueError, match="cannot stand in a subject"):
        await anext(bus.watch_progress(tenant, job))


async def test_live_remarks_are_heard_and_not_stored(bus):
    heard = []

    async def listen():
        async for remark in bus.watch_progress("acme", "j1"):
            heard.append(remark)  # noqa: PERF401 - one by one, as they are said

    listening = asyncio.create_task(listen())
    remark = Progress(job_id="j1", tenant="acme", stage="round", round=3, objective=1.5)

    async def say():
        await bus.publisher.progress(remark)
        return heard

    await eventually(say)
    listening.cancel()
    await asyncio.wait([listening])
    assert heard[0] == remark
    assert await bus.bounds() in {(1, 0), (0, 0)}


async def test_a_follower_survives_the_broker(provisioned, ledger, bus, rejected):
    router, entries = Router("ledger"), []

    @router.follow("ledger-log")
    async def on_log(batch):
        entries.extend(entry.meta.stream_sequence for entry in batch)

    ledger.include(router)
    await ledger.start()
    await emit(bus, rejected, 0, 3)
    await eventually(lambda: len(set(entries)) == 3)
    provisioned.kill()
    provisioned.start()
    await emit(bus, rejected, 3, 6)
    await eventually(lambda: set(entries) == {1, 2, 3, 4, 5, 6})
