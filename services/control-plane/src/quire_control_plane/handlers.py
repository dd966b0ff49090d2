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
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from quire_bus.errors import Conflict
from quire_bus.router import Router
from quire_contracts import limits
from quire_contracts.batch import BatchStarted
from quire_contracts.family import ChildEnded, FamilyGathered, FamilyPlanned
from quire_contracts.intake import DocumentError
from quire_contracts.job import (
    BLOB_REF_MEDIA_TYPE,
    AbandonJob,
    CancelJob,
    ExpireJob,
    JobRejected,
    ReplayJob,
    SubmitJob,
)
from quire_contracts.preparation import BaselineFailed, BaselineFound, JobPrepared, PreparationFailed
from quire_contracts.record import JobRecord
from quire_contracts.task import ReviewTask, TaskFailed, TaskScored
from quire_contracts.value import BlobRef, Value
from quire_control_plane.change import NOTHING, Change, Moment
from quire_control_plane.decide import JobMessage, decide
from quire_control_plane.desk import Desk, current_traceparent, open_desk, outgoing_of
from quire_control_plane.fallback.earlier import earlier_answer
from quire_control_plane.loops.optimizers import takes_long
from quire_control_plane.loops.starting import beginning_of, begun_before
from quire_control_plane.submission.admission import Origin, admit, read, reject
from quire_control_plane.submission.replaying import refused, replay
from quire_service import Deps, Parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_bus.blobs import Blobs
    from quire_bus.delivery import Delivery
    from quire_bus.envelope import Meta
    from quire_bus.records import Records
    from quire_contracts.value import Fault
    from quire_control_plane.budget.appraisers import Appraisers
    from quire_control_plane.settings import Settings

M = TypeVar("M", bound=Value)

KEEP_SECONDS: Final = 7 * 24 * 3600
"""How long it is remembered that a submission was refused: longer than any redelivery."""


ABANDONED_WITHOUT: Final[tuple[type[JobMessage], ...]] = (
    JobPrepared,
    PreparationFailed,
    BaselineFailed,
    FamilyPlanned,
    FamilyGathered,
    TaskScored,
    TaskFailed,
    ReviewTask,
    CancelJob,
    ExpireJob,
)
"""A job whose message of these cannot be handled is abandoned."""


class Rejected(Value, frozen=True):
    """A mark: this submission, which became no job, has been answered."""

    job_id: str


async def build(deps: Deps[Settings]) -> Parts:
    """Consume all that concerns a job's life; each message is decided on the job's record and committed with it."""
    desk = await open_desk(deps)
    jobs, rejections = desk.jobs, deps.bus.records("rejection", Rejected)
    router = Router("control-plane")
    consume = partial(router.consume, workers=deps.settings.workers, ahead=deps.settings.ahead, inbox="none")
    seeds = random.Random(secrets.randbits(256))  # noqa: S311 - no secret: a job's own draws; asking the system costs 60 us

    @consume(SubmitJob, failed=submission_failed)
    async def do_submit_job(command: SubmitJob, delivery: Delivery[SubmitJob]) -> None:
        try:
            submission = read(command, await document_of(command, deps.bus.blobs))
            beginning = await beginning_of(jobs, deps.bus.blobs, submission.tenant, submission.document)
        except DocumentError as error:
            known = await jobs.get(command.tenant, command.job_id)
            await once(reject(command, error, known.value if known else None), delivery, rejections)
            return
        document = await deps.bus.blobs.put(submission.canonical, "application/json")
        origin = Origin(document, current_traceparent(), seeds.randrange(limits.SEED), beginning)
        try:  # Nearly every submission is new; that it is not is found by the commit, for nothing.
            await desk.commit(admit(None, submission, origin, desk.moment(delivery.meta)), delivery, None)
        except Conflict:
            stored = await jobs.get(submission.tenant, submission.job_id)
            record = stored.value if stored else None
            await desk.commit(admit(record, submission, origin, desk.moment(delivery.meta)), delivery, stored)

    @consume(ReplayJob, failed=submission_failed)
    async def do_replay_job(command: ReplayJob, delivery: Delivery[ReplayJob]) -> None:
        await run_again(command, delivery, desk, deps.bus.blobs, rejections)

    async def on_job_message(message: JobMessage, delivery: Delivery[M]) -> None:
        moment = desk.moment(delivery.meta)
        recalled = desk.recall.take(message.tenant, message.job_id)
        change = await decided(recalled.value, message, moment, desk.appraisers) if recalled else NOTHING
        if change.record is not None:
            with contextlib.suppress(Conflict):  # another replica wrote meanwhile: decided anew
                await desk.commit(change, delivery, recalled)
                return
        stored = await jobs.get(message.tenant, message.job_id)
        if stored is None:
            deps.log.warning("message about an unknown job", type=delivery.meta.type, job_id=message.job_id)
            return
        change = await decided(stored.value, message, moment, desk.appraisers)
        if change.asks:
            earlier = await earlier_answer(deps.bus, jobs, stored.value)
            moment = replace(moment, looked=True, earlier=earlier)
            change = await decided(stored.value, message, moment, desk.appraisers)
        await desk.commit(change, delivery, stored)

    for of_a_job in ABANDONED_WITHOUT:
        consume(of_a_job, failed=abandon)(on_job_message)
    consume(BaselineFound, failed=without_baseline)(on_job_message)
    # One at a time: a family's children may all end together, and each end is written to the same record.
    consume(ChildEnded, workers=1, failed=abandon)(on_job_message)
    consume(AbandonJob)(on_job_message)

    @consume(BatchStarted)
    async def on_batch_started(event: BatchStarted, delivery: Delivery[BatchStarted]) -> None:
        members = sorted({(member.tenant, member.job_id) for member in event.members})
        await asyncio.gather(*(note_started(jobs, *member, event, desk.moment(delivery.meta)) for member in members))

    return Parts(routers=(router,), background={"waking": desk.wake, "remembering": desk.remembering.run})


