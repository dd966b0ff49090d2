"""From a batch's answers to its tasks' events: fetch, fan in, check, score, and store what is large."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from quire_aggregation.answering import Answering
from quire_aggregation.arrival import Arrival, task_failed
from quire_aggregation.evidence import Evidence, Piece
from quire_aggregation.fanin import KEEP_SECONDS, KIND, FanIn, Part, absorb, fan_in_id, finish
from quire_aggregation.judging import Judged, judge_all
from quire_aggregation.provenance import rounding_of, scales_of
from quire_aggregation.question import Question, ask
from quire_aggregation.steadiness import comparable
from quire_aggregation.yardstick import Yardstick, yardstick
from quire_bus.blobs import Blobs
from quire_bus.envelope import Outgoing
from quire_bus.errors import fault_of
from quire_bus.records import Records, RecordWrite
from quire_bus.tracing import context_of, headers_of
from quire_contracts.batch import BatchExecuted
from quire_contracts.task import Scoring, TaskFailed, TaskScored
from quire_contracts.value import BlobRef, Fault, Matrix, Target
from quire_resilience.clock import Clock
from quire_resilience.errors import Permanent

ON_LOOP_BYTES = 128 * 1024
"""Answers of up to this many bytes are judged in about a millisecond: a thread would cost more than it saves."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What one arrival makes a commit say and keep: the task's event, its fan-in record, both, or neither."""

    message: Outgoing | None = None
    record: RecordWrite | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """One arrival with all that is known of its task.

    parts: of every batch so far.   ends: whether the task is answered, or has failed, now.
    """

    arrival: Arrival
    parts: Sequence[Part] = ()
    ends: bool = True
    record: RecordWrite | None = None


