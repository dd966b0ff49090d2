"""Finding the earlier job that a loop goes on from, as it ended or as it was after a round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quire_contracts.continuation import From
from quire_contracts.intake import parse_document
from quire_control_plane.loops.continuing import Beginning, is_past, resumed, unknown, warm
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from quire_bus.blobs import Blobs
    from quire_bus.records import Records, Stored
    from quire_contracts.document import JobDocument
    from quire_contracts.record import JobRecord


async def beginning_of(jobs: Records[JobRecord], blobs: Blobs, tenant: str, document: JobDocument) -> Beginning | None:
    """Where the loop of a document begins, if it says that it goes on from an earlier job of the tenant.

    The same document gives the same beginning whenever it is asked, as long as the earlier job is kept.

    Raises:
        DocumentError: there is no such job, it is not as the document says, or it is no more.
    """
    asked = getattr(document, "start", msgspec.UNSET)
    if not isinstance(asked, From):
        return None
    newest = await jobs.get(tenant, asked.job)
    if newest is None:
        raise unknown(tenant, asked.job)
    if isinstance(asked.round, msgspec.UnsetType):
        return warm(newest.value, document)
    then = await _after(jobs, tenant, newest, asked.round)
    return resumed(then, asked.round, parse_document(await blobs.get(then.document)), document)


async def _after(jobs: Records[JobRecord], tenant: str, newest: Stored[JobRecord], rounds: int) -> JobRecord:
    """The job's first record that `is_past` so many rounds; its newest one where none is.

    The log keeps every record that was written. Rounds only grow, so halving its span finds the one in at most as many
    readings as the log's length has bits.
    """
    found, low, high = newest.value, 1, newest.revision
    while low < high:
        middle = (low + high) // 2
        stored = await jobs.since(tenant, found.job_id, middle)
        if stored is None:
            break
        if is_past(stored.value, rounds):
            found, high = stored.value, middle
        else:
            low = stored.revision + 1
    return found


async def begun_before(jobs: Records[JobRecord], job: JobRecord) -> Beginning | None:
    """Where a job's loop began, for one that repeats it: its first record says so; None of one that began by itself.

    Raises:
        Permanent: the log has forgotten that record.
    """
    if job.continues is None:
        return None
    first = await jobs.since(job.tenant, job.job_id, 1)
    if first is None or first.value.state != "queued":
        reason = f"the log has forgotten how job {job.job_id} began"
        raise Permanent("nothing-to-replay", reason, next_step="Submit the document anew.")
    resumes = job.continues.round is not None
    return Beginning(job.continues, first.value.checkpoint if resumes else None, first.value.best)
