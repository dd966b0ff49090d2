"""One message in a handler's hands: its envelope, and the one atomic commit that answers it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

import msgspec

from quire_bus.codec import decode_any
from quire_bus.compose import Sender, compose
from quire_bus.envelope import Meta, Outgoing, outgoing
from quire_bus.errors import AlreadyDone, Conflict, DecodeError, fault_of
from quire_bus.store import Part
from quire_bus.subjects import inbox_subject
from quire_bus.tracing import Sending
from quire_contracts.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_bus.codec import Opened
    from quire_bus.records import RecordWrite
    from quire_contracts.value import Fault

M = TypeVar("M", bound=Value)

INBOX_SECONDS: Final = 7 * 24 * 3600
"""How long a mark is kept: longer than any redelivery, shorter than the log."""

Inbox = Literal["strict", "light", "none"]
"""What is kept of the messages that a consumer has done.

strict: a mark on the log for each, looked for before the handler is called.
light: what this process has done is remembered in it (see `RecentMarks`). On the log a mark is looked for only when a
    message comes again, and none is written beside an answer that is one message alone and took less than
    `REPEAT_SECONDS`: it would make the write an atomic batch, which takes the broker 0.6 to 2 ms where a message alone
    takes 0.3 (measured), and spare little when it is found. What runs again in another process says the same id again:
    the broker drops that for two minutes, and after them a receiver knows it by the id or by its own record.
none: nothing.
"""

REPEAT_SECONDS: Final = 0.25
"""Work that takes longer is marked by a light inbox too, so that it is not done again."""


class Logged:
    """An event of any type, as `Router.follow` gives it; its body is decoded when somebody asks for it."""

    __slots__ = ("_opened", "_read")

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._read: tuple[Value | None, Fault | None] | None = None

    @property
    def meta(self) -> Meta:
        """Its envelope."""
        return self._opened.meta

    @property
    def body(self) -> bytes:
        """Its body as it came."""
        return self._opened.body

    @property
    def message(self) -> Value | None:
        """Its body as a message; None where this release does not know the type or the body is not of it."""
        return self._decoded()[0]

    @property
    def fault(self) -> Fault | None:
        """Why there is no message, or None."""
        return self._decoded()[1]

    def _decoded(self) -> tuple[Value | None, Fault | None]:
        if self._read is None:
            try:
                self._read = decode_any(self._opened), None
            except DecodeError as error:
                self._read = None, fault_of(error)
        return self._read


class Committed(msgspec.Struct, frozen=True, gc=False):
    """What a commit stored: its last place on the log, and each record's new revision, in the order they were given."""

    sequence: int
    revisions: tuple[int, ...] = ()


class Delivery(Generic[M]):
    """One delivery of a message of type M.

    meta: its envelope.   message: its decoded body.   committed: whether `commit` has succeeded.
    """

    def __init__(self, sender: Sender, meta: Meta, message: M, *, durable: str, inbox: Inbox) -> None:
        self.meta = meta
        self.message = message
        self.committed = False
        self._sender = sender
        self._mark = inbox_subject(durable, meta) if inbox != "none" else None
        self._light = inbox == "light"
        self._began = sender.clock.monotonic()

    async def commit(
        self,
        *messages: Value | Outgoing,
        records: Sequence[RecordWrite] = (),
        together: Sequence[Delivery[M]] = (),
    ) -> Committed:
        """Store the inbox mark, the records and the messages in one atomic batch: all of them or none.

        messages: sent in this order; ids are deterministic in this delivery's id, so a repetition emits the same.
        records: each is a compare-and-swap.
        together: other deliveries of the same consumer that this commit answers too (a window of tasks that became
            one batch); their marks are in the same batch, and their handlers may then simply return. Without an inbox
            they are only marked as committed.

        Order of effects in a handler: write large data to the blobs, commit, return. A second commit after one that
        succeeded is an error, for it would not be part of the first one's atom; after one that raised Conflict it is
        the way to try again with a fresh reading. The producer spans are children of the span that is current when
        this is called, unless a message names another parent.

        Raises:
            Conflict: a record's revision is stale; nothing was stored. Left uncaught, the handler runs again.
            AlreadyDone: another run of this message (or of one of `together`: see its `subjects`) has committed.
                Left uncaught, the bus acknowledges. A run that is committing now, in this process, is waited for by a
                light inbox.
            TooLarge, NotStored, Unknown: nothing stored, nothing stored, and may be stored; leave them uncaught.
            ValueError: for two messages with one id, or more than 1,000 parts.
        """
        deliveries = (self, *together)
        if any(delivery.committed for delivery in deliveries):
            raise ValueError("a delivery is committed once; put everything into one commit")
        async with self._sender.recent.doing(self._mark) if self._mark and self._light else nullcontext():
            committed = await self._store(messages, records, together)
        for delivery in deliveries:
            delivery.committed = True
        return committed

    async def _store(
        self, messages: Sequence[Value | Outgoing], records: Sequence[RecordWrite], together: Sequence[Delivery[M]]
    ) -> Committed:
        alone = len(messages) <= 1 and not records and not together
        marks = () if alone and self._goes_unmarked else tuple(d.mark for d in (self, *together) if d.mark is not None)
        sender = self._sender
        guards = [Part(mark, b"", expected=0, ttl_seconds=INBOX_SECONDS) for mark in marks]
        writes = [record.part() for record in records]
        with Sending(sender.tracer) as sending:
            said = [compose(outgoing(item), sender, sending, cause=self.meta) for item in messages]
            parts = [*guards, *writes, *said]
            if not parts:
                return Committed(self.meta.stream_sequence)
            try:
                acked = await sender.store.write(parts)
            except Conflict as conflict:
                done = [subject for subject in conflict.subjects if subject in marks]
                if done:
                    raise AlreadyDone(done) from None
                raise
        first = acked.sequence - len(parts) + 1 + len(guards)
        return Committed(acked.sequence, tuple(range(first, first + len(writes))))

    @property
    def mark(self) -> str | None:
        """The subject of this delivery's inbox mark; None where its consumer keeps no inbox."""
        return self._mark

    async def is_marked(self) -> bool:
        """Whether an earlier run has committed this message; see `Inbox` for what a light one knows."""
        if self._light:
            if self._mark in self._sender.recent:
                return True
            if self.meta.attempt == 1:
                return False
        return self._mark is not None and await self._sender.store.last(self._mark) is not None

    @property
    def _goes_unmarked(self) -> bool:
        """Where it is answered by one message alone. What comes again may have been so: its id alone can tell."""
        quick = self._sender.clock.monotonic() - self._began < REPEAT_SECONDS
        return self._light and (quick or self.meta.attempt > 1)
