"""Between the messages and the windows: each delivery waits here, un-acknowledged, until its batch is on the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, Tracer

from quire_batching.assignment import KIND, Assignment, assignment_id
from quire_batching.grouping import form_batch, group_key, load_of
from quire_batching.window import Closed, Item, Open, Policy, admit, close_due
from quire_bus.delivery import Delivery
from quire_bus.errors import Conflict
from quire_bus.records import Records, RecordWrite
from quire_contracts.batch import Batch, ExecuteBatch, FlushReason, SimulateBatch, Slice
from quire_contracts.task import RunTask, Task
from quire_resilience.clock import Clock
from quire_resilience.errors import QuireError, Transient

Command = ExecuteBatch | SimulateBatch


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A whole task that waits. `left` is done when its batch is committed, or has its error when it cannot be."""

    task: Task
    member: Slice
    delivery: Delivery[RunTask]
    span: SpanContext
    left: asyncio.Future[None] = field(default_factory=_future)


class Gathering:
    """The windows of one replica, and the commits that empty them.

    A window is closed by whichever of its tasks wakes first, so nothing runs in the background, and a replica that
    dies leaves nothing but un-acknowledged deliveries.
    """

    def __init__(
        self, policy: Policy, reserve: timedelta, records: Records[Assignment], clock: Clock, tracer: Tracer
    ) -> None:
        self._policy = policy
        self._reserve = reserve
        self._records = records
        self._clock = clock
        self._tracer = tracer
        self._windows: Open[Waiting] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def join(self, waiting: Waiting) -> None:
        """Put a task into its window; return when its batch is committed, by this call or by another's.

        Raises:
            Transient, Permanent: the commit did. The task is in no window any more; its redelivery begins anew.
        """
        name = (waiting.task.tenant, assignment_id(waiting.task))
        if name in self._waiting:  # redelivered while it waits: one place in the window answers both deliveries
            return await asyncio.shield(self._waiting[name])
        self._waiting[name] = waiting.left
        try:
            await self._flush(self._move(lambda open_, now: admit(open_, self._item(waiting, now), now, self._policy)))
            while not waiting.left.done():
                await self._closing(waiting)
                await self._flush(self._move(close_due))
            return waiting.left.result()
        finally:
            del self._waiting[name]
            waiting.left.cancel()  # a window that still holds the task now leaves it out; no effect once it has left

    async def send(self, delivery: Delivery[RunTask], members: Sequence[Slice], span: SpanContext) -> None:
        """Commit a cut task: one batch for each slice and one assignment, all or nothing."""
        task = delivery.message.task
        if await self.is_assigned(task):
            return
        batches = [self._form(task, [member], "single", [task]) for member in members]
        with self._forming(batches, [span]):
            await delivery.commit(*batches, records=[self._assign(task, batches)])

    async def is_assigned(self, task: Task) -> bool:
        """Whether this attempt of the task is in a batch already."""
        return await self._records.get(task.tenant, assignment_id(task)) is not None

    def _item(self, waiting: Waiting, now: float) -> Item[Waiting]:
        task, leave_by = waiting.task, None
        if task.deadline_at is not None:
            leave_by = now + (task.deadline_at - self._reserve - self._clock.now()).total_seconds()
        return Item(group_key(task), load_of(waiting.member, task.shots), waiting, leave_by)

    def _move(
        self, step: Callable[[Open[Waiting], float], tuple[Open[Waiting], tuple[Closed[Waiting], ...]]]
    ) -> tuple[Closed[Waiting], ...]:
        self._windows, closed = step(self._windows, self._clock.monotonic())
        return closed

    async def _closing(self, waiting: Waiting) -> None:
        """Wait until the task has left, or until its window should close."""
        window = self._windows.get(group_key(waiting.task))
        seconds = None if window is None else max(0.0, window.closes_at - self._clock.monotonic())
        await asyncio.wait({waiting.left}, timeout=seconds)

    async def _flush(self, closed: Sequence[Closed[Waiting]]) -> None:
        await asyncio.gather(*(self._flush_one(window) for window in closed))

    async def _flush_one(self, window: Closed[Waiting]) -> None:
        """Commit what closed and tell every member how it went, whatever happens here."""
        members = [waiting for waiting in window.contents if not waiting.left.done()]
        failure: QuireError | None = Transient("the window's flush was interrupted", code="flush-interrupted")
        try:
            await self._commit(members, window.reason)
            failure = None
        except QuireError as error:
            failure = error
        finally:  # also when this handler is cancelled: nobody may wait for a window that is gone
            for waiting in members:
                _settle(waiting.left, failure)

    async def _commit(self, members: Sequence[Waiting], reason: FlushReason) -> None:
        """Commit one batch of the members and their assignments; who was assigned before is left out."""
        while members:
            tasks = [waiting.task for waiting in members]
            command = self._form(tasks[0], [waiting.member for waiting in members], reason, tasks)
            try:
                with self._forming([command], [waiting.span for waiting in members]):
                    await members[0].delivery.commit(
                        command,
                        records=[self._assign(task, [command]) for task in tasks],
                        together=[waiting.delivery for waiting in members[1:]],
                    )
            except Conflict:
                rest = [waiting for waiting in members if not await self.is_assigned(waiting.task)]
                if len(rest) == len(members):
                    raise
                members = rest
            else:
                return

    def _form(self, task: Task, members: Sequence[Slice], reason: FlushReason, tasks: Sequence[Task]) -> Command:
        return form_batch(task, members, reason, self._clock.now(), [each.deadline_at for each in tasks])

    def _assign(self, task: Task, commands: Sequence[Command]) -> RecordWrite:
        ids = tuple(command.batch.batch_id for command in commands)
        record = Assignment(task.task_id, task.attempt, ids, self._clock.now())
        return RecordWrite(KIND, task.tenant, assignment_id(task), record, expected_revision=0)

    @contextmanager
    def _forming(self, commands: Sequence[Command], spans: Sequence[SpanContext]) -> Iterator[None]:
        """The root of a batch's own trace, as long as its first member waited, linked to the members' spans."""
        batches = [command.batch for command in commands]
        with self._tracer.start_as_current_span(
            "quire.batch.form",
            context=Context(),
            links=[Link(span) for span in spans if span.is_valid],
            start_time=_opened_nanoseconds(batches),
            attributes={
                "quire.batch.id": [batch.batch_id for batch in batches] if len(batches) > 1 else batches[0].batch_id,
                "quire.batch.size": sum(len(batch.members) for batch in batches),
                "quire.batch.flush_reason": batches[0].flush_reason,
                "quire.target": batches[0].target,
            },
        ):
            yield


def _settle(left: asyncio.Future[None], failure: QuireError | None) -> None:
    if left.done():
        return
    if failure is None:
        left.set_result(None)
    else:
        left.set_exception(failure)
        left.exception()  # seen: a handler that was cancelled meanwhile will not ask


def _opened_nanoseconds(batches: Sequence[Batch]) -> int:
    queued = min(member.queued_at for batch in batches for member in batch.members)
    return int(queued.timestamp() * 1e9)
