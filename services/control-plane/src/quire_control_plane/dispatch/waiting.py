"""Who waits for a target: entries beside the jobs' records, by which they are woken in order of class and deadline.

An entry is a hint. A task that waits is also looked at by its own timer, so that one which is missing costs time, and
one too many costs a look.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from quire_bus.envelope import message_id
from quire_contracts.registry import entry_of
from quire_contracts.task import ReviewTask
from quire_contracts.value import Key, Priority, Target, Tenant, Value
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quire_bus.publisher import Publisher
    from quire_bus.records import Records
    from quire_contracts.record import JobRecord
    from quire_control_plane.routing import Down
    from quire_resilience.clock import Clock

KIND: Final = "waiting"
KEPT_SECONDS: Final = 3_600
"""Longer than a task waits between two looks, each of which writes its entry anew."""

CLASSES: Final[tuple[Priority, ...]] = ("customer-facing", "production", "validation", "research")
_AT_ONCE: Final = 64
_AGAIN_SECONDS: Final = 1.0
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Waiting(Value, frozen=True):
    """A job's task that waits for one of `targets`; without any it waits no more."""

    tenant: Tenant
    job_id: Key
    task_id: Key
    attempt: int
    priority: Priority
    since: datetime
    deadline_at: datetime | None = None
    targets: tuple[Target, ...] = ()


def entry(before: JobRecord | None, after: JobRecord) -> Waiting | None:
    """The entry to write with a job's record; None where it says already what is so."""
    was = next((item for item in before.pending if item.held is not None), None) if before is not None else None
    now = next((item for item in after.pending if item.held is not None), None)
    holder = now or was
    if holder is None or (was is not None and now is not None and was.held == now.held):
        return None
    return Waiting(
        tenant=after.tenant,
        job_id=after.job_id,
        task_id=holder.task.task_id,
        attempt=holder.task.attempt,
        priority=after.priority,
        since=holder.waiting_since or holder.since,
        deadline_at=after.deadline_at,
        targets=now.held.targets if now is not None and now.held is not None else (),
    )


def in_order(entries: Iterable[Waiting], down: Down) -> list[Waiting]:
    """Those of whose targets one takes work: the most urgent class first, in it the nearest deadline, the oldest."""
    ready = [each for each in entries if any(down(target, each.tenant) is None for target in each.targets)]
    return sorted(ready, key=lambda each: (CLASSES.index(each.priority), each.deadline_at or _NEVER, each.since))


class Waking:
    """Has those who wait looked at when a target comes back, and once at the start.

    All replicas hear of it together and each wakes everybody, in case it is the only one; what they say of a task
    within one second is one message. Else every job is reviewed by all of them at once, and most reviews are conflicts.
    """

    def __init__(self, records: Records[Waiting], publisher: Publisher, clock: Clock) -> None:
        self._records = records
        self._publisher = publisher
        self._clock = clock
        self._news = asyncio.Event()

    def news(self) -> None:
        """A target went down or came back."""
        self._news.set()

    async def run(self, down: Down, stopping: asyncio.Event) -> None:
        """Wake who can be, until told to stop."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self._news.clear()
                try:
                    await self.wake(down, stopping)
                except QuireError:  # the broker is away: whoever was not told is told again
                    self._news.set()
                    await self._clock.sleep(_AGAIN_SECONDS)
                await _either(self._news, stop)
        finally:
            stop.cancel()

    async def wake(self, down: Down, stopping: asyncio.Event) -> None:
        """Have everybody looked at who waits for a target that takes work.

        Raises:
            QuireError: the broker cannot be reached.
        """
        second = self._clock.now().replace(microsecond=0).isoformat()
        for each in in_order(await self._entries(), down):
            if stopping.is_set():
                return
            review = ReviewTask(each.job_id, each.tenant, each.task_id, each.attempt)
            named = message_id(
                entry_of(review).type,
                entry_of(review).identity_of(review),
                cause_id=f"{second}|{each.tenant}|{each.job_id}",
            )
            await self._publisher.publish(review, id_=named)

    async def _entries(self) -> list[Waiting]:
        names, found = await self._records.names(), []
        for start in range(0, len(names), _AT_ONCE):
            stored = await asyncio.gather(*(self._records.get(*name) for name in names[start : start + _AT_ONCE]))
            found += [each.value for each in stored if each is not None]
        return found


async def _either(event: asyncio.Event, stop: asyncio.Task[bool]) -> None:
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({waiting, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
