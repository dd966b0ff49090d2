"""The ledger's tables: the log itself, and what can be read off it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

SHAPE: Final = 1
"""Version of these tables. A ledger of another shape is not touched but rebuilt: `python -m quire_ledger.rebuild`.

What is only added needs no other shape: missing tables and columns are made (every column outside of a key may be
null), and `READING` has the events read again that were stored before.
"""

READING: Final = 2
"""Which reading of the events the rows are of: raised when more is read off events than before."""


class _Iso(sqlite.DATETIME):
    """A time as SQLAlchemy writes it for SQLite, digit by digit the same, but not put together digit by digit."""

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        """What writes one."""
        del dialect
        return lambda value: None if value is None else value.isoformat(" ", "microseconds")


class Moment(TypeDecorator[datetime]):
    """A point in time, aware and in UTC on both sides; SQLite, which knows no time zones, stores it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """What the database has for it."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_Iso())  # type: ignore[no-untyped-call]  # SQLAlchemy's own lacks them
        return dialect.type_descriptor(self.impl_instance)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Towards the database."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, **options)


def _required(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _job_key() -> list[Column[Any]]:
    return [_text("tenant", primary_key=True), _text("job_id", primary_key=True)]


METADATA: Final = MetaData()

EVENTS: Final = Table(
    "events",
    METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    _required("id"),
    _required("type"),
    _required("tenant"),
    _required("key"),
    _required("correlation_id"),
    _text("causation_id"),
    _required("source"),
    Column("time", Moment, nullable=False),
    _required("data"),
    Index("events_of_a_job", "tenant", "key", "sequence"),
)

JOBS: Final = Table(
    "jobs",
    METADATA,
    *_job_key(),
    _text("kind"),
    _text("name"),
    _text("project"),
    _text("priority"),
    _text("content_sha256"),
    _text("targets"),
    _text("tags"),
    Column("accepted_at", Moment),
    Column("deadline_at", Moment),
    # From here on the highest rank writes: see `projection.Change`.
    Column("rank", BigInteger),
    _text("state"),
    Column("updated_at", Moment),
    Column("ended_at", Moment),
    Column("degraded", Boolean),
    _text("reason"),
    _text("fault_kind"),
    _text("fault_code"),
    Column("shots", BigInteger),
    Column("cost_usd", Float),
    # A submission that was refused at the door was never accepted, and is listed by its end.
    Index("jobs_of_a_tenant", "tenant", text("coalesce(accepted_at, ended_at)")),
)

REPLAYS: Final = Table(
    "replays",
    METADATA,
    *_job_key(),
    _required("replay_of"),
)
"""The jobs that repeat another one of their tenant."""

PARENTS: Final = Table(
    "parents",
    METADATA,
    *_job_key(),
    _required("parent"),
    Index("children_of_a_job", "tenant", "parent"),
)
"""The jobs that are children of another one of their tenant."""

TASKS: Final = Table(
    "tasks",
    METADATA,
    *_job_key(),
    _text("task_id", primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("rank", BigInteger),
    _text("phase"),
    Column("round", Integer),
    _text("outcome"),
    _text("target"),
    Column("shots", BigInteger),
    _text("fault_kind"),
    _text("fault_code"),
    _text("reason"),
    Column("ended_at", Moment),
)

EXECUTIONS: Final = Table(
    "executions",
    METADATA,
    *_job_key(),
    _text("task_id", primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("phase"),
    _text("batch_id"),
    _text("target"),
    _text("provider"),
    _text("backend"),
    _text("region"),
    _text("calibration_id"),
    _text("circuit_sha256"),
    _text("provider_job_id"),
    Column("shots", BigInteger),
    Column("parameter_sets", Integer),
    Column("started_at", Moment),
    Column("queue_seconds", Float),
    Column("compile_seconds", Float),
    Column("execute_seconds", Float),
    Column("simulator", Boolean),
    Column("compile_cached", Boolean),
    Column("compiled_depth", Integer),
    Column("two_qubit_gates", Integer),
    Column("cost_usd", Float),
    _text("transpiler"),
    _text("mitigation"),
    _text("provider_metadata"),
)

ROUNDS: Final = Table(
    "rounds",
    METADATA,
    *_job_key(),
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("rounds", Integer),
    Column("objective", Float),
    Column("best", Float),
    Column("std_error", Float),
    _text("target"),
)

QUALITY: Final = Table(
    "quality",
    METADATA,
    *_job_key(),
    _text("baseline_method"),
    Column("baseline_value", Float),
    Column("baseline_exact", Boolean),
    Column("baseline_worst", Float),
    Column("baseline_seconds", Float),
    Column("value", Float),
    _text("source"),
    Column("approximation_ratio", Float),
    Column("gap", Float),
    Column("optimal", Boolean),
    Column("success_probability", Float),
    Column("mean_objective", Float),
    Column("baseline_bound", Float),
    _text("baseline_bound_method"),
    Column("baseline_gap", Float),
)

VERDICTS: Final = Table(
    "verdicts",
    METADATA,
    *_job_key(),
    _text("verdict"),
    Column("certainty", Float),
    Column("classical", Float),
    Column("bound", Float),
    Column("bound_gap", Float),
    Column("tts99_seconds", Float),
    Column("confidence", Float),
    _text("outcome"),
    _text("needs_review"),
    _text("why"),
    Column("value", Float),
    Column("feasible", Boolean),
    Column("proven", Boolean),
    _text("bound_method"),
    _text("baseline_method"),
    Column("approximation_ratio", Float),
    Column("success_probability", Float),
    Column("tts99_shots", BigInteger),
    Column("quantum_seconds", Float),
    Column("classical_seconds", Float),
    Column("budget_seconds", Float),
    _text("answer"),
)
"""How answers compare with the classical ones, and which a person is to look at."""

EVIDENCE: Final = Table(
    "evidence",
    METADATA,
    *_job_key(),
    _text("task_id", primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    _text("phase"),
    Column("round", Integer),
    _text("target"),
    Column("job_ended_at", Moment),
    Column("arrived_at", Moment),
    Column("late_seconds", Float),
    Column("value", Float),
    Column("feasible", Boolean),
    Column("better", Boolean),
    _text("compared"),
    Column("approximation_ratio", Float),
    Column("gap", Float),
    Column("success_probability", Float),
    Column("mean_objective", Float),
    Column("shots", BigInteger),
    Column("cost_usd", Float),
)
"""Answers that came after their job had ended: `better` than what it answered with, or not, or null: nobody can say."""

PROJECTIONS: Final = (JOBS, REPLAYS, PARENTS, TASKS, EXECUTIONS, ROUNDS, QUALITY, VERDICTS, EVIDENCE)
"""What is read off the events; every row of them can be made again."""

MARKS: Final = Table(
    "marks",
    METADATA,
    _text("name", primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""`position`: the highest sequence applied; `shape`: the version of these tables; `reading`: see `READING`."""