class Settling:
    """What aggregation does with the bus around its pure parts. Repeating it gives the same events and records."""

    def __init__(self, records: Records[FanIn], blobs: Blobs, clock: Clock, tracer: Tracer) -> None:
        self._records = records
        self._blobs = blobs
        self._clock = clock
        self._tracer = tracer
        self._answering = Answering(blobs)

    async def question(self, batch: BatchExecuted) -> Question:
        """What the batch was asked.

        Raises:
            Permanent: if its observables are missing or unreadable.
        """
        observables = None if batch.observables is None else await self._blobs.get(batch.observables)
        return ask(qubits=batch.qubits, bits=batch.bits, shots=batch.shots, observables=observables)

    async def settle(self, arrivals: Sequence[Arrival], target: Target, question: Question) -> list[Settled]:
        """What follows from each arrival of one batch: the event if it ends its task, and a changed fan-in.

        Answers that are missing in the store, or corrupt, fail their own task alone.
        """
        gathered = [await self._gather(arrival) for arrival in arrivals]
        ending = [each for each in gathered if each.ends]
        events = iter(await self._events(ending, target, question))
        return [Settled(next(events) if each.ends else None, each.record) for each in gathered]

    async def _gather(self, arrival: Arrival) -> Gathered:
        if not arrival.cut:
            return Gathered(arrival, arrival.parts)
        member = arrival.member
        name = fan_in_id(member.task_id, member.attempt)
        stored = await self._records.get(member.tenant, name)
        before = stored.value if stored else arrival.empty_fan_in
        known = before
        for part in arrival.parts:
            known = absorb(known, part)
        ends = not before.over and (arrival.fault is not None or known.complete)
        after = finish(known) if ends else await self._slim(known)
        revision = stored.revision if stored else 0
        changed = after != before
        write = RecordWrite(KIND, member.tenant, name, after, revision, KEEP_SECONDS) if changed else None
        return Gathered(arrival, known.parts, ends, write)

    async def _events(self, ending: Sequence[Gathered], target: Target, question: Question) -> list[Outgoing]:
        """The event of each task, under a span of its own in the job's trace."""
        spans = [self._span(each.arrival, target) for each in ending]
        try:
            messages = await self._judge(ending, target, question)
            return [
                _said(span, message, each.arrival) for span, message, each in zip(spans, messages, ending, strict=True)
            ]
        finally:
            for span in spans:
                span.end()

    def _span(self, arrival: Arrival, target: Target) -> Span:
        member = arrival.member
        attributes = {"quire.job.id": member.job_id, "quire.task.id": member.task_id, "quire.target": target}
        return self._tracer.start_span(
            "quire.stage.score", context=context_of(arrival.traceparent), attributes=attributes
        )

    async def _judge(
        self, ending: Sequence[Gathered], target: Target, question: Question
    ) -> list[TaskScored | TaskFailed]:
        began, tick = self._clock.now(), self._clock.monotonic()
        known = [await self._evidence(each, question) for each in ending]
        judged = iter(await _judged([one for one in known if isinstance(one, Evidence)]))
        seconds = self._clock.monotonic() - tick
        messages: list[TaskScored | TaskFailed] = []
        for each, one in zip(ending, known, strict=True):
            arrival = each.arrival
            if not isinstance(one, Evidence):
                messages.append(task_failed(arrival.member, target, one, arrival.after_seconds, arrival.together))
                continue
            found = next(judged)
            if found.verdict.fault is not None:
                messages.append(task_failed(arrival.member, target, found.verdict.fault))
                continue
            scored = self._answering.scored(arrival.member, each.parts, one, found, began=began, seconds=seconds)
            messages.append(await scored)
        return messages

    async def _evidence(self, each: Gathered, question: Question) -> Evidence | Fault:
        """What is known of a task's answer, or why nothing can be."""
        arrival = each.arrival
        if arrival.fault is not None:
            return arrival.fault
        try:
            pieces = [await self._fetch(part) for part in each.parts]
            measure = await self._yardstick(arrival.member.scoring)
        except Permanent as error:
            return fault_of(error)
        member = arrival.member
        scoring = comparable(member.scoring, (part.execution for part in each.parts))
        return Evidence(question, member.total_rows, tuple(pieces), scoring, measure, member.kernel)

    async def _yardstick(self, scoring: Scoring | None) -> Yardstick | None:
        if scoring is None or scoring.problem is None:
            return None
        return yardstick(await self._blobs.get(scoring.problem))

    async def _fetch(self, part: Part) -> Piece:
        carrier, errors = part.counts or part.values, part.std_errors
        data = b"" if carrier is None else await self._blobs.get(carrier.data)
        error_data = b"" if errors is None else await self._blobs.get(errors.data)
        said = scales_of(part.execution), rounding_of(part.execution)
        return Piece(part.first, part.rows, part.counts, part.values, data, errors, error_data, *said)

    async def _slim(self, fan_in: FanIn) -> FanIn:
        """The fan-in with its data by reference alone: many slices together would not fit into a record."""
        return msgspec.structs.replace(fan_in, parts=tuple([await self._stored(part) for part in fan_in.parts]))

    async def _stored(self, part: Part) -> Part:
        if part.counts is not None:
            counts = msgspec.structs.replace(part.counts, data=await self._outside(part.counts.data))
            return msgspec.structs.replace(part, counts=counts)
        values, errors = await self._apart(part.values), await self._apart(part.std_errors)
        return msgspec.structs.replace(part, values=values, std_errors=errors)

    async def _apart(self, matrix: Matrix | None) -> Matrix | None:
        return matrix and msgspec.structs.replace(matrix, data=await self._outside(matrix.data))

    async def _outside(self, ref: BlobRef) -> BlobRef:
        if ref.inline is None:
            return ref
        return await self._blobs.put(ref.inline, ref.media_type, inline_limit=0)


async def _judged(answers: Sequence[Evidence]) -> list[Judged]:
    """The judgements, worked out in a thread where they would hold up the loop."""
    if sum(len(piece.data) for evidence in answers for piece in evidence.pieces) <= ON_LOOP_BYTES:
        return judge_all(answers)
    return await asyncio.to_thread(judge_all, answers)


def _said(span: Span, message: TaskScored | TaskFailed, arrival: Arrival) -> Outgoing:
    if isinstance(message, TaskFailed):
        span.set_attribute("quire.fault.code", message.fault.code)
        span.set_status(Status(StatusCode.ERROR, message.fault.code))
    else:
        span.set_attribute("quire.checks", list(message.quality.checks))
    return Outgoing(message, traceparent=headers_of(span)[0] or arrival.traceparent)
