"""One batch from its message to its answer: blobs in, an executor, remarks for the eye, blobs out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from quire_bus.errors import fault_of
from quire_contracts.batch import BatchStarted, SliceResult
from quire_contracts.batch import Member as Participant
from quire_contracts.control import Progress
from quire_plane import slices
from quire_plane.mitigation import folding_alone
from quire_plane.reading import Readings, invalid
from quire_plane.reduction import reduced
from quire_plane.tracing import batch_spans
from quire_quantum.executor import Outcome, Work, WorkError
from quire_quantum.observables import ObservableError
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from opentelemetry.trace import Tracer

    from quire_bus.envelope import Meta
    from quire_contracts.batch import Batch, BatchExecuted
    from quire_contracts.value import BlobRef, Fault, Value
    from quire_plane.coalescing import Coalescing
    from quire_plane.mitigation import Mitigate
    from quire_resilience.clock import Clock

REMARKED_AFTER_SECONDS: Final = 0.05
"""A batch that is over sooner is not worth a remark to its jobs' watchers."""

STARTED_AFTER_SECONDS: Final = 0.25
"""A batch that is over sooner is not worth a BatchStarted."""

_AT_ONCE: Final = 16
"""Blobs on their way at the same time."""

Perform = Callable[[Work], Awaitable[Outcome]]
"""Runs admitted work and gives its outcome; raises Permanent or Transient."""


class Blobs(Protocol):
    """What a plane needs of the content store."""

    async def get(self, ref: BlobRef) -> bytes:
        """See `quire_bus.blobs.Blobs.get`."""
        ...

    async def put(self, data: bytes, media_type: str, *, inline_limit: int = ...) -> BlobRef:
        """See `quire_bus.blobs.Blobs.put`."""
        ...


