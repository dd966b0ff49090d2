"""Writing to the log: one message or an atomic batch, conflicts and lost answers resolved.

Source of the protocol: NATS ADR-50 (atomic batch publish) and ADR-8 (compare-and-swap by subject). Facts measured on
nats-server 2.15.1: schedules and per-message time to live may stand in a batch; sequences inside one are contiguous; a
message id that the stream knows, or that stands twice in the batch, refuses all of it (10201).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors

from quire_bus import headers as h
from quire_bus.errors import Conflict, NotStored, TooLarge, Unknown
from quire_bus.group import Groups
from quire_bus.read import ApiError, Reader
from quire_contracts.limits import MESSAGE_BYTES
from quire_contracts.topology import STREAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_bus.connection import Connection

BATCH_PARTS: Final = 1_000
"""The broker's limit of messages in one atomic batch (its error 10199)."""

_CONFLICTS: Final = frozenset({10071, 10164})
_DUPLICATE_ID: Final = 10201
_INCOMPLETE: Final = 10176  # a reconnection fell between the parts of a batch: certainly not stored
_PAUSE_SECONDS: Final = 0.15


class Part(msgspec.Struct, frozen=True, gc=False):
    """One message to store.

    expected: the sequence that must be the subject's last, 0 for none at all, None to store it whatever is there.
    limit: bytes that body and headers may have together.
    id: by which the broker knows a repetition.
    lines: headers that are encoded already, each line with its end; `headers` are added to them.
    """

    subject: str
    body: bytes
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    expected: int | None = None
    ttl_seconds: int | None = None
    limit: int = MESSAGE_BYTES
    id: str | None = None
    lines: bytes = b""


class Acked(msgspec.Struct, frozen=True, gc=False):
    """The broker's word: the sequence of the last part, and whether a single message was there already."""

    sequence: int
    duplicate: bool = False


