"""Group commit: batches that are ready together travel as one, and each gets the answer it would have had alone.

An atomic batch costs the broker a millisecond before its first part (it stages each batch in a store of its own) and
35 us a part (measured, nats-server 2.15.1), and it commits one batch of a stream at a time. So what is ready in one
turn of the event loop, or while other batches are under way, is merged into one batch and one answer. A lone write
does not wait for company.

Merged are only writes that cannot refuse one another: no guarded subject and no message id of one is another's. If a
merged batch is refused, one look at the guarded subjects says who was overtaken there, and the others go again as one:
where replicas write the same records, all else they write must not wait for each of their conflicts in turn. Where the
look says nothing, halves are tried, down to the single write, which alone decides what a refusal means. If its answer
is lost, each is written alone and recognises its own success by its nonce.
Source: group commit, DeWitt et al., "Implementation techniques for main memory database systems", SIGMOD 1984.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from quire_bus.errors import Conflict, NotStored, Unknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from quire_bus.store import Acked, Entry

_MOST_PARTS: Final = 300
"""More parts in one batch save nothing more and make its writers wait."""

_MOST_BYTES: Final = 1024 * 1024
_UNDER_WAY: Final = 2


class Groups:
    """Writes of one process, merged; made by `Store`.

    send: sends entries once as one batch; raises `Refused`, `Unknown`, `NotStored`.
    settle: writes one entry alone, to its end.
    look: at what an entry guards; raises `Conflict` if somebody else has written there.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Entry]], Awaitable[Acked]],
        settle: Callable[[Entry], Awaitable[Acked]],
        look: Callable[[Entry], Awaitable[object]],
    ) -> None:
        self._send = send
        self._settle = settle
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._queue: list[_Queued] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._planned = False

    async def put(self, entry: Entry) -> Acked:
        """Write an entry, in company if there is any; as `Store.write`."""
        queued = _Queued(entry, self._loop.create_future())
        self._queue.append(queued)
        self._plan()
        return await queued.future

    def _plan(self) -> None:
        if self._queue and not self._planned and len(self._under_way) < _UNDER_WAY:
            self._planned = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._planned = False
        self._queue = [queued for queued in self._queue if not queued.future.done()]  # cancelled before it was sent
        group, self._queue = compatible(self._queue)
        if group:
            task = self._loop.create_task(self._write(group))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
        self._plan()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._plan()

    async def _write(self, group: Sequence[_Queued]) -> None:
        if len(group) == 1:
            await self._alone(group[0])
            return
        try:
            acked = await self._send([queued.entry for queued in group])
        except (Unknown, NotStored) as error:
            for queued in group:
                queued.entry.lost = isinstance(error, Unknown)
            await asyncio.gather(*(self._alone(queued) for queued in group))
        except Exception:  # noqa: BLE001 - refused: whose fault it is, the parts of it will say
            await self._again(group)
        else:
            sequence = acked.sequence - sum(len(queued.entry.parts) for queued in group)
            for queued in group:
                sequence += len(queued.entry.parts)
                if not queued.future.done():
                    queued.future.set_result(type(acked)(sequence))

    async def _again(self, group: Sequence[_Queued]) -> None:
        """A refused group once more: without those that were overtaken, who are told; in halves if there are none."""
        found = await asyncio.gather(*(self._look(queued.entry) for queued in group), return_exceptions=True)
        rest = [queued for queued, seen in zip(group, found, strict=True) if not isinstance(seen, Conflict)]
        for queued, seen in zip(group, found, strict=True):
            if isinstance(seen, Conflict) and not queued.future.done():
                queued.future.set_exception(seen)
        if len(rest) == len(group):
            middle = len(group) // 2
            await self._write(group[:middle])
            await self._write(group[middle:])
        elif rest:
            await self._write(rest)

    async def _alone(self, queued: _Queued) -> None:
        try:
            acked = await self._settle(queued.entry)
        except Exception as error:  # noqa: BLE001 - its writer is told
            if not queued.future.done():
                queued.future.set_exception(error)
        else:
            if not queued.future.done():
                queued.future.set_result(acked)


class _Queued:
    __slots__ = ("entry", "future")

    def __init__(self, entry: Entry, future: asyncio.Future[Acked]) -> None:
        self.entry = entry
        self.future = future


def compatible(queue: Sequence[_Queued]) -> tuple[list[_Queued], list[_Queued]]:
    """The first group of a queue and the rest of it, both in order; the first entry is always in the group.

    What waits for a subject is not overtaken by what comes later for it: both stay.
    """
    group: list[_Queued] = []
    rest: list[_Queued] = []
    guards: set[str] = set()
    subjects: set[str] = set()
    ids: set[str] = set()
    parts = size = 0
    for queued in queue:
        entry = queued.entry
        fits = parts + len(entry.parts) <= _MOST_PARTS and size + entry.size <= _MOST_BYTES
        apart = guards.isdisjoint(entry.subjects) and subjects.isdisjoint(entry.guards) and ids.isdisjoint(entry.ids)
        if not group or (fits and apart):
            group.append(queued)
            parts += len(entry.parts)
            size += entry.size
        else:
            rest.append(queued)
        guards |= entry.guards
        subjects |= entry.subjects
        ids |= entry.ids
    return group, rest
