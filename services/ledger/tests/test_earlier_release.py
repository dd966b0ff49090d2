"""A database that an earlier release made and filled: it gets what this one has, and is read again, not rebuilt."""

from __future__ import annotations

import ledger_lives as lives
import pytest
from sqlalchemy import inspect, select, text

from quire_ledger.__main__ import SERVICE
from quire_ledger.database import create, mark
from quire_ledger.rebuild import read_again
from quire_ledger.settings import Settings
from quire_ledger.tables import EVIDENCE, MARKS, PARENTS, QUALITY, READING, VERDICTS
from quire_ledger.writing import store
from quire_service import hosted
from quire_testing import eventually

OLD_VERDICTS = {
    *("tenant", "job_id", "verdict", "certainty", "classical", "bound", "bound_gap", "tts99_seconds"),
    *("confidence", "outcome", "needs_review"),
}
NEW_IN_QUALITY = {"baseline_bound", "baseline_bound_method", "baseline_gap"}
LOG = lives.logged([*lives.life("j1"), lives.accepted("c1", parent="j1"), lives.completed("c1")])


def ordered(table):
    return select(table).order_by(*table.primary_key)


async def rows(engine, *tables):
    async with engine.connect() as connection:
        return [tuple(row) for table in tables for row in await connection.execute(ordered(table))]


@pytest.fixture
async def old(engine):
    """The ledger as an earlier release left it, and what this one would have made of it."""
    await store(engine, LOG, position=LOG[-1].sequence)
    wanted = await rows(engine, VERDICTS, QUALITY, EVIDENCE, PARENTS)
    async with engine.begin() as connection:
        await connection.execute(text("DROP VIEW sheet"))
        for table in (EVIDENCE, PARENTS):
            await connection.execute(text(f"DROP TABLE {table.name}"))
        for column in (*VERDICTS.c, *QUALITY.c):
            if column.name in NEW_IN_QUALITY if column.table is QUALITY else column.name not in OLD_VERDICTS:
                await connection.execute(text(f"ALTER TABLE {column.table.name} DROP COLUMN {column.name}"))
        await connection.execute(MARKS.delete().where(MARKS.c.name == "reading"))
    return engine, wanted


async def test_missing_tables_and_columns_are_made_and_filled_from_the_stored_events(old):
    engine, wanted = old
    await create(engine)
    async with engine.connect() as connection:
        columns = await connection.run_sync(lambda sync: inspect(sync).get_columns("verdicts"))
    assert {each["name"] for each in columns} == set(VERDICTS.c.keys())
    assert await rows(engine, EVIDENCE, PARENTS) == []
    assert await read_again(engine, batch=3) == len(LOG)
    assert await rows(engine, VERDICTS, QUALITY, EVIDENCE, PARENTS) == wanted
    async with engine.connect() as connection:
        assert await mark(connection, "reading") == READING
    assert await read_again(engine, batch=3) == 0


async def test_a_new_database_is_not_read_again(engine):
    assert await read_again(engine, batch=3) == 0


async def test_the_service_does_it_by_itself_when_it_starts(old, provisioned, database_url):
    engine, wanted = old
    settings = Settings(nats_url=provisioned.url, database_url=database_url)
    async with hosted(SERVICE, settings):

        async def done():
            async with engine.connect() as connection:
                return await mark(connection, "reading") == READING

        await eventually(done, within=20)
    assert await rows(engine, VERDICTS, QUALITY, EVIDENCE, PARENTS) == wanted
