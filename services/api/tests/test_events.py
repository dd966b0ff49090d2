from __future__ import annotations

import asyncio
import contextlib

import pytest
from api_house import BELL, NOW, Events

from quire_contracts.control import LoopAdvanced, Progress
from quire_contracts.job import JobCancelled
from quire_contracts.result import Round
from quire_testing import eventually


@contextlib.asynccontextmanager
async def stream(served, job_id="j1", after=None):
    headers = {"Last-Event-ID": str(after)} if after is not None else {}
    async with served.client.stream("GET", f"/v1/jobs/{job_id}/events?tenant=acme", headers=headers) as response:
        yield Events(response)


def advanced(number):
    step = Round(round=number, objective=1.0, best=1.0, std_error=None, target="simulation")
    return LoopAdvanced(job_id="j1", tenant="acme", rounds=20, round=step)


async def test_a_life_is_told_from_the_beginning_to_its_end(served):
    record = await served.take("j1")
    async with stream(served) as events:
        assert events.response.headers["Content-Type"].startswith("text/event-stream")
        name, id_, data = await events.next()
        assert (name, data["type"], data["data"]["job_id"]) == ("job.accepted", "io.quire.job.accepted.v1", "j1")
        assert (data["specversion"], data["source"], data["subject"]) == ("1.0", "/quire/helper", "j1")
        assert int(id_) == data["sequence"]
        await served.say(advanced(1))
        assert (await events.next())[0] == "loop.advanced"
        await served.complete(record)
        ends = await events.rest()
    assert [name for name, _, _ in ends] == ["job.completed"]
    assert ends[0][2]["data"]["result"]["counts"] == [{"00": 60, "11": 40}]
    await eventually(lambda: served.door.waiting == 0)


async def test_a_broken_stream_goes_on_where_it_was(served):
    record = await served.take("j1")
    await served.say(advanced(1))
    async with stream(served) as events:
        await events.next()
        _, last_seen, _ = await events.next()
    await served.say(advanced(2))
    await served.complete(record)
    async with stream(served, after=last_seen) as events:
        assert [name for name, _, _ in await events.rest()] == ["loop.advanced", "job.completed"]


async def test_who_has_seen_the_end_is_told_to_stay_away(served):
    await served.complete(await served.take("j1"))
    async with stream(served) as events:
        (_, last_seen, _) = (await events.rest())[-1]
    async with stream(served, after=last_seen) as events:
        assert events.response.status_code == 204
    answer = await served.client.get("/v1/jobs/j1/events", params={"tenant": "acme", "after": last_seen})
    assert answer.status_code == 204


async def test_remarks_come_live_and_without_an_id(served):
    record = await served.take("j1")
    async with stream(served) as events:
        await events.next()

        async def remarked():
            await served.bus.publisher.progress(Progress(job_id="j1", tenant="acme", stage="round", round=3, rounds=20))
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(events.next(), 0.2)

        name, id_, data = await eventually(remarked)
        assert (name, id_, data["round"]) == ("progress", None, 3)
        await served.complete(record)


async def test_an_idle_stream_is_kept_open_by_comments(served):
    await served.take("j1")
    async with served.client.stream("GET", "/v1/jobs/j1/events?tenant=acme") as response:
        async for line in response.aiter_lines():
            if line == ": still here":
                break
    assert line == ": still here"


async def test_a_client_that_leaves_leaves_nothing_behind(served):
    await served.take("j1")
    async with stream(served) as events:
        await events.next()
        assert served.door.waiting == 1
    await eventually(lambda: served.door.waiting == 0)


async def test_a_closing_door_ends_its_streams(served):
    await served.take("j1")
    async with stream(served) as events:
        await events.next()
        served.door.stopping.set()
        assert await asyncio.wait_for(events.rest(), 2) == []


async def test_streams_are_bounded(served):
    await served.take("j1")
    async with contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(stream(served)) for _ in range(served.door.settings.streams)]
        for events in opened:
            await events.next()
        answer = await served.client.get("/v1/jobs/j1/events?tenant=acme")
        assert (answer.status_code, answer.json()["code"]) == (503, "too-many-streams")


@pytest.mark.parametrize("after", ["-1", "x"])
async def test_a_place_that_is_none_is_refused(served, after):
    await served.take("j1")
    async with stream(served, after=after) as events:
        assert events.response.status_code == 400


async def test_nothing_is_told_of_an_unknown_job(served):
    assert (await served.client.get("/v1/jobs/nobody/events")).status_code == 404


async def test_a_life_that_begins_after_its_submission_is_told_whole(served):
    job_id = (await served.client.post("/v1/jobs", json=BELL)).json()["job_id"]
    async with stream(served, job_id) as events:
        first = asyncio.create_task(events.next())
        await served.take(job_id)
        assert (await first)[0] == "job.accepted"
        await served.say(JobCancelled(job_id=job_id, tenant="acme", kind="sample", reason="enough"))
        assert [name for name, _, _ in await events.rest()] == ["job.cancelled"]
    assert NOW.tzinfo is not None


async def test_a_slow_reader_loses_no_event(served):
    record = await served.take("j1")
    async with stream(served) as events:
        for number in range(300):
            await served.say(advanced(number))
        await served.complete(record)
        told = [name for name, _, _ in await events.rest()]
    assert told == ["job.accepted", *["loop.advanced"] * 300, "job.completed"]
