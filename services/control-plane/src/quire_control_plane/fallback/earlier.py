"""The answer of an equal job that ended before: the same document of the same tenant, answered in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_contracts.query import FindJobs, JobList
from quire_control_plane.change import Earlier
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from quire_bus.bus import Bus
    from quire_bus.records import Records
    from quire_contracts.record import JobRecord

_LOOKED_AT = 20


async def earlier_answer(bus: Bus, jobs: Records[JobRecord], record: JobRecord) -> Earlier | None:
    """The newest answer of an equal job; None also where nobody can say, for then the chain goes on without it."""
    question = FindJobs(
        tenant=record.tenant,
        state="completed",
        content_sha256=record.content_sha256,
        children=True,
        limit=_LOOKED_AT,
    )
    try:
        found = await bus.ask("ledger", "jobs", question, JobList)
        for job in found.jobs:
            if job.degraded or job.job_id == record.job_id:
                continue
            stored = await jobs.get(record.tenant, job.job_id)
            # Looked at again: a ledger of an older release answers with other jobs too.
            if stored is not None and _answers(stored.value, record):
                done = stored.value
                return Earlier(done.job_id, done.updated_at, done.result, done.result_ref)
    except QuireError:
        return None
    return None


def _answers(done: JobRecord, record: JobRecord) -> bool:
    same = done.content_sha256 == record.content_sha256 and done.kind == record.kind
    sound = done.state == "completed" and not done.degraded and not done.needs_review
    return same and sound and bool(done.result or done.result_ref)
