"""Writing to the log: one message or an atomic batch, conflicts and lost answers resolved.

Source of the protocol: NATS ADR-50 (atomic batch publish) and ADR-8 (compare-and-swap by subject). Facts measured on
nats-server 2.15.1: schedules and per-message time to live may stand in a batch; sequences inside one are contiguous; a
message id that the stream knows, or that stands twice in the batch, refuses all of it (10201).
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors

from quire_bus import headers as h
from quire_bus.errors import Conflict, NotStored, TooLarge, Unknown
from quire_bus.read import ApiError, Reader
from quire_contracts.limits import MESSAGE_BYTES
from quire_contracts.topology import STREAM

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH_PARTS: Final = 1_000
"""The broker's limit of messages in one atomic batch (its error 10199)."""

_CONFLICTS: Final = frozenset({10071, 10164})
_DUPLICATE_ID: Final = 10201
_INCOMPLETE: Final = 10176  # a reconnection fell between the parts of a batch: certainly not stored
_PAUSE_SECONDS: Final = 0.15


@dataclass(frozen=True, slots=True)
class Part:
    """One message to store.

    expected: the sequence that must be the subject's last, 0 for none at all, None to store it whatever is there.
    limit: bytes that body and headers may have together.
    """

    subject: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    expected: int | None = None
    ttl_seconds: int | None = None
    limit: int = MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class Acked:
    """The broker's word: the sequence of the last part, and whether a single message was there already."""

    sequence: int
    duplicate: bool = False


class _Refused(Exception):
    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class _Ack(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


_ACK = msgspec.json.Decoder(_Ack)


class Store(Reader):
    """The log as this process writes and reads it."""

    async def write(self, parts: Sequence[Part], *, stream: str = STREAM.name) -> Acked:
        """Store all parts or none, in this order; several parts go as one atomic batch, one part as one message.

        Repeats a write whose answer was lost: a guarded part carries a nonce by which its own earlier success is
        recognised, an unguarded single message is recognised by its id.

        Raises:
            TooLarge: before anything is sent.
            Conflict: a guarded subject is not at the expected sequence, and not by this very write.
            NotStored: refused by the broker, or no stream has the subject.
            Unknown: no answer in time, several times over.
            ValueError: for no parts, more than 1,000, or one message id twice.
        """
        nonce = secrets.token_hex(8)
        sendable = [_prepared(part, nonce) for part in parts]
        _check(sendable)
        lost = False
        for last in (False, False, True):
            try:
                return await self._send(sendable)
            except _Refused as refused:
                known = await self._after_refusal(refused, sendable, nonce, stream, lost=lost, last=last)
                if known is not None:
                    return known
                if refused.code == _DUPLICATE_ID:
                    # One of the messages was said before, by a run whose record did not follow. The id only helps the
                    # broker; receivers know a repetition by `ce-id`.
                    sendable = [replace(part, headers=_without_id(part.headers)) for part in sendable]
            except Unknown:
                lost = True
                if last:
                    raise
            except NotStored:  # no responders: JetStream is just starting, or between two leaders
                if last:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
        raise Conflict("refused for a known message id, three times over")

    async def _after_refusal(
        self, refused: _Refused, parts: Sequence[Part], nonce: str, stream: str, *, lost: bool, last: bool
    ) -> Acked | None:
        """What a refusal means: an earlier try that was stored after all, or None to try again.

        Raises:
            NotStored, Conflict: if it is final.
        """
        if refused.code == _INCOMPLETE and not last:
            return None
        if refused.code not in _CONFLICTS and refused.code != _DUPLICATE_ID:
            raise NotStored(f"the broker refused it: {refused} ({refused.code})") from None
        landed = await self._landed(parts, nonce, stream)
        if landed is None and refused.code == _DUPLICATE_ID and lost and all(part.expected is None for part in parts):
            return Acked(0, duplicate=True)  # the lost answer was a yes: these are our own ids
        if landed is None and refused.code in _CONFLICTS and last:
            raise Conflict(f"a record changed meanwhile: {refused}") from None
        return landed

    async def _send(self, parts: Sequence[Part]) -> Acked:
        *early, final = parts
        headers = final.headers
        if early:
            batch = secrets.token_hex(16)
            for position, part in enumerate(early, 1):
                await self._publish(part, {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(position)})
            headers = {
                **headers,
                "Nats-Batch-Id": batch,
                "Nats-Batch-Sequence": str(len(parts)),
                "Nats-Batch-Commit": "1",
            }
        answer = await self._request(final.subject, final.body, headers)
        try:
            ack = _ACK.decode(answer.data)
        except msgspec.DecodeError as error:
            raise Unknown(f"the broker's answer is none: {error}") from error
        if ack.error is not None:
            raise _Refused(ack.error.err_code, ack.error.description)
        return Acked(ack.seq, ack.duplicate)

    async def _publish(self, part: Part, batch: dict[str, str]) -> None:
        try:
            await self._client.publish(part.subject, part.body, headers={**part.headers, **batch})
        except nats.errors.Error as error:
            raise Unknown(f"the connection does not take messages: {error}") from error

    async def _landed(self, parts: Sequence[Part], nonce: str, stream: str) -> Acked | None:
        """After a refusal: our own earlier success if that was the reason, else None.

        Raises:
            Conflict: if a guarded subject holds what somebody else wrote.
        """
        stale = []
        for index, part in enumerate(parts):
            if part.expected is None:
                continue
            newest = await self._newest(part.subject, stream)
            if newest is not None and newest.headers.get(h.NONCE) == nonce:
                return Acked(newest.sequence + len(parts) - 1 - index)
            if (newest.sequence if newest else 0) != part.expected:
                stale.append(part.subject)
        if stale:
            raise Conflict(f"changed meanwhile: {', '.join(stale)}", stale)
        return None


def _prepared(part: Part, nonce: str) -> Part:
    """The part with the headers that its guard and its lifetime need, in a dict of its own."""
    headers = dict(part.headers)
    if part.expected is not None:
        headers[h.EXPECTED] = str(part.expected)
        headers[h.NONCE] = nonce
    if part.ttl_seconds is not None:
        headers[h.TTL] = str(part.ttl_seconds)
    return replace(part, headers=headers)


def _without_id(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != h.MSG_ID}


def _check(parts: Sequence[Part]) -> None:
    if not 1 <= len(parts) <= BATCH_PARTS:
        raise ValueError(f"one commit has 1 to {BATCH_PARTS} parts, not {len(parts)}")
    ids = [part.headers[h.MSG_ID] for part in parts if h.MSG_ID in part.headers]
    if len(ids) != len(set(ids)):
        raise ValueError("two messages of one commit have the same id: give them different identities or attempts")
    for part in parts:
        size = h.wire_size(part.headers, part.body)
        if size > part.limit:
            raise TooLarge(f"the message to {part.subject}", size, part.limit)
