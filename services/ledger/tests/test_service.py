from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack

import ledger_lives as lives
import pytest
import structlog
from sqlalchemy import delete, func, insert, select

from quire_contracts.query import EventList, FindEvents, FindJobs, JobList
from quire_ledger.__main__ import SERVICE
from quire_ledger.database import create, open_engine
from quire_ledger.handlers import _asked, build
from quire_ledger.questions import find_jobs
from quire_ledger.rebuild import rebuild
from quire_ledger.settings import Settings
from quire_ledger.tables import EVENTS, JOBS, MARKS, METADATA
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Transient
from quire_service import Deps, hosted
from quire_service.hosting import ServiceFailed
from quire_testing import eventually


async def everything(engine):
    async with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in await connection.execute(select(table).order_by(*table.primary_key))]
            for table in METADATA.sorted_tables
            if table is not MARKS  # where a reader stands is no row of what it read
        }


async def stored(engine, count):
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(EVENTS))).scalar_one() >= count


async def say(bus, messages):
    for message in messages:
        await bus.publisher.publish(message)


@pytest.fixture
def settings(provisioned, database_url):
    return Settings(nats_url=provisioned.url, database_url=database_url, graceful_seconds=3.0)


LIVES = [
    *lives.life("j1"),
    lives.accepted("j2", minute=1),
    lives.failed("j2"),
    lives.rejected("j3"),
    lives.refused("j1"),
]


async def test_the_log_becomes_rows_and_the_rows_become_answers(settings, bus, engine):
    async with hosted(SERVICE, settings) as running:
        await say(bus, LIVES)
        await eventually(lambda: stored(engine, len(LIVES)))
        jobs = await bus.ask("ledger", "jobs", FindJobs(tenant="acme"), JobList)
        assert [(job.job_id, job.state) for job in jobs.jobs] == [
            ("j3", "rejected"),
            ("j2", "failed"),
            ("j1", "completed"),
        ]
        life = await bus.ask("ledger", "events", FindEvents(tenant="acme", job_id="j1"), EventList)
        assert [event.type.split(".", 2)[2] for event in life.events][:2] == ["job.accepted.v1", "job.prepared.v1"]
        assert await running.faults() == {}


async def test_rebuilt_rows_equal_those_of_following_row_for_row(settings, bus, engine):
    async with hosted(SERVICE, settings):
        await say(bus, LIVES)
        await eventually(lambda: stored(engine, len(LIVES)))
    followed = await everything(engine)
    assert await rebuild(engine, bus, batch=3) == len(LIVES)
    assert await everything(engine) == followed


async def test_every_event_delivered_twice_leaves_the_same_rows(settings, bus, engine, tmp_path):
    async with hosted(SERVICE, settings):
        await say(bus, LIVES)
        await eventually(lambda: stored(engine, len(LIVES)))
        once = await everything(engine)
        # The second delivery: the position forgotten, the catch-up of the next start reads the whole log again.
    async with engine.begin() as connection:
        await connection.execute(delete(MARKS).where(MARKS.c.name == "position"))
    async with hosted(SERVICE, settings):
        await eventually(lambda: positioned(engine))
    assert await everything(engine) == once


async def positioned(engine):
    async with engine.connect() as connection:
        return (await connection.execute(select(MARKS.c.value).where(MARKS.c.name == "position"))).scalar_one_or_none()


async def test_an_empty_database_catches_up_although_the_durable_was_acknowledged(settings, bus, engine, tmp_path):
    async with hosted(SERVICE, settings):
        await say(bus, LIVES)
        await eventually(lambda: stored(engine, len(LIVES)))
    fresh = f"sqlite:///{tmp_path}/deeper/fresh.sqlite3"
    async with hosted(SERVICE, settings.model_copy(update={"database_url": fresh})):
        other = open_engine(fresh)
        await eventually(lambda: positioned(other))
        copied, original = await everything(other), await everything(engine)
        await other.dispose()
    assert copied == original


async def test_a_rebuild_keeps_what_the_log_has_forgotten(settings, bus, engine):
    old = {name: getattr(lives.event(lives.accepted("old"), 0), name) for name in EVENTS.c.keys()}  # noqa: SIM118
    await create(engine)
    async with engine.begin() as connection:
        await connection.execute(insert(EVENTS).values(**old))
    await say(bus, LIVES)
    assert await rebuild(engine, bus) == len(LIVES) + 1
    async with engine.connect() as connection:
        jobs = (await connection.execute(select(JOBS.c.job_id).order_by(JOBS.c.job_id))).scalars().all()
    assert jobs == ["j1", "j2", "j3", "old"]


