"""`python -m quire_ledger.rebuild`: forget every projection and read it off the log again.

It may be done beside a running ledger: what that cannot store meanwhile, it stores afterwards.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, inspect, select

from quire_bus.bus import Bus, BusSettings
from quire_ledger import sheet
from quire_ledger.database import create, finished, mark, open_engine
from quire_ledger.event import from_log, from_row
from quire_ledger.projection import PROJECTED
from quire_ledger.settings import Settings
from quire_ledger.tables import EVENTS, MARKS, METADATA, PROJECTIONS, READING
from quire_ledger.writing import project, raise_mark, store
from quire_resilience.errors import Transient
from quire_service import Exit, SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import ColumnElement, Connection, Select
    from sqlalchemy.ext.asyncio import AsyncEngine

    from quire_bus.delivery import Logged
    from quire_ledger.event import Event


async def copy_log(engine: AsyncEngine, log: AsyncIterator[Logged], *, batch: int) -> int:
    """Store everything that `log` gives, in order, up to `batch` events in a transaction; how many there were."""
    count = 0
    held: list[Event] = []
    async for logged in log:
        held.append(from_log(logged))
        if len(held) == batch:
            await store(engine, held, position=held[-1].sequence)
            count, held = count + len(held), []
    if held:
        await store(engine, held, position=held[-1].sequence)
    return count + len(held)


async def rebuild(engine: AsyncEngine, bus: Bus, *, batch: int = 256) -> int:
    """Drop the projections and make them again; how many events they were made from.

    Events that are older than what the log still keeps are kept and read from the ledger's own table; all others are
    read from the log. The rows come out as they would have from following it.
    """
    first, _ = await bus.bounds()
    async with engine.begin() as connection:
        await connection.run_sync(_drop_projections)
    await create(engine)
    async with engine.begin() as connection:
        await connection.execute(delete(EVENTS).where(EVENTS.c.sequence >= first))
    kept = await _project_kept(engine, EVENTS.c.sequence < first, batch)
    return kept + await copy_log(engine, bus.read_log(), batch=batch)


async def read_again(engine: AsyncEngine, *, batch: int) -> int:
    """Read off the stored events what an earlier release did not; how many there were, 0 where nothing is to be read.

    What was read before changes nothing, and what is stored meanwhile is read as it comes: begun anew as often as it is
    cut short, it comes to what a rebuild would.
    """
    async with engine.connect() as connection:
        read = await mark(connection, "reading") or 1
    if read >= READING:
        return 0
    count = await _project_kept(engine, EVENTS.c.type.in_(PROJECTED), batch)
    await finished(_read(engine))
    return count


async def _project_kept(engine: AsyncEngine, which: ColumnElement[bool], batch: int) -> int:
    count, position = 0, -1
    query = select(EVENTS).where(which).order_by(EVENTS.c.sequence).limit(batch)
    while True:
        events = await finished(_project_some(engine, query.where(EVENTS.c.sequence > position)))
        if not events:
            return count
        count, position = count + len(events), events[-1].sequence


async def _project_some(engine: AsyncEngine, query: Select[Any]) -> list[Event]:
    async with engine.begin() as connection:
        found = await connection.execute(query)
        events = [from_row(row) for row in found.mappings()]
        await project(connection, events)
    return events


async def _read(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await raise_mark(connection, "reading", READING)


def _drop_projections(connection: Connection) -> None:
    sheet.drop(connection)
    there = inspect(connection).get_table_names()
    METADATA.drop_all(connection, tables=[table for table in (*PROJECTIONS, MARKS) if table.name in there])


async def _main(settings: Settings) -> int:
    engine = open_engine(settings.database_url)
    try:
        broker = BusSettings(
            url=settings.nats_url,
            name="ledger",
            nkeys_seed=settings.nats_nkey_seed_file,
            tls_ca=settings.nats_tls_ca_file,
        )
        async with Bus.connect(broker) as bus:
            return await rebuild(engine, bus, batch=settings.batch)
    finally:
        await engine.dispose()


def main() -> None:
    """Rebuild what the ledger's settings name, and say how many events it took."""
    try:
        count = asyncio.run(_main(load_settings(Settings, "ledger")))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(Exit.SETTINGS)
    except Transient as error:
        sys.stderr.write(f"the log cannot be read: {error.reason}\n")
        sys.exit(Exit.BROKER)
    sys.stdout.write(f"rebuilt from {count} events\n")


if __name__ == "__main__":
    main()
