from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import ledger_lives as lives
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from quire_contracts.preparation import Baseline
from quire_contracts.query import FindEvents, FindJobs
from quire_contracts.result import Best, OptimizeResult, Quality
from quire_contracts.verdict import Confidence, Verdict
from quire_ledger.database import ShapeError, create, mark, open_engine
from quire_ledger.questions import find_events, find_jobs
from quire_ledger.tables import EVENTS, JOBS, MARKS, METADATA
from quire_ledger.writing import store


async def everything(engine):
    async with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in await connection.execute(select(table).order_by(*table.primary_key))]
            for table in METADATA.sorted_tables
            if table is not MARKS
        }


LOG = lives.logged(
    [
        *lives.life("j1"),
        lives.accepted("j2", minute=1),
        lives.rejected("j3"),
        lives.failed("j2"),
        lives.refused("j1"),
        lives.accepted("j4", minute=2, tenant="other"),
        lives.scored("j4", tenant="other"),
        lives.scored("j4", task="second", tenant="other"),
        lives.cancelled("j1"),
        lives.completed("j2"),
    ]
)


async def test_what_is_stored_twice_is_stored_once(engine):
    await store(engine, LOG, position=LOG[-1].sequence)
    once = await everything(engine)
    await store(engine, LOG, position=LOG[-1].sequence)
    assert await everything(engine) == once
    assert len(once["events"]) == len(LOG)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shuffled=st.permutations(LOG), cut=st.integers(1, len(LOG) - 1), again=st.integers(0, len(LOG) - 1))
async def test_rows_are_a_function_of_the_set_of_events_whatever_their_order(tmp_path_factory, shuffled, cut, again):
    folder = tmp_path_factory.mktemp("ledger")
    rows = []
    for name, batches in (("in-order", [LOG]), ("shuffled", [shuffled[:cut], shuffled[cut:], [shuffled[again]]])):
        engine = open_engine(f"sqlite:///{folder}/{name}.sqlite3")
        await create(engine)
        for batch in batches:
            await store(engine, batch)
        rows.append(await everything(engine))
        await engine.dispose()
    assert rows[0] == rows[1]


async def test_a_batch_is_stored_whole_or_not_at_all(engine):
    broken = lives.event(lives.accepted("j9", accepted_at="soon"), 99)
    with pytest.raises(Exception, match="astimezone"):
        await store(engine, [*LOG, broken], position=99)
    assert not (await everything(engine))["events"]
    async with engine.connect() as connection:
        assert await mark(connection, "position") is None


async def test_a_cancelled_batch_is_stored_whole_and_locks_nobody_out(engine, database_url):
    for pauses in range(8):
        storing = asyncio.create_task(store(engine, LOG, position=pauses + 1))
        for _ in range(pauses):
            await asyncio.sleep(0)  # a cancellation at each of its first steps
        storing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await storing
        assert pauses == 0 or len((await everything(engine))["events"]) == len(LOG)
    await engine.dispose()
    other = open_engine(database_url)
    await asyncio.wait_for(store(other, LOG, position=99), 5)
    await other.dispose()


async def test_the_position_never_goes_back(engine):
    await store(engine, LOG[:3], position=50)
    await store(engine, LOG[:3], position=20)
    await store(engine, LOG[3:4])
    async with engine.connect() as connection:
        assert await mark(connection, "position") == 50


async def test_times_come_back_as_the_same_instant_in_utc(engine):
    east = timezone(timedelta(hours=9))
    new_year = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=east)
    await store(engine, [lives.event(lives.accepted("j1", accepted_at=new_year), 1)])
    async with engine.connect() as connection:
        (found,) = await connection.execute(select(JOBS.c.accepted_at))
    assert found[0] == datetime(2025, 12, 31, 15, 0, 0, 1, tzinfo=UTC)
    assert found[0].utcoffset() == timedelta(0)


async def test_jobs_are_found_by_tenant_state_and_project_newest_first(engine):
    await store(engine, LOG)
    jobs = (await find_jobs(engine, FindJobs(tenant="acme"))).jobs
    assert [(job.job_id, job.state) for job in jobs] == [("j2", "failed"), ("j3", "rejected"), ("j1", "completed")]
    assert (jobs[0].degraded, jobs[0].reason, jobs[0].kind) == (False, "the device is away", "optimize")
    assert [job.job_id for job in (await find_jobs(engine, FindJobs(tenant="acme", state="failed"))).jobs] == ["j2"]
    assert (await find_jobs(engine, FindJobs(tenant="acme", project="elsewhere"))).jobs == ()
    same = (await find_jobs(engine, FindJobs(tenant="acme", content_sha256=lives.SHA))).jobs
    assert [job.job_id for job in same] == ["j2", "j1"]
    assert (await find_jobs(engine, FindJobs(tenant="acme", content_sha256="0" * 64))).jobs == ()
    page = await find_jobs(engine, FindJobs(tenant="acme", limit=1))
    rest = await find_jobs(engine, FindJobs(tenant="acme", before=page.jobs[0].accepted_at))
    assert [job.job_id for job in (*page.jobs, *rest.jobs)] == ["j2", "j3", "j1"]


