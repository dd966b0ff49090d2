"""What one batch's message means for each of its tasks: slices that came in, or a fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quire_aggregation.fanin import FanIn, Part
from quire_aggregation.provenance import execution_of
from quire_contracts.batch import BatchExecuted, BatchFailed, Slice, SliceResult
from quire_contracts.task import TaskFailed
from quire_contracts.value import Fault, Seconds, Target


@dataclass(frozen=True, slots=True)
class Arrival:
    """One task attempt's share of a batch: its slices that ran, or the fault that ends it.

    traceparent: the span in the job's trace under which the task's answer is said.
    together: tasks that have this fault because their batch has it.
    """

    member: Slice
    parts: tuple[Part, ...] = ()
    fault: Fault | None = None
    after_seconds: Seconds = 0.0
    traceparent: str | None = None
    together: int = 1

    @property
    def cut(self) -> bool:
        """Whether other batches hold slices of the same task, so that a record has to gather them."""
        return self.member.parameters.rows < self.member.total_rows

    @property
    def empty_fan_in(self) -> FanIn:
        """The fan-in before anything of the task came in."""
        return FanIn(self.member.task_id, self.member.attempt, self.member.total_rows)


def arrivals_of(message: BatchExecuted) -> tuple[Arrival, ...]:
    """One arrival for each task attempt, in the order of the results; one faulty slice is the fault of its task."""
    tasks: dict[tuple[str, int], list[SliceResult]] = {}
    for result in message.results:
        tasks.setdefault((result.member.task_id, result.member.attempt), []).append(result)
    rows = sum(result.member.parameters.rows for result in message.results)
    return tuple(_arrival(message, results, rows) for results in tasks.values())


def failures_of(message: BatchFailed) -> tuple[Arrival, ...]:
    """One arrival for each task attempt, with the batch's fault."""
    members = {(member.task_id, member.attempt): member for member in message.members}
    return tuple(
        Arrival(
            member,
            fault=message.fault,
            after_seconds=message.after_seconds,
            traceparent=member.traceparent,
            together=len(members),
        )
        for member in members.values()
    )


def task_failed(
    member: Slice, target: Target, fault: Fault, after_seconds: Seconds = 0.0, together: int = 1
) -> TaskFailed:
    """The event that a task attempt has no usable answer."""
    return TaskFailed(
        member.job_id, member.tenant, member.task_id, member.attempt, target, fault, after_seconds, together
    )


def _arrival(message: BatchExecuted, results: Sequence[SliceResult], batch_rows: int) -> Arrival:
    fault = next((result.fault for result in results if result.fault is not None), None)
    parts = () if fault is not None else tuple(_part(message, result, batch_rows) for result in results)
    first = results[0]
    return Arrival(first.member, parts, fault, traceparent=first.traceparent or first.member.traceparent)


def _part(message: BatchExecuted, result: SliceResult, batch_rows: int) -> Part:
    member = result.member
    return Part(
        first=member.first,
        rows=member.parameters.rows,
        counts=result.counts,
        values=result.values,
        execution=execution_of(message.execution, member, batch_id=message.batch_id, batch_rows=batch_rows),
        queued_at=member.queued_at,
        formed_at=message.formed_at,
        traceparent=result.traceparent,
        std_errors=result.std_errors,
    )