class Refused(Exception):
    """The broker's no, with its own error code."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class Entry:
    """One write on its way: its parts as they are sent, and what is known of earlier tries.

    heads: the header lines of each part.   guards, subjects, ids: of its parts.
    lost: whether an answer was lost, so that what the broker knows already may be this very write.
    """

    __slots__ = ("guards", "heads", "ids", "lost", "nonce", "parts", "size", "subjects")

    def __init__(self, parts: Sequence[Part], nonce: str) -> None:
        if not 1 <= len(parts) <= BATCH_PARTS:
            raise ValueError(f"one commit has 1 to {BATCH_PARTS} parts, not {len(parts)}")
        self.parts = parts
        self.nonce = nonce
        self.lost = False
        self.guards = {part.subject for part in parts if part.expected is not None}
        self.subjects = {part.subject for part in parts}
        ids = [part.id for part in parts if part.id is not None]
        self.ids = set(ids)
        if len(ids) != len(self.ids):
            raise ValueError("two messages of one commit have the same id: give them different identities or attempts")
        self.heads = [self._head(part, part.id) for part in parts]
        self.size = 0
        for part, head in zip(parts, self.heads, strict=True):
            size = len(head) + h.LINE_BYTES + len(part.body)
            if size > part.limit:
                raise TooLarge(f"the message to {part.subject}", size, part.limit)
            self.size += size

    def forget_ids(self) -> None:
        """Send the messages without their ids from now on."""
        self.ids = set()
        self.heads = [self._head(part, None) for part in self.parts]

    def _head(self, part: Part, id_: str | None) -> bytes:
        """The header lines that the part, its id, its guard and its lifetime need."""
        lines = part.lines
        if part.headers:
            lines += h.lines(part.headers)
        if id_ is not None:
            lines += f"{h.MSG_ID}: {h.encoded(id_)}\r\n".encode()
        if part.expected is not None:
            lines += f"{h.EXPECTED}: {part.expected}\r\n{h.NONCE}: {self.nonce}\r\n".encode()
        if part.ttl_seconds is not None:
            lines += f"{h.TTL}: {part.ttl_seconds}\r\n".encode()
        return lines


class _Ack(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


_ACK = msgspec.json.Decoder(_Ack)


class Store(Reader):
    """The log as this process writes and reads it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._groups = Groups(self.send, self.settle, self._landed)
        self._unique = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    async def write(self, parts: Sequence[Part], *, stream: str = STREAM.name) -> Acked:
        """Store all parts or none, in this order; several parts go as one atomic batch, one part as one message.

        Batches that are ready together travel together (see `quire_bus.group`); for each it is as if it went alone.
        Repeats a write whose answer was lost: a guarded part carries a nonce by which its own earlier success is
        recognised, an unguarded single message is recognised by its id.

        Raises:
            TooLarge: before anything is sent.
            Conflict: a guarded subject is not at the expected sequence, and not by this very write.
            NotStored: refused by the broker, or no stream has the subject.
            Unknown: no answer in time, several times over.
            ValueError: for no parts, more than 1,000, or one message id twice.
        """
        entry = Entry(parts, f"{self._unique}{next(self._numbers):x}")
        if len(parts) > 1 and stream == STREAM.name:
            return await self._groups.put(entry)
        return await self.settle(entry, stream)

    async def settle(self, entry: Entry, stream: str = STREAM.name) -> Acked:
        """Write one entry alone, to its end; see `write`."""
        for last in (False, False, True):
            try:
                return await self.send((entry,))
            except Refused as refused:
                known = await self._after_refusal(refused, entry, stream, last=last)
                if known is not None:
                    return known
                if refused.code == _DUPLICATE_ID:
                    # One of the messages was said before, by a run whose record did not follow. The id only helps the
                    # broker; receivers know a repetition by `ce-id`.
                    entry.forget_ids()
            except Unknown:
                entry.lost = True
                if last:
                    raise
            except NotStored:  # no responders: JetStream is just starting, or between two leaders
                if last:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
        raise Conflict("refused for a known message id, three times over")

    async def send(self, entries: Sequence[Entry]) -> Acked:
        """Send entries once, all or none, in one atomic batch where they have more than one part together.

        Raises:
            Refused: with the broker's code.
            Unknown, NotStored: as for a request.
        """
        parts = [pair for entry in entries for pair in zip(entry.parts, entry.heads, strict=True)]
        final, lines = parts.pop()
        if parts:
            batch = f"Nats-Batch-Id: {self._unique}{next(self._numbers):x}\r\nNats-Batch-Sequence: "
            pieces: list[bytes] = []
            for position, (part, own) in enumerate(parts, 1):
                head = h.block(own, f"{batch}{position}\r\n".encode())
                pieces += self._wire.command(part.subject, part.body, "", head)
            try:
                self._wire.write(pieces)
            except nats.errors.Error as error:
                raise Unknown(f"the connection does not take messages: {error}") from error
            lines += f"{batch}{len(parts) + 1}\r\nNats-Batch-Commit: 1\r\n".encode()
        _, answer = await self._request(final.subject, final.body, h.block(lines))
        try:
            ack = _ACK.decode(answer)
        except msgspec.DecodeError as error:
            raise Unknown(f"the broker's answer is none: {error}") from error
        if ack.error is not None:
            raise Refused(ack.error.err_code, ack.error.description)
        return Acked(ack.seq, ack.duplicate)

    async def _after_refusal(self, refused: Refused, entry: Entry, stream: str, *, last: bool) -> Acked | None:
        """What a refusal means: an earlier try that was stored after all, or None to try again.

        Raises:
            NotStored, Conflict: if it is final.
        """
        if refused.code == _INCOMPLETE and not last:
            return None
        if refused.code not in _CONFLICTS and refused.code != _DUPLICATE_ID:
            raise NotStored(f"the broker refused it: {refused} ({refused.code})") from None
        landed = await self._landed(entry, stream)
        if landed is None and refused.code == _DUPLICATE_ID and entry.lost and not entry.guards:
            return Acked(0, duplicate=True)  # the lost answer was a yes: these are our own ids
        if landed is None and refused.code in _CONFLICTS and last:
            raise Conflict(f"a record changed meanwhile: {refused}") from None
        return landed

    async def _landed(self, entry: Entry, stream: str = STREAM.name) -> Acked | None:
        """After a refusal: our own earlier success if that was the reason, else None.

        Raises:
            Conflict: if a guarded subject holds what somebody else wrote.
        """
        stale = []
        for index, part in enumerate(entry.parts):
            if part.expected is None:
                continue
            newest = await self._newest(part.subject, stream)
            if newest is not None and newest.headers.get(h.NONCE) == entry.nonce:
                return Acked(newest.sequence + len(entry.parts) - 1 - index)
            if (newest.sequence if newest else 0) != part.expected:
                stale.append(part.subject)
        if stale:
            raise Conflict(f"changed meanwhile: {', '.join(stale)}", stale)
        return None
