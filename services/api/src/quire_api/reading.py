"""What is known of a job: its record, or what the log says where there is no record."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

import msgspec

from quire_api.door import Door, end_all
from quire_api.problems import not_found
from quire_api.unpacking import unpacked
from quire_api.view import Job, has_result, job_of, links_of, without_content
from quire_contracts.job import JobCancelled, JobCompleted, JobFailed, JobRejected, SubmitJob
from quire_contracts.registry import TERMINAL_EVENTS
from quire_contracts.result import JobResult, SampleResult, decode_result
from quire_contracts.value import BlobRef, CountsTable
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from quire_bus.envelope import Meta
    from quire_contracts.record import JobRecord

    Life = AsyncGenerator[tuple[int, Meta, bytes]]

_ENDS: Final = (JobCompleted, JobFailed, JobCancelled, JobRejected)
_NOT_TAKEN: Final = "the submission is stored; the control plane has not taken it yet"


async def record_of(door: Door, tenant: str, job_id: str) -> JobRecord | None:
    """The job's record, or None."""
    stored = await door.jobs.get(tenant, job_id)
    return stored.value if stored else None


async def read_job(door: Door, tenant: str, job_id: str) -> Job:
    """The job as it is now.

    A submission that was refused at the door has no record, nor has one that is stored but not taken yet: both are read
    from the log.

    Raises:
        Refusal: 404, if nothing is known of it.
    """
    record = await record_of(door, tenant, job_id)
    if record is not None:
        return job_of(record, await _shown(door, record))
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
            ended_at=refused.meta.time,
            updated_at=refused.meta.time,
            links=links,
        )
    if await door.bus.last(SubmitJob, tenant, job_id) is not None:
        return Job(job_id=job_id, tenant=tenant, state="queued", reason=_NOT_TAKEN, links=links)
    raise not_found(f"job {job_id} of tenant {tenant}", "Check the id, and name the tenant with ?tenant=.")


async def read_answer(door: Door, tenant: str, job_id: str) -> tuple[bytes, str]:
    """A job's answer alone and its media type: JSON, or what is stored where that is too large to be written out.

    Raises:
        Refusal: 404, if there is no such job, or no answer yet.
        BlobMissing, BlobCorrupt: if its content is gone.
    """
    record = await record_of(door, tenant, job_id)
    if record is None or not has_result(record):
        job = await read_job(door, tenant, job_id)
        raise not_found(f"answer of job {job_id}, which is {job.state}", "Wait for its end: GET /v1/jobs/{id}?wait=30.")
    result = await _result_of(door, record)
    stored = record.result_ref if result is None else _packed(result)
    if stored is not None:
        return await door.bus.blobs.get(stored), stored.media_type
    return msgspec.json.encode(result), "application/json"


async def until_over(door: Door, tenant: str, job_id: str, seconds: float) -> None:
    """Return when the job has ended, when `seconds` are over, or when the door closes."""
    with door.held():
        tasks = [asyncio.create_task(_last_event(door, tenant, job_id)), asyncio.create_task(_closing(door))]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_all(tasks)


async def ended_before(door: Door, tenant: str, job_id: str, sequence: int) -> bool:
    """Whether the job's last event stands at or before `sequence` on the log."""
    ends = [await door.bus.last(end, tenant, job_id) for end in _ENDS]
    return any(end is not None and end.meta.stream_sequence <= sequence for end in ends)


async def _shown(door: Door, record: JobRecord) -> JobResult | None:
    """The answer as the job's view holds it: a job whose content is gone can still be read."""
    with contextlib.suppress(Permanent):
        result = await _result_of(door, record)
        match result:
            case SampleResult(table=CountsTable() as table):
                return SampleResult(table=msgspec.structs.replace(table, data=without_content(table.data)))
            case _:
                return result
    return None


async def _result_of(door: Door, record: JobRecord) -> JobResult | None:
    """The answer with its packed counts written out; None, or still packed, where it is too large for that."""
    limit, result, ref = door.settings.embed_bytes, record.result, record.result_ref
    if result is None and ref is not None and ref.size <= limit:
        result = decode_result(await door.bus.blobs.get(ref))
    match result:
        case SampleResult(counts=None, table=CountsTable() as table) if table.data.size <= limit:
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


async def _closing(door: Door) -> None:
    await door.stopping.wait()


async def _last_event(door: Door, tenant: str, job_id: str) -> None:
    async with aclosing(cast("Life", door.bus.watch_job(tenant, job_id))) as events:
        async for _, meta, _ in events:
            if meta.type in TERMINAL_EVENTS:
                return
