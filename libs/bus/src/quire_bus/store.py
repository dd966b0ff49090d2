"""Writing to the log and reading back: one message or an atomic batch, conflicts and lost answers resolved.

Source of the protocol: NATS ADR-50 (atomic batch publish) and ADR-8 (compare-and-swap by subject). Facts measured on
nats-server 2.15.1: schedules and per-message time to live may stand in a batch; sequences inside one are contiguous; a
message id that the stream knows, or that stands twice in the batch, refuses all of it (10201).
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import nats.errors

from quire_bus import headers as h
from quire_bus.errors import Conflict, NotStored, TooLarge, Unknown
from quire_contracts.limits import MESSAGE_BYTES
from quire_contracts.topology import STREAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg

    from quire_bus.connection import Connection

BATCH_PARTS: Final = 1_000
"""The broker's limit of messages in one atomic batch (its error 10199)."""

_CONFLICTS: Final = frozenset({10071, 10164})
_DUPLICATE_ID: Final = 10201
_INCOMPLETE: Final = 10176  # a reconnection fell between the parts of a batch: certainly not stored
_TRIES: Final = 3


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


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored message as read back."""

    sequence: int
    subject: str
    headers: dict[str, str]
    body: bytes
    time: datetime


class _Refused(Exception):
    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class _ApiError(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: _ApiError | None = None


class _Raw(msgspec.Struct):
    subject: str
    seq: int
    time: datetime
    data: bytes = b""
    hdrs: bytes = b""


class _RawAnswer(msgspec.Struct):
    message: _Raw | None = None
    error: _ApiError | None = None


_ACK = msgspec.json.Decoder(_Ack)
_RAW = msgspec.json.Decoder(_RawAnswer)


class Store:
    """The log as this process writes and reads it."""

    def __init__(self, connection: Connection) -> None:
        self._client = connection.client
        self._timeout = connection.settings.timeout_seconds

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
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._send(sendable)
            except _Refused as refused:
                if refused.code == _INCOMPLETE and attempt < _TRIES:
                    continue
                if refused.code not in _CONFLICTS and refused.code != _DUPLICATE_ID:
                    raise NotStored(f"the broker refused it: {refused} ({refused.code})") from None
                landed = await self._landed(sendable, nonce, stream)
                if landed is not None:
                    return landed
                if refused.code == _DUPLICATE_ID:
                    if lost and all(part.expected is None for part in sendable):
                        return Acked(0, duplicate=True)  # the lost answer was a yes: these are our own ids
                    # One of the messages was said before, by a run whose record did not follow. The id only helps the
                    # broker; receivers know a repetition by `ce-id`.
                    sendable = [replace(part, headers=_without_id(part.headers)) for part in sendable]
                elif attempt == _TRIES:
                    raise Conflict(f"a record changed meanwhile: {refused}") from None
            except Unknown:
                lost = True
                if attempt == _TRIES:
                    raise
        raise Conflict("a message id is known and could not be resolved")

    async def last(self, subject: str, *, stream: str = STREAM.name) -> Kept | None:
        """The newest message of a subject by direct get (any replica answers), or None.

        Raises:
            Unknown: without an answer in time.
            NotStored: if there is no such stream.
        """
        answer = await self._request(f"$JS.API.DIRECT.GET.{stream}.{subject}", b"")
        found = answer.headers or {}
        if found.get("Status") == "404":
            return None
        if "Nats-Sequence" not in found:
            raise NotStored(f"{stream} cannot be read: {found.get('Description', 'no sequence in the answer')}")
        return Kept(
            sequence=int(found["Nats-Sequence"]),
            subject=found["Nats-Subject"],
            headers=found,
            body=answer.data,
            time=datetime.fromisoformat(found["Nats-Time-Stamp"][:26].rstrip("Z")).replace(tzinfo=UTC),
        )

    async def at(self, sequence: int, *, stream: str, or_later: bool = False) -> Kept | None:
        """The message at a sequence, or with `or_later` the first one from there on; None if there is none."""
        body = msgspec.json.encode({"seq": sequence} | ({"next_by_subj": ">"} if or_later else {}))
        return await self._managed(body, stream)

    async def bounds(self, stream: str) -> tuple[int, int]:
        """The first and the last sequence of a stream."""
        state = (await self._info(stream, {})).get("state", {})
        return int(state.get("first_seq", 1)), int(state.get("last_seq", 0))

    async def delete(self, sequence: int, *, stream: str) -> bool:
        """Delete the message at a sequence; whether it was there."""
        body = msgspec.json.encode({"seq": sequence, "no_erase": True})
        answer = msgspec.json.decode((await self._request(f"$JS.API.STREAM.MSG.DELETE.{stream}", body)).data)
        return bool(answer.get("success"))

    async def subjects(self, filter_: str, *, stream: str) -> tuple[str, ...]:
        """The subjects under a filter that hold a message, at most 100,000, in no order."""
        answer = await self._info(stream, {"subjects_filter": filter_})
        return tuple(answer.get("state", {}).get("subjects") or ())

    async def _info(self, stream: str, question: dict[str, str]) -> dict[str, Any]:
        body = msgspec.json.encode(question)
        answer = msgspec.json.decode((await self._request(f"$JS.API.STREAM.INFO.{stream}", body)).data, type=dict)
        if "error" in answer:
            raise NotStored(f"{stream} cannot be read: {answer['error'].get('description')}")
        return answer

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

    async def _request(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> Msg:
        try:
            return await self._client.request(subject, body, timeout=self._timeout, headers=headers)
        except nats.errors.NoRespondersError:
            raise NotStored(f"nothing at the broker listens on {subject}") from None
        except (nats.errors.TimeoutError, TimeoutError):
            raise Unknown(f"no answer from the broker within {self._timeout:g} s") from None
        except nats.errors.Error as error:
            await asyncio.sleep(0.05)  # a full buffer or a closing connection fails at once; a loop above must not spin
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

    async def _newest(self, subject: str, stream: str) -> Kept | None:
        """As `last`, but from the leader: a follower could still show the state before our own write."""
        return await self._managed(msgspec.json.encode({"last_by_subj": subject}), stream)

    async def _managed(self, body: bytes, stream: str) -> Kept | None:
        answer = _RAW.decode((await self._request(f"$JS.API.STREAM.MSG.GET.{stream}", body)).data)
        if answer.message is None:
            return None
        raw = answer.message
        return Kept(raw.seq, raw.subject, parse_headers(raw.hdrs), raw.data, raw.time)


def parse_headers(block: bytes) -> dict[str, str]:
    """The headers in a raw header block as the broker's management interface gives it."""
    lines = block.decode("utf-8", errors="replace").split("\r\n")[1:]
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


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
