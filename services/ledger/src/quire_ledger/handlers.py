"""The log into the database, and questions into answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from opentelemetry.trace import NoOpTracer
from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError

from quire_bus.delivery import Logged
from quire_bus.router import Router
from quire_bus.tracing import processing
from quire_contracts.query import EventList, FindEvents, FindJobs, JobList
from quire_contracts.registry import entry_named
from quire_ledger.database import create, mark, open_engine
from quire_ledger.event import from_log
from quire_ledger.questions import find_events, find_jobs
from quire_ledger.rebuild import copy_log, read_again
from quire_ledger.settings import Settings
from quire_ledger.writing import store
from quire_resilience.errors import Transient
from quire_service import Deps, Parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Tracer
    from sqlalchemy.ext.asyncio import AsyncEngine

DURABLE = "ledger-log"
PAUSE_SECONDS = 1.0
PAUSE_EACH, PAUSE_AT_LEAST, PAUSE_AT_MOST = 0.001, 0.05, 0.25
"""Seconds without a transaction after one, by the number of its events; what comes alone is stored at once."""

T = TypeVar("T")


async def build(deps: Deps[Settings]) -> Parts:
    """The ledger's parts: it follows the log, catches up with what it has not seen, and answers."""
    settings = deps.settings
    engine = open_engine(settings.database_url)
    deps.lifetime.push_async_callback(engine.dispose)
    await _create(deps, engine)
    router = Router("ledger")
    complete = asyncio.Event()

    @router.follow(DURABLE, batch=settings.batch)
    async def on_events(entries: Sequence[Logged]) -> None:
        events = [from_log(entry) for entry in entries]
        # Before the ledger has caught up, a position would hide what lies between it and the last one.
        position = events[-1].sequence if complete.is_set() else None
        with _spans(deps.tracer, entries):
            await store(engine, events, position=position)
        # The more came at once, the more will: each transaction waits for the disk, so they are made fewer and larger.
        await deps.clock.sleep(min(PAUSE_AT_MOST, max(PAUSE_AT_LEAST, PAUSE_EACH * len(events))))

    @router.answer("jobs", FindJobs)
    async def on_find_jobs(question: FindJobs) -> JobList:
        return await _asked(find_jobs(engine, question))

    @router.answer("events", FindEvents)
    async def on_find_events(question: FindEvents) -> EventList:
        return await _asked(find_events(engine, question))

    async def catch_up(stopping: asyncio.Event) -> None:
        async def read() -> None:
            count = await _patiently(deps, lambda: _catch_up(deps, engine))
            complete.set()
            deps.log.info("caught up with the log", events=count)
            again = await _patiently(deps, lambda: read_again(engine, batch=settings.batch))
            if again:
                deps.log.info("read the stored events again", events=again)

        await _unless(stopping, read())
        await stopping.wait()

    async def check_database() -> None:
        async with engine.connect() as connection:
            await connection.execute(select(1))

    return Parts(routers=(router,), background={"catch-up": catch_up}, checks={"database": check_database})


async def _create(deps: Deps[Settings], engine: AsyncEngine) -> None:
    """Make the tables as soon as the database is there; it may be starting beside this service."""
    patience = deps.clock.monotonic() + deps.settings.start_seconds
    while True:
        try:
            return await create(engine)
        except (OperationalError, InterfaceError) as error:
            if deps.clock.monotonic() >= patience:
                raise
            deps.log.warning("waiting for the database", error=str(error.orig)[:300])
        await deps.clock.sleep(PAUSE_SECONDS)


async def _catch_up(deps: Deps[Settings], engine: AsyncEngine) -> int:
    """Store what stands behind the ledger's position: all of it for a new or restored database, else next to nothing.

    The durable alone would not do: it was acknowledged in the name of the database that is gone.
    """
    async with engine.connect() as connection:
        position = await mark(connection, "position") or 0
    return await copy_log(engine, deps.bus.read_log(after=position), batch=deps.settings.batch)


async def _patiently(deps: Deps[Settings], work: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await work()
        except (Transient, OperationalError, InterfaceError) as error:
            deps.log.warning("cannot catch up yet", error=str(error)[:500])
        await deps.clock.sleep(PAUSE_SECONDS)


async def _unless(stopping: asyncio.Event, work: Awaitable[None]) -> None:
    """Do `work`, or leave it when the service stops."""
    working, stopped = asyncio.ensure_future(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        # Asked more than once: before Python 3.12 `asyncio.wait_for`, in libraries too, can swallow a cancellation.
        while not working.done():
            working.cancel()
            await asyncio.wait({working}, timeout=1.0)
    if not working.cancelled():
        working.result()


async def _asked(answer: Awaitable[T]) -> T:
    """An answer from the database; a database that is away is no fault of the question."""
    try:
        return await answer
    except (OperationalError, InterfaceError):
        raise Transient("the ledger's database does not answer", code="database-away") from None


@contextlib.contextmanager
def _spans(tracer: Tracer, entries: Sequence[Logged]) -> Iterator[None]:
    """The ledger's share of each event's trace: a span from its arrival to the commit that holds it."""
    with contextlib.ExitStack() as stack:
        for logged in () if isinstance(tracer, NoOpTracer) else entries:
            entry = entry_named(logged.meta.type)
            if entry is not None and logged.meta.traceparent:
                stack.enter_context(processing(tracer, entry, logged.meta, DURABLE))
        yield
