"""What can be asked of the ledger, answered from its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from sqlalchemy import cast, false, func, select

from quire_contracts.query import EventList, FindEvents, FindJobs, JobList, JobSummary, LoggedEvent
from quire_ledger.tables import EVENTS, EXECUTIONS, JOBS, PARENTS, REPLAYS, TASKS, VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncEngine

ANSWER_BYTES: Final = 200 * 1024
"""An answer is cut here, below the limit of a message: whoever asked pages on."""

T = TypeVar("T", bound=msgspec.Struct)


async def find_jobs(engine: AsyncEngine, question: FindJobs) -> JobList:
    """A tenant's jobs, newest first; a submission that was refused at the door stands where it ended.

    Children are left out, unless they are asked for. Shots and cost of a job that ended without an answer, or has not
    ended, are those of its tasks so far.
    """
    since = func.coalesce(JOBS.c.accepted_at, JOBS.c.ended_at)
    parent = (
        select(PARENTS.c.parent)
        .where(PARENTS.c.tenant == JOBS.c.tenant, PARENTS.c.job_id == JOBS.c.job_id)
        .scalar_subquery()
    )
    judged = JOBS.outerjoin(VERDICTS, (VERDICTS.c.tenant == JOBS.c.tenant) & (VERDICTS.c.job_id == JOBS.c.job_id))
    stated = {
        "accepted_at": since,
        "name": func.coalesce(JOBS.c.name, ""),
        "project": func.coalesce(JOBS.c.project, "default"),
        "priority": func.coalesce(JOBS.c.priority, "research"),
        "degraded": func.coalesce(JOBS.c.degraded, false()),
        "reason": func.coalesce(JOBS.c.reason, ""),
        "shots": func.coalesce(JOBS.c.shots, _spent(TASKS.c.shots), 0),
        "cost_usd": func.coalesce(JOBS.c.cost_usd, _spent(EXECUTIONS.c.cost_usd), 0.0),
        "parent": parent,
        "verdict": VERDICTS.c.verdict,
        "needs_review": func.coalesce(VERDICTS.c.needs_review, ""),
        "replay_of": select(REPLAYS.c.replay_of)
        .where(REPLAYS.c.tenant == JOBS.c.tenant, REPLAYS.c.job_id == JOBS.c.job_id)
        .scalar_subquery(),
    }
    wanted = [(stated[name] if name in stated else JOBS.c[name]).label(name) for name in JobSummary.__struct_fields__]
    known = (JOBS.c.tenant == question.tenant, JOBS.c.state.is_not(None), since.is_not(None))
    query = select(*wanted).select_from(judged).where(*known)
    if question.state is not None:
        query = query.where(JOBS.c.state == question.state)
    if question.project is not None:
        query = query.where(JOBS.c.project == question.project)
    if question.content_sha256 is not None:
        query = query.where(JOBS.c.content_sha256 == question.content_sha256)
    if question.parent is not None:
        query = query.where(parent == question.parent)
    elif not question.children:
        query = query.where(parent.is_(None))
    if question.needs_review:
        query = query.where(VERDICTS.c.needs_review.is_not(None))
    if question.before is not None:
        query = query.where(since < question.before)
    query = query.order_by(since.desc(), JOBS.c.job_id.desc()).limit(question.limit)
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).mappings().all()
    return JobList(jobs=_fitting(JobSummary(**row) for row in rows))


async def find_events(engine: AsyncEngine, question: FindEvents) -> EventList:
    """One job's recorded life, in log order."""
    wanted = [EVENTS.c[name] for name in LoggedEvent.__struct_fields__]
    query = (
        select(*wanted)
        .where(EVENTS.c.tenant == question.tenant, EVENTS.c.key == question.job_id, EVENTS.c.sequence > question.after)
        .order_by(EVENTS.c.sequence)
        .limit(question.limit)
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).mappings().all()
    return EventList(events=_fitting(LoggedEvent(**row) for row in rows))


def _fitting(found: Iterable[T]) -> tuple[T, ...]:
    """The first of `found` that fit an answer together, at least one where there is one."""
    kept: list[T] = []
    size = 0
    for each in found:
        size += len(msgspec.json.encode(each))
        if kept and size > ANSWER_BYTES:
            break
        kept.append(each)
    return tuple(kept)


def _spent(column: ColumnElement[float]) -> ColumnElement[float]:
    """The sum of a column over a job's rows."""
    table = TASKS if column.table is TASKS else EXECUTIONS
    # PostgreSQL sums bigints into a numeric, which is no JSON number.
    query = select(cast(func.sum(column), column.type)).where(
        table.c.tenant == JOBS.c.tenant, table.c.job_id == JOBS.c.job_id
    )
    return query.scalar_subquery()
