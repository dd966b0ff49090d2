"""The control plane's handlers: read the record, decide, commit record and messages together.

There is no inbox: a job's record absorbs repetitions. It is created once, an answer counts only while its task is
pending, and an end is final; the compare-and-swap keeps two runs of one message from both deciding.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import secrets
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from opentelemetry import trace

from quire_bus.envelope import Outgoing
from quire_bus.errors import Conflict
from quire_bus.router import Router
from quire_bus.tracing import headers_of
from quire_contracts import limits
from quire_contracts.batch import BatchStarted
from quire_contracts.intake import DocumentError
from quire_contracts.job import (
    BLOB_REF_MEDIA_TYPE,
    AbandonJob,
    CancelJob,
    ExpireJob,
    JobRejected,
    SubmitJob,
)
from quire_contracts.preparation import JobPrepared, PreparationFailed
from quire_contracts.record import JobRecord
from quire_contracts.task import TaskFailed, TaskScored
from quire_contracts.value import BlobRef, Value
from quire_control_plane.admission import Origin, admit, read, reject
from quire_control_plane.change import NOTHING, Change, Moment
from quire_control_plane.decide import JobMessage, decide
from quire_control_plane.recall import Recall
from quire_control_plane.routing import load_routing
from quire_service import Deps, Parts
from quire_service.loads import loads_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_bus.blobs import Blobs
    from quire_bus.delivery import Delivery
    from quire_bus.envelope import Meta
    from quire_bus.records import Records, Stored
    from quire_contracts.value import Fault
    from quire_control_plane.settings import Settings

M = TypeVar("M", bound=Value)

KEEP_SECONDS: Final = 7 * 24 * 3600
"""How long it is remembered that a submission was refused: longer than any redelivery."""


class Rejected(Value, frozen=True):
    """A mark: this submission, which became no job, has been answered."""

    job_id: str


async def build(deps: Deps[Settings]) -> Parts:
    """Consume all that concerns a job's life; each message is decided on the job's record and committed with it."""
    loads = await deps.lifetime.enter_async_context(loads_of(deps.bus, deps.clock))
    routing = load_routing(deps.settings.rules_file, loads.current)
    jobs = deps.bus.records("job", JobRecord)
    rejections = deps.bus.records("rejection", Rejected)
    recall = Recall()
    router = Router("control-plane")
    consume = partial(router.consume, workers=deps.settings.workers, once=False)
    seeds = random.Random(secrets.randbits(256))  # noqa: S311 - no secret: a job's own draws; asking the system costs 60 us

    def moment(delivery: Delivery[M]) -> Moment:
        return Moment(deps.clock.now(), delivery.meta.id, routing)

    async def commit(change: Change, delivery: Delivery[M], stored: Stored[JobRecord] | None) -> None:
        record, revision = change.record, stored.revision if stored else 0
        if record is not None or change.says:
            records = [jobs.write(record.tenant, record.job_id, record, revision)] if record is not None else []
            committed = await delivery.commit(*_outgoing(change), records=records)
            if record is not None:
                recall.keep(record, committed.revisions[0])

    @consume(SubmitJob, failed=submission_failed)
    async def do_submit_job(command: SubmitJob, delivery: Delivery[SubmitJob]) -> None:
        try:
            submission = read(command, await document_of(command, deps.bus.blobs))
        except DocumentError as error:
            known = await jobs.get(command.tenant, command.job_id)
            await once(reject(command, error, known.value if known else None), delivery, rejections)
            return
        document = await deps.bus.blobs.put(submission.canonical, "application/json")
        origin = Origin(document, _current_traceparent(), seeds.randrange(limits.SEED))
        try:  # Nearly every submission is new; that it is not is found by the commit, for nothing.
            await commit(admit(None, submission, origin, moment(delivery)), delivery, None)
        except Conflict:
            stored = await jobs.get(submission.tenant, submission.job_id)
            record = stored.value if stored else None
            await commit(admit(record, submission, origin, moment(delivery)), delivery, stored)

    async def on_job_message(message: JobMessage, delivery: Delivery[M]) -> None:
        recalled = recall.take(message.tenant, message.job_id)
        change = decide(recalled.value, message, moment(delivery)) if recalled else NOTHING
        if change.record is not None:
            with contextlib.suppress(Conflict):  # another replica wrote meanwhile: decided anew
                await commit(change, delivery, recalled)
                return
        stored = await jobs.get(message.tenant, message.job_id)
        if stored is None:
            deps.log.warning("message about an unknown job", type=delivery.meta.type, job_id=message.job_id)
        else:
            await commit(decide(stored.value, message, moment(delivery)), delivery, stored)

    consume(JobPrepared, failed=abandon)(on_job_message)
    consume(PreparationFailed, failed=abandon)(on_job_message)
    consume(TaskScored, failed=abandon)(on_job_message)
    consume(TaskFailed, failed=abandon)(on_job_message)
    consume(CancelJob, failed=abandon)(on_job_message)
    consume(ExpireJob, failed=abandon)(on_job_message)
    consume(AbandonJob)(on_job_message)

    @consume(BatchStarted)
    async def on_batch_started(event: BatchStarted, delivery: Delivery[BatchStarted]) -> None:
        members = sorted({(member.tenant, member.job_id) for member in event.members})
        await asyncio.gather(*(note_started(jobs, *member, event, moment(delivery)) for member in members))

    return Parts(routers=(router,))


async def document_of(command: SubmitJob, blobs: Blobs) -> bytes:
    """The submitted document, fetched where only its address came."""
    if command.media_type != BLOB_REF_MEDIA_TYPE:
        return command.body
    return await blobs.get(msgspec.json.decode(command.body, type=BlobRef))


async def once(change: Change, delivery: Delivery[SubmitJob], rejections: Records[Rejected]) -> None:
    """Answer a submission that became no job, unless that was done before: no record of a job would tell."""
    command = delivery.message
    mark = rejections.write(command.tenant, rejection_id(delivery.meta), Rejected(command.job_id), 0, KEEP_SECONDS)
    with contextlib.suppress(Conflict):
        await delivery.commit(*_outgoing(change), records=[mark])


async def note_started(jobs: Records[JobRecord], tenant: str, job_id: str, event: BatchStarted, moment: Moment) -> None:
    """Note on one job's record that its batch runs; nothing is said, so the record is written alone."""
    stored = await jobs.get(tenant, job_id)
    change = decide(stored.value, event, moment) if stored else NOTHING
    if stored is not None and change.record is not None:
        await jobs.put(jobs.write(tenant, job_id, change.record, stored.revision))


