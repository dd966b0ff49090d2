"""From a batch's answers to its tasks' events: fetch, fan in, check, score, and store what is large."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from opentelemetry.trace import Status, StatusCode, Tracer

from quire_aggregation.arrival import Arrival, task_failed
from quire_aggregation.checks import Verdict, examine
from quire_aggregation.evidence import Array, Evidence, Piece
from quire_aggregation.fanin import KEEP_SECONDS, KIND, FanIn, Part, absorb, fan_in_id, finish
from quire_aggregation.provenance import timings_of
from quire_aggregation.question import Question, ask
from quire_aggregation.results import RESULT_BYTES, counts_result, estimate_result, shots_run
from quire_bus.blobs import Blobs
from quire_bus.envelope import Outgoing
from quire_bus.errors import fault_of
from quire_bus.records import Records, RecordWrite
from quire_bus.tracing import context_of, headers_of
from quire_contracts.batch import BatchExecuted
from quire_contracts.result import JobResult, SampleResult, encode_result
from quire_contracts.task import TaskFailed, TaskQuality, TaskScored
from quire_contracts.value import BlobRef, CountsTable, Matrix, Target
from quire_resilience.clock import Clock
from quire_resilience.errors import Permanent

COUNTS_MEDIA_TYPE = "application/vnd.quire.counts"
MATRIX_MEDIA_TYPE = "application/vnd.quire.float64"
JSON_MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Settled:
    """What one arrival makes a commit say and keep: the task's event, its fan-in record, both, or neither."""

    message: Outgoing | None = None
    record: RecordWrite | None = None


