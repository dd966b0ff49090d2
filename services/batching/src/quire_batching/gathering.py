"""Between the messages and the queues: each delivery waits here, un-acknowledged, until its batch is on the log."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from opentelemetry.trace import SpanContext, Tracer

from quire_batching.assignment import KEPT_SECONDS, Assignment, assignment_id
from quire_batching.figures import Figures
from quire_batching.flights import Closed
from quire_batching.forming import forming
from quire_batching.giving_back import given_back
from quire_batching.group import Item
from quire_batching.grouping import form_batch, group_key
from quire_batching.house import House
from quire_batching.load import Load, load_of
from quire_batching.policy import Policy
from quire_batching.target_queue import TargetQueue
from quire_batching.verdict import blames_the_work
from quire_bus.delivery import Delivery
from quire_bus.errors import Conflict
from quire_bus.records import Records, RecordWrite
from quire_contracts.batch import ExecuteBatch, FlushReason, SimulateBatch, Slice
from quire_contracts.breaker import TargetState
from quire_contracts.task import RunTask, Task
from quire_resilience.clock import Clock
from quire_resilience.errors import QuireError, Transient

Command = ExecuteBatch | SimulateBatch
ENDS: Final = ("quire.evt.shared.batch.executed.v1.*", "quire.evt.shared.batch.failed.v1.*")
"""Where it is said that a batch is over."""

_IDLE_SECONDS: Final = 60.0
"""A target that nobody uses for so long is forgotten, with what was learned of it."""


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A task that waits: its one slice, or all of them where it was cut, each of which will be a batch of its own.

    `left` is done when the task is committed, or has its error when it cannot be.
    """

    task: Task
    members: Sequence[Slice]
    delivery: Delivery[RunTask]
    span: SpanContext
    left: asyncio.Future[None] = field(default_factory=_future)


@dataclass(slots=True)
class _Sent:
    """A place taken at a target, until all of its batches are over."""

    queue: TargetQueue[Waiting]
    ticket: int
    batches: set[str]
    ok: bool = True
    measured: bool = True


