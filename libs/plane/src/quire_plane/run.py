"""One batch from its message to its answer: blobs in, an executor, remarks for the eye, blobs out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from quire_bus.errors import fault_of
from quire_contracts.batch import BatchStarted, SliceResult
from quire_contracts.batch import Member as Participant
from quire_contracts.control import Progress
from quire_plane import slices
from quire_plane.tracing import batch_spans
from quire_quantum.executor import Outcome, Work, WorkError
from quire_quantum.observables import ObservableError
from quire_resilience.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from opentelemetry.trace import Tracer

    from quire_bus.envelope import Meta
    from quire_contracts.batch import Batch, BatchExecuted
    from quire_contracts.value import BlobRef, Fault, Value
    from quire_resilience.clock import Clock

STARTED_AFTER_SECONDS: Final = 0.25
"""A batch that is over sooner is not worth a BatchStarted."""

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
    """Runs batches; holds no state of its own."""

    blobs: Blobs
    publisher: Publisher
    clock: Clock
    tracer: Tracer

    async def run(self, batch: Batch, cause: Meta, perform: Perform) -> BatchExecuted:
        """Run a batch and give the event that answers it, for the caller to commit.

        Members whose parameters cannot be read have a fault in the answer, the others run together. Everything large
        is stored when this returns, so committing the event is all that is left. Running it again after a crash gives
        the same answer for seeded members.

        Raises:
            Permanent: nothing could run; the fault holds for every member.
            Transient: the same batch may run later.
        """
        with batch_spans(self.tracer, batch) as traceparents:
            admitted = await self._admit(batch)
            async with self._remarks(batch, cause):
                try:
                    outcome = await perform(admitted.work)
                except (WorkError, ObservableError) as error:
                    raise slices.invalid(error) from error
            results = await self._store(batch, admitted, outcome, traceparents)
        bits = admitted.work.structure.num_bits
        return slices.executed(batch, bits, outcome.execution, results, self.clock.now())

    async def _admit(self, batch: Batch) -> slices.Admitted:
        structure = slices.read_structure(await self.blobs.get(batch.structure))
        observed = await self.blobs.get(batch.observables) if batch.observables else None
        observables = slices.read_observables(observed)
        parameters: list[NDArray[np.float64] | Fault] = []
        for member in batch.members:
            try:
                data = await self.blobs.get(member.parameters.data)
                parameters.append(slices.read_parameters(member.parameters, data, structure))
            except Permanent as error:
                parameters.append(fault_of(error))
        return slices.admit_members(batch, structure, observables, parameters)

    async def _store(
        self, batch: Batch, admitted: slices.Admitted, outcome: Outcome, traceparents: Sequence[str | None]
    ) -> list[SliceResult]:
        """One result for each member of the batch, in its order."""
        limit, groups = slices.inline_limit(batch), slices.groups_of(admitted.work)
        results = {
            place: SliceResult(member=batch.members[place], fault=fault, traceparent=traceparents[place])
            for place, fault in admitted.faults.items()
        }
        for place, answer in zip(admitted.places, outcome.members, strict=True):
            data, media_type = slices.payload(answer)
            ref = await self.blobs.put(data, media_type, inline_limit=limit)
            results[place] = slices.result_of(batch.members[place], answer, ref, groups, traceparents[place])
        return [results[place] for place in range(len(batch.members))]

    @asynccontextmanager
    async def _remarks(self, batch: Batch, cause: Meta) -> AsyncIterator[None]:
        """Tell the jobs' watchers where their work is, and everybody if it takes a while."""
        started = BatchStarted(
            batch_id=batch.batch_id,
            target=batch.target,
            started_at=self.clock.now(),
            members=tuple(
                Participant(task_id=member.task_id, job_id=member.job_id, tenant=member.tenant)
                for member in batch.members
            ),
        )
        remarks = asyncio.create_task(self._say(batch, started, cause), name=f"remarks:{batch.batch_id}")
        try:
            yield
        finally:
            remarks.cancel()
            await asyncio.gather(remarks, return_exceptions=True)

    async def _say(self, batch: Batch, started: BatchStarted, cause: Meta) -> None:
        for remark in _remarks(batch):
            await self.publisher.progress(remark)
        await self.clock.sleep(STARTED_AFTER_SECONDS)
        await self.publisher.publish(started, cause=cause)


def with_wait(outcome: Outcome, waited: float) -> Outcome:
    """The outcome whose execution also waited in this process, for a thread of its lane."""
    execution = outcome.execution
    queued = msgspec.structs.replace(execution, queue_seconds=execution.queue_seconds + waited)
    return Outcome(outcome.members, queued)


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