async def test_a_submission_refused_at_the_door_is_listed_without_a_kind(engine):
    await store(engine, LOG)
    (job,) = (await find_jobs(engine, FindJobs(tenant="acme", state="rejected"))).jobs
    assert (job.job_id, job.kind, job.reason, job.accepted_at) == ("j3", None, "no kind", job.ended_at)
    assert job.accepted_at == LOG[11].time


async def test_a_job_that_goes_on_shows_what_it_has_spent_so_far(engine):
    await store(engine, LOG)
    (job,) = (await find_jobs(engine, FindJobs(tenant="other"))).jobs
    assert (job.job_id, job.state, job.shots, job.cost_usd, job.ended_at) == ("j4", "scored", 4000, 0.5, None)
    assert type(job.shots) is int


async def test_a_life_is_read_in_order_and_page_by_page(engine):
    await store(engine, list(reversed(LOG)))
    life = (await find_events(engine, FindEvents(tenant="acme", job_id="j1"))).events
    assert [each.sequence for each in life] == [1, 3, 7, 9, 11, 13, 15, 17, 19, 35]
    page = (await find_events(engine, FindEvents(tenant="acme", job_id="j1", after=7, limit=2))).events
    assert [each.type for each in page] == ["io.quire.task.failed.v1", "io.quire.loop.advanced.v1"]
    assert page[0].data == LOG[4].data


async def test_an_answer_stays_below_the_limit_of_a_message(engine):
    wide = [lives.event(lives.accepted("j1", name="x" * 60_000, minute=place), place) for place in range(1, 9)]
    await store(engine, wide)
    found = (await find_events(engine, FindEvents(tenant="acme", job_id="j1"))).events
    assert [each.sequence for each in found] == [1, 2, 3]


async def test_tables_of_another_shape_are_left_alone(engine):
    await create(engine)
    async with engine.begin() as connection:
        await connection.execute(update(MARKS).where(MARKS.c.name == "shape").values(value=99))
    with pytest.raises(ShapeError, match="shape 99"):
        await create(engine)


def test_another_kind_of_database_is_refused():
    with pytest.raises(ValueError, match="mysql"):
        open_engine("mysql://x/y")


async def test_an_event_of_an_unknown_type_is_kept(engine):
    known = lives.event(lives.accepted("j1"), 1)
    row = {name: getattr(known, name) for name in EVENTS.c.keys()}  # noqa: SIM118
    row.update(type="io.quire.job.dreamt.v7", data='{"new":"field"}')
    await store(engine, [type(known)(**row, message=None)])
    assert (await everything(engine))["events"][0][-1] == '{"new":"field"}'


async def test_a_job_that_repeats_another_says_which(engine):
    log = lives.logged([lives.accepted("j1"), lives.accepted("j2", replay_of="j1", minute=1)])
    await store(engine, log, position=log[-1].sequence)
    jobs = (await find_jobs(engine, FindJobs(tenant="acme"))).jobs
    assert [(job.job_id, job.replay_of) for job in jobs] == [("j2", "j1"), ("j1", None)]


async def test_children_are_left_out_unless_somebody_asks_for_them(engine):
    log = [
        lives.accepted("j1"),
        lives.accepted("c1", parent="j1", minute=1),
        lives.accepted("c2", parent="j1", minute=2),
    ]
    await store(engine, lives.logged([*log, lives.accepted("j2", minute=3)]))

    async def found(**asked):
        return [(job.job_id, job.parent) for job in (await find_jobs(engine, FindJobs(tenant="acme", **asked))).jobs]

    assert await found() == [("j2", None), ("j1", None)]
    assert await found(parent="j1") == [("c2", "j1"), ("c1", "j1")]
    assert await found(children=True) == [("j2", None), ("c2", "j1"), ("c1", "j1"), ("j1", None)]


async def test_a_list_has_the_verdicts_and_finds_what_a_person_is_to_look_at(engine):
    verdict = Verdict(call="classical better", reason="by 2", confidence=Confidence(0.5, (), "person"))
    known = Baseline(method="exact", value=9.0, assignment=(0, 1), exact=True)
    result = OptimizeResult(Best(7.0, (0, 1)), (), known, Quality(), verdict=verdict)
    log = [
        *(lives.accepted("j1"), lives.completed("j1", result=result, needs_review="the gap is 0.2")),
        *(lives.accepted("j2", minute=1), lives.completed("j2", result=None)),
    ]
    await store(engine, lives.logged(log))

    async def found(**asked):
        jobs = (await find_jobs(engine, FindJobs(tenant="acme", **asked))).jobs
        return [(job.job_id, job.verdict, job.needs_review) for job in jobs]

    judged = ("j1", "classical better", "the gap is 0.2")
    assert await found() == [("j2", None, ""), judged]
    assert await found(needs_review=True) == [judged]
