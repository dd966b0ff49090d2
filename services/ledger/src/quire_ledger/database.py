"""The database behind a URL: SQLite or PostgreSQL, opened with the settings that make a commit mean something."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import event, insert, inspect, make_url, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.schema import CreateColumn

from quire_ledger import sheet
from quire_ledger.tables import MARKS, METADATA, READING, SHAPE

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


FINISH_SECONDS: Final = 5.0
"""How long a transaction that has begun may go on after its task was cancelled."""

T = TypeVar("T")


class ShapeError(RuntimeError):
    """The tables in the database are of another release; they must be rebuilt before this one can use them."""


def open_engine(url: str) -> AsyncEngine:
    """An engine for `sqlite:///path` or `postgresql://user:password@host/database`; nothing is connected yet.

    Raises:
        ValueError: for a URL of any other kind of database.
    """
    parsed = make_url(url)
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise ValueError(f"the ledger keeps its rows in sqlite or postgresql, not in {parsed.get_backend_name()}")
    parsed = parsed.set(drivername=driver)
    if parsed.get_backend_name() == "sqlite":
        engine = create_async_engine(parsed)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        return engine
    return create_async_engine(parsed, pool_size=4, max_overflow=4, pool_pre_ping=True)


async def create(engine: AsyncEngine) -> None:
    """Make the tables and columns that are missing, and the view. Doing it again, or in two replicas, changes nothing.

    Raises:
        ShapeError: if the database holds tables of another shape.
    """
    if engine.dialect.name == "sqlite" and engine.url.database:
        await asyncio.to_thread(Path(engine.url.database).parent.mkdir, parents=True, exist_ok=True)
    await finished(_create(engine))


async def _create(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await _one_at_a_time(connection)
        await connection.run_sync(METADATA.create_all)
        found = await mark(connection, "shape")
        if found is None:
            marks = {"shape": SHAPE, "reading": READING}
            await connection.execute(insert(MARKS), [{"name": name, "value": value} for name, value in marks.items()])
        elif found != SHAPE:
            detail = f"the ledger's tables are of shape {found}, this release needs {SHAPE}"
            raise ShapeError(f"{detail}: run python -m quire_ledger.rebuild")
        await connection.run_sync(_add_columns)
        await connection.run_sync(sheet.make)


def _add_columns(connection: Connection) -> None:
    """Those of this release that the tables of an earlier one lack, empty."""
    there, names = inspect(connection), connection.dialect.identifier_preparer
    for table in METADATA.sorted_tables:
        known = {column["name"] for column in there.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                added = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {names.format_table(table)} ADD COLUMN {added}")


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """Do `work`, a whole transaction, and when cancelled leave only once it is over.

    A cancellation inside a statement makes SQLAlchemy drop the connection as it is; SQLite's then keeps its lock for as
    long as this process lives.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        done, _ = await asyncio.wait({task}, timeout=FINISH_SECONDS)
        if not done:
            task.cancel()
        elif not task.cancelled():
            task.exception()  # nobody is left to hear of it; what was not stored comes again
        raise


async def mark(connection: AsyncConnection, name: str) -> int | None:
    """The value of a mark, or None where there is none."""
    return (await connection.execute(select(MARKS.c.value).where(MARKS.c.name == name))).scalar_one_or_none()


async def _one_at_a_time(connection: AsyncConnection) -> None:
    """PostgreSQL's CREATE TABLE IF NOT EXISTS can fail when two sessions do it at once; SQLite locks by itself."""
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7182818284)")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # Readers go on beside the writer, and what is acknowledged to the broker must survive a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