class Settling:
    """What aggregation does with the bus around its pure parts. Repeating it gives the same events and records."""

    def __init__(self, records: Records[FanIn], blobs: Blobs, clock: Clock, tracer: Tracer) -> None:
        self._records = records
        self._blobs = blobs
        self._clock = clock
        self._tracer = tracer

    async def question(self, batch: BatchExecuted) -> Question:
        """What the batch was asked.

        Raises:
            Permanent: if its observables are missing or unreadable.
        """
        observables = None if batch.observables is None else await self._blobs.get(batch.observables)
        return ask(qubits=batch.qubits, bits=batch.bits, shots=batch.shots, observables=observables)

    async def settle(self, arrival: Arrival, target: Target, question: Question) -> Settled:
        """What follows from one arrival: the event where it completes or ends its task, and the changed fan-in record.

        Answers that are missing in the store, or corrupt, fail their own task alone.
        """
        if not arrival.cut:
            return Settled(await self._event(arrival, arrival.parts, target, question))
        member = arrival.member
        name = fan_in_id(member.task_id, member.attempt)
        stored = await self._records.get(member.tenant, name)
        before = stored.value if stored else arrival.empty_fan_in
        after = before
        for part in arrival.parts:
            after = absorb(after, part)
        ends = not before.over and (arrival.fault is not None or after.complete)
        event = await self._event(arrival, after.parts, target, question) if ends else None
        after = finish(after) if ends else await self._slim(after)
        if after == before:
            return Settled()
        write = RecordWrite(KIND, member.tenant, name, after, stored.revision if stored else 0, KEEP_SECONDS)
        return Settled(event, write)

    async def _event(self, arrival: Arrival, parts: Sequence[Part], target: Target, question: Question) -> Outgoing:
        """The task's event, under a span of its own in the job's trace."""
        member = arrival.member
        attributes = {"quire.job.id": member.job_id, "quire.task.id": member.task_id, "quire.target": target}
        context = context_of(arrival.traceparent)
        with self._tracer.start_as_current_span("quire.stage.score", context=context, attributes=attributes) as span:
            message = await self._judge(arrival, parts, target, question)
            if isinstance(message, TaskFailed):
                span.set_attribute("quire.fault.code", message.fault.code)
                span.set_status(Status(StatusCode.ERROR, message.fault.code))
            else:
                span.set_attribute("quire.checks", list(message.quality.checks))
            return Outgoing(message, traceparent=headers_of(span)[0] or arrival.traceparent)

    async def _judge(
        self, arrival: Arrival, parts: Sequence[Part], target: Target, question: Question
    ) -> TaskScored | TaskFailed:
        member, began, tick = arrival.member, self._clock.now(), self._clock.monotonic()
        if arrival.fault is not None:
            return task_failed(member, target, arrival.fault, arrival.after_seconds)
        try:
            pieces = await asyncio.gather(*(self._fetch(part) for part in parts))
        except Permanent as error:
            return task_failed(member, target, fault_of(error))
        evidence = Evidence(question, member.total_rows, tuple(pieces), member.scoring)
        verdict = await asyncio.to_thread(_examine_all, evidence)
        if verdict.fault is not None:
            return task_failed(member, target, verdict.fault)
        scored = await self._scored(arrival, evidence, verdict)
        timings = timings_of(parts, member.task_id, began, self._clock.monotonic() - tick)
        executions = tuple(part.execution for part in parts)
        return msgspec.structs.replace(scored, executions=executions, timings=timings)

    async def _scored(self, arrival: Arrival, evidence: Evidence, verdict: Verdict) -> TaskScored:
        member, score = arrival.member, evidence.score
        values, errors = evidence.estimates or (None, None)
        result = await self._result(evidence) if member.phase == "main" else None
        large = result is not None and len(encode_result(result)) > RESULT_BYTES
        return TaskScored(
            job_id=member.job_id,
            tenant=member.tenant,
            task_id=member.task_id,
            phase=member.phase,
            round=member.round,
            attempt=member.attempt,
            values=await self._matrix(values),
            std_errors=await self._matrix(errors),
            best=score.best if score else None,
            quality=TaskQuality(verdict.passed, score.figures if score else None, shots_run(evidence)),
            executions=(),
            result=None if large else result,
            result_ref=await self._blobs.put(encode_result(result), JSON_MEDIA_TYPE) if large and result else None,
        )

    async def _result(self, evidence: Evidence) -> JobResult:
        if evidence.estimates is not None:
            return await asyncio.to_thread(estimate_result, *evidence.estimates)
        counts = evidence.counts
        result = await asyncio.to_thread(counts_result, counts)
        if result is not None:
            return result
        data = await self._blobs.put(counts.to_bytes(), COUNTS_MEDIA_TYPE)
        return SampleResult(table=CountsTable(rows=counts.rows, groups=1, bits=counts.bits, data=data))

    async def _matrix(self, values: Array | None) -> Matrix | None:
        if values is None:
            return None
        data = await self._blobs.put(values.astype("<f8").tobytes(), MATRIX_MEDIA_TYPE)
        return Matrix(values.shape[0], values.shape[1], data)

    async def _fetch(self, part: Part) -> Piece:
        carrier = part.counts or part.values
        data = b"" if carrier is None else await self._blobs.get(carrier.data)
        return Piece(part.first, part.rows, part.counts, part.values, data)

    async def _slim(self, fan_in: FanIn) -> FanIn:
        """The fan-in with its data by reference alone: many slices together would not fit into a record."""
        return msgspec.structs.replace(fan_in, parts=tuple([await self._stored(part) for part in fan_in.parts]))

    async def _stored(self, part: Part) -> Part:
        if part.counts is not None:
            counts = msgspec.structs.replace(part.counts, data=await self._outside(part.counts.data))
            return msgspec.structs.replace(part, counts=counts)
        if part.values is not None:
            values = msgspec.structs.replace(part.values, data=await self._outside(part.values.data))
            return msgspec.structs.replace(part, values=values)
        return part

    async def _outside(self, ref: BlobRef) -> BlobRef:
        if ref.inline is None:
            return ref
        return await self._blobs.put(ref.inline, ref.media_type, inline_limit=0)


def _examine_all(evidence: Evidence) -> Verdict:
    """The verdict, with everything that is said of a good answer worked out in the same thread."""
    verdict = examine(evidence)
    if verdict.fault is None:
        _ = (evidence.estimates, evidence.score)
    return verdict
