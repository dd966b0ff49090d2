"""What is known of a job: its record, or what the log says where there is no record."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from quire_api.door import Door
from quire_api.problems import not_found
from quire_api.unpacking import unpacked
from quire_api.view import Job, has_result, job_of, links_of, without_content
from quire_contracts.evidence import EVIDENCE, EvidenceKept, evidence_id
from quire_contracts.job import JobCancelled, JobCompleted, JobFailed, JobRejected, ReplayJob, SubmitJob
from quire_contracts.query import BestAnswer
from quire_contracts.result import JobResult, SampleResult, decode_result
from quire_contracts.value import BlobRef, CountsTable
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from quire_contracts.record import JobRecord

COUNTS_MEDIA_TYPE: Final = "application/vnd.quire.counts"

_ENDS: Final = (JobCompleted, JobFailed, JobCancelled, JobRejected)
_NOT_TAKEN: Final = "the submission is stored; the control plane has not taken it yet"


async def record_of(door: Door, tenant: str, job_id: str) -> JobRecord | None:
    """The job's record, or None."""
    stored = await door.jobs.get(tenant, job_id)
    return stored.value if stored else None


async def read_job(door: Door, tenant: str, job_id: str, *, packed: bool = False) -> Job:
    """The job as it is now; `packed` leaves packed counts as they are.

    A submission that was refused at the door has no record, nor has one that is stored but not taken yet: both are read
    from the log.

    Raises:
        Refusal: 404, if nothing is known of it.
    """
    record = await record_of(door, tenant, job_id)
    if record is not None:
        result, late = await asyncio.gather(_shown(door, record, packed=packed), _evidence(door, record))
        return job_of(record, result, late)
    links = links_of(tenant, job_id)
    refused = await door.bus.last(JobRejected, tenant, job_id)
    if refused is not None and isinstance(refused.message, JobRejected):
        said = refused.message
        return Job(
            job_id=job_id,
            tenant=tenant,
            state="rejected",
            reason=said.reason,
            next_step=said.next_step,
            problems=said.problems,
            answer=BestAnswer(job_id, tenant, "rejected", "none", reason=said.reason),
            ended_at=refused.meta.time,
            updated_at=refused.meta.time,
            links=links,
        )
    for command in (SubmitJob, ReplayJob):
        if await door.bus.last(command, tenant, job_id) is not None:
            none = BestAnswer(job_id, tenant, "queued", "none", reason=_NOT_TAKEN)
            return Job(job_id=job_id, tenant=tenant, state="queued", reason=_NOT_TAKEN, answer=none, links=links)
    raise not_found(f"job {job_id} of tenant {tenant}", "Check the id, and name the tenant with ?tenant=.")


async def read_answer(door: Door, tenant: str, job_id: str, *, packed: bool = False) -> tuple[bytes, str]:
    """A job's answer alone and its media type: JSON, or what is stored where that is too large to be written out.

    packed: packed counts are given as they are stored, whatever their size.

    Raises:
        Refusal: 404, if there is no such job, or no answer yet.
        BlobMissing, BlobCorrupt: if its content is gone.
    """
    record = await record_of(door, tenant, job_id)
    if record is None or not has_result(record):
        job = await read_job(door, tenant, job_id)
        raise not_found(f"answer of job {job_id}, which is {job.state}", "Wait for its end: GET /v1/jobs/{id}?wait=30.")
    result = await _result_of(door, record, packed=packed)
    stored = record.result_ref if result is None else _packed(result)
    if stored is not None:
        return await door.bus.blobs.get(stored), stored.media_type
    return msgspec.json.encode(result), "application/json"


async def ended_before(door: Door, tenant: str, job_id: str, sequence: int) -> bool:
    """Whether the job's last event stands at or before `sequence` on the log."""
    ends = [await door.bus.last(end, tenant, job_id) for end in _ENDS]
    return any(end is not None and end.meta.stream_sequence <= sequence for end in ends)


async def _evidence(door: Door, record: JobRecord) -> tuple[EvidenceKept, ...]:
    """The answers that came after the job had ended, in the order in which their tasks were sent."""
    kept = door.bus.records(EVIDENCE, EvidenceKept)
    named = [evidence_id(left.task_id, left.attempt) for left in record.left]
    found = await asyncio.gather(*(kept.get(record.tenant, name) for name in named))
    return tuple(each.value for each in found if each is not None)


async def _shown(door: Door, record: JobRecord, *, packed: bool) -> JobResult | None:
    """The answer as the job's view holds it: a job whose content is gone can still be read."""
    with contextlib.suppress(Permanent):
        result = await _result_of(door, record, packed=packed)
        match result:
            case SampleResult(table=CountsTable() as table) if not packed:
                return SampleResult(table=msgspec.structs.replace(table, data=without_content(table.data)))
            case _:
                return result
    return None


async def _result_of(door: Door, record: JobRecord, *, packed: bool) -> JobResult | None:
    """The answer with its packed counts written out; None, or still packed, where it is too large for that."""
    limit, result, ref = door.settings.embed_bytes, record.result, record.result_ref
    if result is None and ref is not None and ref.size <= limit:
        result = decode_result(await door.bus.blobs.get(ref))
    match result:
        case SampleResult(counts=None, table=CountsTable() as table) if table.data.size <= limit and not packed:
            blob = await door.bus.blobs.get(table.data)
            return SampleResult(counts=await asyncio.to_thread(unpacked, table, blob))
        case _:
            return result


def _packed(result: JobResult) -> BlobRef | None:
    """Where packed counts lie that are not written out."""
    match result:
        case SampleResult(counts=None, table=CountsTable() as table):
            return table.data
        case _:
            return None
