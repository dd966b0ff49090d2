"""A change of one row, as an event makes it: what the projections say and the writing does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Table

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Change:
    """Make the row `key` of `table` have these `values`; without a row, make one.

    rank: None always writes; otherwise the row's own rank must be lower, and becomes this one.
    """

    table: Table
    key: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    rank: int | None = None


def job_key(tenant: str, job_id: str) -> dict[str, Any]:
    """The key of a job's row."""
    return {"tenant": tenant, "job_id": job_id}


def json_of(value: object) -> str:
    """A value as a column holds it: JSON text, the same for equal values."""
    return msgspec.json.encode(value, order="deterministic").decode()