class Gathering:
    """The queues of one replica, and the commits that empty them.

    Everything here is a memory of what the broker keeps: a replica that dies leaves un-acknowledged deliveries and
    nothing else. The ends of batches are overheard, not consumed; one that was missed frees its place a little later.
    """

    def __init__(
        self,
        policy: Policy,
        records: Records[Assignment],
        clock: Clock,
        tracer: Tracer,
        figures: Figures,
        *,
        reserve: timedelta = timedelta(0),
        mixed: bool = False,
        down: Callable[[str, str | None], TargetState | None] = lambda _target, _tenant: None,
        wake: asyncio.Event | None = None,
    ) -> None:
        """down: why a target takes no work at present; what waits for it is given back. wake: set when that changes."""
        self.queues: dict[str, TargetQueue[Waiting]] = {}
        self.house = House(clock.monotonic())
        self._policy = policy
        self._reserve = reserve
        self._mixed = mixed
        self._down = down
        self._records = records
        self._clock = clock
        self._tracer = tracer
        self._figures = figures
        self._waiting: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._leaving: set[asyncio.Future[None]] = set()
        self._sent: dict[str, _Sent] = {}
        self._used: dict[str, float] = {}
        self._wake = wake or asyncio.Event()
        self._commits: set[asyncio.Task[None]] = set()

    async def join(self, waiting: Waiting) -> None:
        """Put a task into its target's queue; return when it is committed.

        Raises:
            Transient, Permanent: the commit did. The task is in no queue any more; its redelivery begins anew.
        """
        name = (waiting.task.tenant, assignment_id(waiting.task))
        if name in self._waiting:  # redelivered while it waits: one place in the queue answers both deliveries
            return await asyncio.shield(self._waiting[name])
        self._waiting[name] = waiting.left
        try:
            self._admit(waiting)
            await waiting.left
        finally:
            del self._waiting[name]
            waiting.left.cancel()  # a queue that still holds the task leaves it out; no effect once it has left

    def drop(self, tenant: str, id_: str) -> None:
        """Forget a task that waits, by its assignment's id; one whose batch is being formed is left out of it."""
        left = self._waiting.get((tenant, id_))
        if left is not None and left not in self._leaving:
            _settle(left, None)

    async def run(self, stopping: asyncio.Event) -> None:
        """Send what may leave, when it may, until told to stop; then everything, and wait until it is sent."""
        watch = asyncio.create_task(self._wake_at(stopping))
        try:
            while not stopping.is_set():
                self._wake.clear()
                pause = self._look()
                try:
                    async with asyncio.timeout(pause if pause < math.inf else None):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            watch.cancel()
        while self._waiting:
            now = self._clock.monotonic()
            for queue in self.queues.values():
                self._begin(queue, queue.flush(now))
            await asyncio.wait(self._commits) if self._commits else await asyncio.sleep(0)

    def heard(self, subject: str, body: bytes) -> None:
        """A batch is over: the subject ends in how it went, the version and the batch's id."""
        how, _version, batch_id = subject.split(".")[-3:]
        sent = self._sent.pop(batch_id, None)
        if sent is None:
            return
        sent.batches.discard(batch_id)
        if how != "executed":
            sent.ok, sent.measured = False, sent.measured and not blames_the_work(body)
        if not sent.batches:
            sent.queue.over(sent.ticket, self._clock.monotonic(), ok=sent.ok, measured=sent.measured)
            self._wake.set()

    async def is_assigned(self, task: Task) -> bool:
        """Whether this attempt of the task is in a batch already."""
        return await self._records.get(task.tenant, assignment_id(task)) is not None

    def _admit(self, waiting: Waiting) -> None:
        target, now = waiting.task.target, self._clock.monotonic()
        queue = self.queues.get(target)
        if queue is None:
            queue = self.queues[target] = TargetQueue(target, self._policy, now, self.house)
        self.house.took(now, (self._clock.now() - waiting.delivery.meta.time).total_seconds())
        queue.admit(self._item(waiting, now), now)
        self._used[target] = now
        self._wake.set()

    async def _wake_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._wake.set()

    def _look(self) -> float:
        """Begin to send all that may leave; the seconds until something may, if nothing happens before."""
        now, due = self._clock.monotonic(), math.inf
        for target in tuple(self.queues):
            queue = self.queues[target]
            self._begin(queue, queue.flush(now) if self._down(target, None) else queue.take(now))
            due = min(due, queue.next_due())
            if queue.is_idle and now - self._used[target] > _IDLE_SECONDS:
                del self.queues[target], self._used[target]
        return max(0.0, due - now)

    def _item(self, waiting: Waiting, now: float) -> Item[Waiting]:
        task, leave_by = waiting.task, math.inf
        if task.deadline_at is not None:
            leave_by = now + (task.deadline_at - self._reserve - self._clock.now()).total_seconds()
        load = sum((load_of(task, member) for member in waiting.members), Load())
        whole = replace(load, members=1)  # also where it was cut: it leaves at once
        return Item(group_key(task, mixed=self._mixed), task.tenant, whole, waiting, leave_by)

    def _begin(self, queue: TargetQueue[Waiting], closed: Sequence[Closed[Waiting]]) -> None:
        for each in closed:
            commit = asyncio.create_task(self._send(queue, each))
            self._commits.add(commit)
            commit.add_done_callback(self._commits.discard)

    async def _send(self, queue: TargetQueue[Waiting], closed: Closed[Waiting]) -> None:
        """Commit what leaves together and tell every member how it went, whatever happens here."""
        members = [waiting for waiting in closed.contents if not waiting.left.done()]
        self._leaving.update(waiting.left for waiting in members)
        failure: QuireError | None = Transient("the batch's commit was interrupted", code="commit-interrupted")
        sent = _Sent(queue, closed.ticket, set())
        try:
            await self._commit(members, closed.reason, sent)
            failure = None
        except QuireError as error:
            failure = error
        finally:
            if failure is not None or not sent.batches:
                self._expect(sent, ())
                queue.over(closed.ticket, self._clock.monotonic(), measured=False)
                self._wake.set()
            for waiting in members:
                self._leaving.discard(waiting.left)
                _settle(waiting.left, failure)

    async def _commit(self, members: Sequence[Waiting], reason: FlushReason, sent: _Sent) -> None:
        """Commit the members' batches and assignments, all or nothing; who was assigned before is left out.

        Those whose target takes no work, or none of their tenant's, are given back by the same commit.
        """
        while members:
            now = self._clock.now()
            away = {each: self._down(each.task.target, each.task.tenant) for each in members}
            leaving = [each for each in members if away[each] is None]
            commands = self._formed(leaving, reason) if leaving else []
            self._expect(sent, commands)
            try:
                with forming(self._tracer, commands, [each.span for each in leaving]):
                    await members[0].delivery.commit(
                        *commands,
                        *(given_back(each.task, state, now) for each, state in away.items() if state is not None),
                        records=[self._assign(each.task, commands if away[each] is None else ()) for each in members],
                        together=[waiting.delivery for waiting in members[1:]],
                    )
            except Conflict:
                known = await asyncio.gather(*(self.is_assigned(waiting.task) for waiting in members))
                rest = [waiting for waiting, assigned in zip(members, known, strict=True) if not assigned]
                if len(rest) == len(members):
                    raise
                members = rest
                self._expect(sent, ())
            else:
                self._figures.sent(commands, self._clock.now())
                return

    def _expect(self, sent: _Sent, commands: Sequence[Command]) -> None:
        """Listen for the ends of these batches; before they are sent, for a quick plane answers before the broker."""
        for batch_id in sent.batches:
            self._sent.pop(batch_id, None)
        sent.batches = {command.batch.batch_id for command in commands}
        for batch_id in sent.batches:
            self._sent[batch_id] = sent

    def _formed(self, members: Sequence[Waiting], reason: FlushReason) -> list[Command]:
        now, tasks = self._clock.now(), [waiting.task for waiting in members]
        if len(members[0].members) > 1:  # a task that was cut is above the limits and so alone
            return [form_batch(tasks, [each], reason, now) for each in members[0].members]
        return [form_batch(tasks, [waiting.members[0] for waiting in members], reason, now)]

    def _assign(self, task: Task, commands: Sequence[Command]) -> RecordWrite:
        ids = tuple(command.batch.batch_id for command in commands)
        record = Assignment(task.task_id, task.attempt, ids, self._clock.now())
        return self._records.write(task.tenant, assignment_id(task), record, 0, KEPT_SECONDS)


def _settle(left: asyncio.Future[None], failure: QuireError | None) -> None:
    if left.done():
        return
    if failure is None:
        left.set_result(None)
    else:
        left.set_exception(failure)
        left.exception()  # seen: a handler that was cancelled meanwhile will not ask