class Publisher(Protocol):
    """What a plane says while a batch runs."""

    async def publish(self, message: Value, *, cause: Meta | None = None) -> object:
        """See `quire_bus.publisher.Publisher.publish`."""
        ...

    async def progress(self, remark: Progress) -> None:
        """See `quire_bus.publisher.Publisher.progress`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Runs batches; what it remembers only saves work. `coalescing` None shares no work between batches."""

    blobs: Blobs
    publisher: Publisher
    clock: Clock
    tracer: Tracer
    coalescing: Coalescing | None = None
    readings: Readings = field(default_factory=Readings)

    async def run(
        self,
        batch: Batch,
        cause: Meta,
        perform: Perform,
        identity: str | None = None,
        mitigate: Mitigate = folding_alone,
    ) -> BatchExecuted:
        """Run a batch and give the event that answers it, for the caller to commit.

        Members whose parameters cannot be read have a fault in the answer, the others run together. Everything large
        is stored when this returns, so committing the event is all that is left. Running it again after a crash gives
        the same answer for seeded members.

        identity: everything besides the work that its numbers depend on (see `content.keys`); None where answers must
            not be shared, as on hardware. With it, `perform` gets only what nobody has run, and is not called if that
            is nothing.
        mitigate: does what a batch with `mitigation` asks for.

        Raises:
            Permanent: nothing could run; the fault holds for every member.
            Transient: the same batch may run later.
        """
        with batch_spans(self.tracer, batch) as traceparents:
            admitted = await self._admit(batch)
            async with self._remarks(batch, cause):
                try:
                    outcome = await self._perform(admitted, perform, identity, mitigate)
                except (WorkError, ObservableError) as error:
                    raise invalid(error) from error
            results = await self._store(batch, admitted, outcome, traceparents)
        bits = admitted.work.structure.num_bits
        return slices.executed(batch, bits, outcome.execution, results, self.clock.now())

    async def _perform(
        self, admitted: slices.Admitted, perform: Perform, identity: str | None, mitigate: Mitigate
    ) -> Outcome:
        async def reducing(work: Work) -> Outcome:
            if work.mitigation is not None:
                return await mitigate(work, perform, admitted.question.grouping)
            return reduced(work, await perform(work), admitted.question.grouping)

        if self.coalescing is None or identity is None:
            return await reducing(admitted.work)
        return await self.coalescing.run(admitted.work, identity, reducing)

    async def _admit(self, batch: Batch) -> slices.Admitted:
        question = await self.readings.question(batch, self.blobs.get)
        contents = await self._fetch([member.parameters.data for member in batch.members])
        return slices.admit_members(batch, question, slices.read_members(batch, contents, question.structure))

    async def _fetch(self, refs: Sequence[BlobRef]) -> list[bytes | Fault]:
        """Contents in order, or why one could not be had; those that travel inside are read without a task."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(ref: BlobRef) -> bytes | Fault:
            try:
                return await self.blobs.get(ref)
            except Permanent as error:
                return fault_of(error)

        async def gated(ref: BlobRef) -> bytes | Fault:
            async with gate:
                return await one(ref)

        stored = iter(await asyncio.gather(*(gated(ref) for ref in refs if ref.inline is None)))
        return [next(stored) if ref.inline is None else await one(ref) for ref in refs]

    async def _store(
        self, batch: Batch, admitted: slices.Admitted, outcome: Outcome, traceparents: Sequence[str | None]
    ) -> list[SliceResult]:
        """One result for each member of the batch, in its order."""
        payloads = [slices.payloads(answer) for answer in outcome.members]
        limit, grouping = slices.inline_limit(batch, max(1, *map(len, payloads))), admitted.question.grouping
        groups = len(grouping.bases) if grouping is not None else 1
        gate = asyncio.Semaphore(_AT_ONCE)

        async def put(data: bytes, media_type: str) -> BlobRef:
            if len(data) <= limit:
                return await self.blobs.put(data, media_type, inline_limit=limit)
            async with gate:
                return await self.blobs.put(data, media_type, inline_limit=limit)

        large = [part for each in payloads for part in each.values() if len(part[0]) > limit]
        stored = iter(await asyncio.gather(*(put(*part) for part in large)))
        results = {
            place: SliceResult(member=batch.members[place], fault=fault, traceparent=traceparents[place])
            for place, fault in admitted.faults.items()
        }
        for place, answer, parts in zip(admitted.places, outcome.members, payloads, strict=True):
            refs = {name: next(stored) if len(part[0]) > limit else await put(*part) for name, part in parts.items()}
            results[place] = slices.result_of(batch.members[place], answer, refs, groups, traceparents[place])
        return [results[place] for place in range(len(batch.members))]

    @asynccontextmanager
    async def _remarks(self, batch: Batch, cause: Meta) -> AsyncIterator[None]:
        """Tell the jobs' watchers where their work is, and everybody if it takes a while."""
        remarks = asyncio.create_task(self._say(batch, self.clock.now(), cause), name=f"remarks:{batch.batch_id}")
        try:
            yield
        finally:
            remarks.cancel()
            await asyncio.gather(remarks, return_exceptions=True)

    async def _say(self, batch: Batch, started_at: datetime, cause: Meta) -> None:
        await self.clock.sleep(REMARKED_AFTER_SECONDS)
        for remark in _remarks(batch):
            await self.publisher.progress(remark)
        await self.clock.sleep(STARTED_AFTER_SECONDS - REMARKED_AFTER_SECONDS)
        members = tuple(
            Participant(task_id=member.task_id, job_id=member.job_id, tenant=member.tenant) for member in batch.members
        )
        started = BatchStarted(batch_id=batch.batch_id, target=batch.target, started_at=started_at, members=members)
        await self.publisher.publish(started, cause=cause)


def with_wait(outcome: Outcome, waited: float) -> Outcome:
    """The outcome whose execution also waited in this process, for a thread of its lane."""
    execution = outcome.execution
    queued = msgspec.structs.replace(execution, queue_seconds=execution.queue_seconds + waited)
    return replace(outcome, execution=queued)


def _remarks(batch: Batch) -> list[Progress]:
    """One remark for each job in the batch."""
    jobs = {(member.tenant, member.job_id): member for member in batch.members}
    rows = sum(member.parameters.rows for member in batch.members)
    detail = f"{rows} parameter sets in a batch of {len(batch.members)}"
    return [
        Progress(
            job_id=job_id,
            tenant=tenant,
            stage="execute",
            detail=detail,
            round=member.round if member.phase == "round" else None,
            target=batch.target,
        )
        for (tenant, job_id), member in jobs.items()
    ]
