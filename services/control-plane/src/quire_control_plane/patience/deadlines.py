"""When a job with a deadline is ended: early enough to have ended by then, if it may have a lesser answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from quire_contracts.job import ExpireJob
from quire_control_plane.change import Say
from quire_policy.fallback import RESERVE_SECONDS

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord

SHARE: Final = 0.25
"""Of the time that a job was given; the reserve takes no more of it."""


def timer(record: JobRecord) -> tuple[Say, ...]:
    """The word that ends a new job; none where it has no deadline."""
    if record.deadline_at is None:
        return ()
    has_lesser = record.checkpoint is not None or record.kind == "sweep"
    return (word(record, reserve(record) if has_lesser else 0.0),)


def word(record: JobRecord, reserve_seconds: float) -> Say:
    """The word that is said so long before the job's deadline."""
    at = None if record.deadline_at is None else record.deadline_at - timedelta(seconds=reserve_seconds)
    return Say(ExpireJob(job_id=record.job_id, tenant=record.tenant, reserve_seconds=reserve_seconds), at=at)


def is_near(record: JobRecord, now: datetime) -> bool:
    """Whether what is left until the deadline is what the job's ending takes."""
    return record.deadline_at is not None and now >= record.deadline_at - timedelta(seconds=reserve(record))


def reserve(record: JobRecord) -> float:
    """So many seconds before its deadline a job takes the lesser answer that there is."""
    if record.deadline_at is None:
        return 0.0
    given = (record.deadline_at - record.accepted_at).total_seconds()
    return max(0.0, min(RESERVE_SECONDS, SHARE * given))
