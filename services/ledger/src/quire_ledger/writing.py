"""Events into rows: one transaction for a batch, its changes and the position together."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func
from sqlalchemy.dialects import postgresql, sqlite

from quire_ledger.change import Change
from quire_ledger.database import finished
from quire_ledger.projection import changes_of
from quire_ledger.tables import EVENTS, MARKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from quire_ledger.event import Event

    Upsert = postgresql.Insert | sqlite.Insert

_COLUMNS: Final = tuple(column.name for column in EVENTS.c)


async def store(engine: AsyncEngine, events: Sequence[Event], *, position: int | None = None) -> None:
    """Keep `events`, make their changes and raise the position, all or nothing; also when cancelled meanwhile.

    events: at least one, in any order; those that were stored before change nothing.
    position: the sequence up to which all is now stored, or None where that is not known.
    """
    await finished(_store(engine, events, position))


async def _store(engine: AsyncEngine, events: Sequence[Event], position: int | None) -> None:
    async with engine.begin() as connection:
        rows = [{name: getattr(event, name) for name in _COLUMNS} for event in events]
        await connection.execute(_upsert(connection.dialect.name, EVENTS).on_conflict_do_nothing(), rows)
        await project(connection, events)
        if position is not None:
            await raise_mark(connection, "position", position)


async def raise_mark(connection: AsyncConnection, name: str, value: int) -> None:
    """Let a mark be at least that, inside the caller's transaction."""
    await _write(connection, MARKS, ranked="value", changes=[Change(MARKS, {"name": name}, {"value": value})])


async def project(connection: AsyncConnection, events: Iterable[Event]) -> None:
    """Make the changes of `events`, which are stored already, inside the caller's transaction."""
    # Changes commute, so they can be gathered by the shape of their statement and written many at a time.
    gathered: dict[tuple[str, tuple[str, ...], bool], list[Change]] = defaultdict(list)
    for change in _outranking([change for event in events for change in changes_of(event)]):
        gathered[change.table.name, tuple(change.values), change.rank is not None].append(change)
    for (_, _, ranked), changes in gathered.items():
        await _write(connection, changes[0].table, ranked="rank" if ranked else None, changes=changes)


def _outranking(changes: Sequence[Change]) -> list[Change]:
    """The changes without those that a higher rank among them would overwrite whole: most words on a busy job."""
    highest: dict[tuple[object, ...], Change] = {}
    for change in changes:
        if change.rank is not None:
            row = (change.table.name, *change.key.values())
            known = highest.get(row)
            if known is None or change.rank > (known.rank or 0):
                highest[row] = change
    return [
        change
        for change in changes
        if change.rank is None
        or (winner := highest[change.table.name, *change.key.values()]) is change
        or not change.values.keys() <= winner.values.keys()
    ]


async def _write(connection: AsyncConnection, table: Table, *, ranked: str | None, changes: Sequence[Change]) -> None:
    """Insert or update one row for each change; all name the same columns.

    ranked: the column that must be lower than the new one for an existing row to be updated.
    """
    rows: list[dict[str, Any]] = []
    for change in changes:
        rank = {"rank": change.rank} if change.rank is not None else {}
        rows.append({**change.key, **change.values, **rank})
    keys, columns = tuple(changes[0].key), tuple(rows[0])
    await connection.execute(_merge(connection.dialect.name, table, keys, columns, ranked), rows)


@cache
def _merge(dialect: str, table: Table, keys: tuple[str, ...], columns: tuple[str, ...], ranked: str | None) -> Upsert:
    """Insert the columns, or update them where the keys are there already; there are about a dozen such statements."""
    statement = _upsert(dialect, table)
    new = {name: statement.excluded[name] for name in columns if name not in keys}
    higher = None if ranked is None else statement.excluded[ranked] > func.coalesce(table.c[ranked], -1)
    return statement.on_conflict_do_update(index_elements=list(keys), set_=new, where=higher)


def _upsert(dialect: str, table: Table) -> Upsert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