async def decided(record: JobRecord, message: JobMessage, moment: Moment, appraisers: Appraisers) -> Change:
    """What follows from a message, once gateways have said what must be known of its work for that."""
    change = await decided_now(record, message, moment)
    while change.appraise:
        moment = replace(moment, appraised={**moment.appraised, **await appraisers.ask(change.appraise)})
        change = await decided_now(record, message, moment)
    return change


async def decided_now(record: JobRecord, message: JobMessage, moment: Moment) -> Change:
    """What follows from a message; in a thread where an optimiser takes its time, so that no other job waits for it."""
    checkpoint = record.checkpoint
    if checkpoint is not None and isinstance(message, TaskScored | JobPrepared) and takes_long(checkpoint.optimizer):
        return await asyncio.to_thread(decide, record, message, moment)
    return decide(record, message, moment)


async def document_of(command: SubmitJob, blobs: Blobs) -> bytes:
    """The submitted document, fetched where only its address came."""
    if command.media_type != BLOB_REF_MEDIA_TYPE:
        return command.body
    return await blobs.get(msgspec.json.decode(command.body, type=BlobRef))


async def run_again(
    command: ReplayJob, delivery: Delivery[ReplayJob], desk: Desk, blobs: Blobs, rejections: Records[Rejected]
) -> None:
    """Make the job that repeats another one, once; what cannot run again is answered.

    Raises:
        Permanent: the first job's document is gone or is not accepted any more, or nobody knows where its loop began.
    """
    known, first = await asyncio.gather(
        desk.jobs.get(command.tenant, command.job_id), desk.jobs.get(command.tenant, command.replay_of)
    )
    if known is not None:
        return
    if first is None or first.value.state == "rejected":
        await once(refused(command, first.value if first else None), delivery, rejections)
        return
    document = await blobs.get(first.value.document)
    beginning = await begun_before(desk.jobs, first.value)
    change = replay(
        command, first.value, document, current_traceparent(), desk.moment(delivery.meta), beginning=beginning
    )
    await desk.commit(change, delivery, None)


async def once(
    change: Change, delivery: Delivery[SubmitJob] | Delivery[ReplayJob], rejections: Records[Rejected]
) -> None:
    """Answer a submission that became no job, unless that was done before: no record of a job would tell."""
    command = delivery.message
    mark = rejections.write(command.tenant, rejection_id(delivery.meta), Rejected(command.job_id), 0, KEEP_SECONDS)
    with contextlib.suppress(Conflict):
        await delivery.commit(*outgoing_of(change), records=[mark])


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


def without_baseline(message: BaselineFound, _: Meta, fault: Fault) -> Sequence[Value]:
    """A classical answer could not be taken in: its job must not wait for it."""
    return [BaselineFailed(job_id=message.job_id, tenant=message.tenant, fault=fault)]


def submission_failed(command: SubmitJob | ReplayJob, _: Meta, fault: Fault) -> Sequence[Value]:
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