def rejection_id(meta: Meta) -> str:
    """The id of the mark of one submission; a foreign message's id may hold what no record's id can."""
    return hashlib.sha256(f"{meta.source}|{meta.id}".encode()).hexdigest()[:40]


def abandon(message: JobMessage, _: Meta, fault: Fault) -> Sequence[Value]:
    """A message about a job could not be handled: the job must still end."""
    return [AbandonJob(job_id=message.job_id, tenant=message.tenant, fault=fault)]


def submission_failed(command: SubmitJob, _: Meta, fault: Fault) -> Sequence[Value]:
    """A submission that could not be taken is answered all the same."""
    return [
        JobRejected(
            job_id=command.job_id,
            tenant=command.tenant,
            code=fault.code,
            reason=fault.reason,
            next_step=fault.next_step,
        )
    ]


def _outgoing(change: Change) -> list[Outgoing]:
    """What a change says, in the job's own trace even where its cause came by another one (a cancellation)."""
    parent = change.record.traceparent if change.record is not None else None
    elsewhere = parent is not None and parent.split("-")[1] != (_current_traceparent() or parent).split("-")[1]
    return [
        Outgoing(say.message, key=say.key, at=say.at, traceparent=parent if elsewhere else None) for say in change.says
    ]


def _current_traceparent() -> str | None:
    return headers_of(trace.get_current_span())[0]