async def test_the_command_rebuilds(settings, bus, engine):
    await say(bus, LIVES)
    environment = {
        **os.environ,
        "QUIRE_NATS_URL": settings.nats_url,
        "QUIRE_LEDGER_DATABASE_URL": settings.database_url,
    }
    command = [sys.executable, "-m", "quire_ledger.rebuild"]
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"rebuilt from {len(LIVES)} events\n")
    assert await stored(engine, len(LIVES))


async def test_an_event_of_a_newer_release_is_kept_and_ignored(settings, bus, engine):
    import nats

    client = await nats.connect(settings.nats_url)
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "x-1",
        "ce-source": "/acme/newer",
        "ce-type": "io.quire.job.dreamt.v7",
        "content-type": "application/json",
    }
    await client.jetstream().publish("quire.evt.acme.job.dreamt.v7.j9", b'{"new": 1}', headers=headers)
    await client.close()
    async with hosted(SERVICE, settings):
        await say(bus, [lives.accepted("j9")])
        await eventually(lambda: stored(engine, 2))
    found = await everything(engine)
    dreamt = found["events"][0]
    assert (dreamt[2], dreamt[-1]) == ("io.quire.job.dreamt.v7", '{"new": 1}')
    assert [row[1] for row in found["jobs"]] == ["j9"]


async def test_the_ledgers_spans_join_each_events_trace(settings, make_bus, engine, spans):
    sender = await make_bus("control-plane", tracer=spans.tracer("control-plane"))
    with spans.tracer("control-plane").start_as_current_span("root") as root:
        await say(sender, [lives.accepted("j1"), lives.failed("j1")])
    bus = await make_bus("ledger")
    async with AsyncExitStack() as lifetime:
        deps = Deps(
            settings=settings,
            bus=bus,
            clock=SystemClock(),
            tracer=spans.tracer("ledger"),
            log=structlog.get_logger(),
            instance="test",
            lifetime=lifetime,
        )
        parts = await build(deps)
        for router in parts.routers:
            bus.include(router)
        await bus.start()
        await eventually(lambda: len(spans.named("process job.failed")) == 1)
        await bus.stop()
    (processed,) = spans.named("process job.accepted")
    (sent,) = spans.named("send job.accepted")
    assert processed.context.trace_id == root.get_span_context().trace_id
    assert processed.parent.span_id == sent.context.span_id
    assert processed.resource.attributes["service.name"] == "ledger"
    assert processed.attributes["quire.job.id"] == "j1"


async def test_a_broker_that_comes_back_finds_the_ledger_where_it_was(settings, bus, engine, nats_server):
    async with hosted(SERVICE, settings):
        await say(bus, LIVES[:4])
        await eventually(lambda: stored(engine, 4))
        nats_server.kill()
        nats_server.start()

        async def said():
            await say(bus, LIVES[4:])
            return True

        await eventually(said, within=30)
        await eventually(lambda: stored(engine, len(LIVES)), within=30)


async def test_a_database_that_is_away_is_told_apart_from_a_wrong_question():
    away = open_engine("postgresql://quire@127.0.0.1:1/nothing")
    with pytest.raises(Transient, match="does not answer"):
        await _asked(find_jobs(away, FindJobs(tenant="acme")))
    await away.dispose()


async def test_the_service_waits_for_its_database_but_not_for_ever(provisioned):
    nowhere = "postgresql://quire@127.0.0.1:1/nothing"
    settings = Settings(nats_url=provisioned.url, database_url=nowhere, start_seconds=1.5)
    begun = time.monotonic()
    with pytest.raises(ServiceFailed, match="OperationalError"):
        async with hosted(SERVICE, settings):
            pass
    assert time.monotonic() - begun > 1.5


async def test_a_ledger_of_another_shape_does_not_start(settings, engine):
    async with engine.begin() as connection:
        await connection.execute(MARKS.update().where(MARKS.c.name == "shape").values(value=99))
    with pytest.raises(ServiceFailed, match="shape 99"):
        async with hosted(SERVICE, settings):
            pass
