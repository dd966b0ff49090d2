"""The view `sheet`: a row for each job with all that the ledger knows of it, for a person with an SQL prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import FromClause, case, cast, func, select, text
from sqlalchemy.sql.ddl import CreateView

from quire_ledger.tables import EVIDENCE, EXECUTIONS, JOBS, PARENTS, QUALITY, REPLAYS, TASKS, VERDICTS

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection, Select, Subquery

NAME: Final = "sheet"

_JOB: Final = ("tenant", "job_id", "kind", "name", "project", "state", "degraded", "reason", "fault_code")
_TIMES: Final = ("accepted_at", "deadline_at", "ended_at")
_VERDICT: Final = (
    "verdict",
    "why",
    "certainty",
    "answer",
    "classical",
    "proven",
    "bound_gap",
    "tts99_shots",
    "tts99_seconds",
    "quantum_seconds",
    "classical_seconds",
    "confidence",
    "outcome",
    "needs_review",
)


def make(connection: Connection) -> None:
    """Make the view as this release has it, in the caller's transaction."""
    drop(connection)
    connection.execute(CreateView(rows(), NAME))


def drop(connection: Connection) -> None:
    """Drop it, if it is there: PostgreSQL drops no table that a view looks at."""
    connection.execute(text(f"DROP VIEW IF EXISTS {NAME}"))


def rows() -> Select[Any]:
    """The view's rows: of every job that was accepted or refused, children too.

    `shots` and `cost_usd` are those that the job stated at its end, else those of its tasks so far; what came too late
    stands beside them (`late_...`). `children_...` count its children by how they ended.
    """
    late, family = _late(), _family()
    told = {
        "value": func.coalesce(VERDICTS.c.value, QUALITY.c.value),
        "source": QUALITY.c.source,
        "gap": QUALITY.c.gap,
        "approximation_ratio": func.coalesce(VERDICTS.c.approximation_ratio, QUALITY.c.approximation_ratio),
        "success_probability": func.coalesce(VERDICTS.c.success_probability, QUALITY.c.success_probability),
        "baseline_method": func.coalesce(VERDICTS.c.baseline_method, QUALITY.c.baseline_method),
        "baseline_value": QUALITY.c.baseline_value,
        "baseline_exact": QUALITY.c.baseline_exact,
        "baseline_seconds": QUALITY.c.baseline_seconds,
        "bound": func.coalesce(VERDICTS.c.bound, QUALITY.c.baseline_bound),
        "bound_method": func.coalesce(func.nullif(VERDICTS.c.bound_method, ""), QUALITY.c.baseline_bound_method),
    }
    spent = {
        "shots": func.coalesce(JOBS.c.shots, _spent(TASKS.c.shots), 0),
        "cost_usd": func.coalesce(JOBS.c.cost_usd, _spent(EXECUTIONS.c.cost_usd), 0.0),
        "children": func.coalesce(family.c.children, 0),
        "children_completed": func.coalesce(family.c.completed, 0),
        "late_answers": func.coalesce(late.c.answers, 0),
        "late_better": func.coalesce(late.c.better, 0),
        "late_cost_usd": func.coalesce(late.c.cost_usd, 0.0),
    }
    joined: FromClause = JOBS
    for table in (PARENTS, REPLAYS, QUALITY, VERDICTS, late):
        joined = joined.outerjoin(table, (table.c.tenant == JOBS.c.tenant) & (table.c.job_id == JOBS.c.job_id))
    joined = joined.outerjoin(family, (family.c.tenant == JOBS.c.tenant) & (family.c.parent == JOBS.c.job_id))
    return (
        select(
            *(JOBS.c[name] for name in (*_JOB, *_TIMES)),
            PARENTS.c.parent,
            REPLAYS.c.replay_of,
            *(column.label(name) for name, column in told.items()),
            *(VERDICTS.c[name] for name in _VERDICT),
            *(column.label(name) for name, column in spent.items()),
        )
        .select_from(joined)
        .where(JOBS.c.state.is_not(None))
    )


def _late() -> Subquery:
    """What came after each job's end."""
    key = (EVIDENCE.c.tenant, EVIDENCE.c.job_id)
    better = func.sum(case((EVIDENCE.c.better, 1), else_=0)).label("better")
    cost = func.sum(EVIDENCE.c.cost_usd).label("cost_usd")
    return select(*key, func.count().label("answers"), better, cost).group_by(*key).subquery("late")


def _family() -> Subquery:
    """Each job's children."""
    key, child = (PARENTS.c.tenant, PARENTS.c.parent), JOBS.alias("child")
    completed = func.sum(case((child.c.state == "completed", 1), else_=0)).label("completed")
    born = PARENTS.join(child, (child.c.tenant == PARENTS.c.tenant) & (child.c.job_id == PARENTS.c.job_id))
    return select(*key, func.count().label("children"), completed).select_from(born).group_by(*key).subquery("family")


def _spent(column: Column[Any]) -> ColumnElement[Any]:
    """The sum of a column over a job's rows."""
    table = column.table
    query = select(cast(func.sum(column), column.type))
    return query.where(table.c.tenant == JOBS.c.tenant, table.c.job_id == JOBS.c.job_id).scalar_subquery()
