"""Reading the log back: the newest message of a subject, the message at a sequence, what a stream holds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from quire_bus.direct import DirectReads, Kept, read, request
from quire_bus.errors import NotStored
from quire_bus.message import parse_head
from quire_contracts.topology import STREAM

if TYPE_CHECKING:
    from quire_bus.connection import Connection
    from quire_bus.wire import Answer

__all__ = ["ApiError", "Kept", "Reader"]


class ApiError(msgspec.Struct):
    """The broker's refusal; `err_code` is its stable name."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class _Raw(msgspec.Struct):
    subject: str
    seq: int
    time: datetime
    data: bytes = b""
    hdrs: bytes = b""


class _RawAnswer(msgspec.Struct):
    message: _Raw | None = None
    error: ApiError | None = None


_RAW = msgspec.json.Decoder(_RawAnswer)


class Reader:
    """The broker's streams as this process reads them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._wire = connection.wire
        self._direct = DirectReads(connection)

    async def last(self, subject: str, *, stream: str = STREAM.name) -> Kept | None:
        """The newest message of a subject by direct get (any replica answers), or None.

        What is asked in one turn of the event loop is one request.

        Raises:
            Unknown: without an answer in time.
            NotStored: if there is no such stream.
        """
        return await self._direct.last(subject, stream)

    async def at(self, sequence: int, *, stream: str, or_later: bool = False) -> Kept | None:
        """The message at a sequence, or with `or_later` the first one from there on; None if there is none."""
        body = msgspec.json.encode({"seq": sequence} | ({"next_by_subj": ">"} if or_later else {}))
        return await self._managed(body, stream)

    async def first(self, subject: str, *, since: int, stream: str = STREAM.name) -> Kept | None:
        """The first message of a subject at a sequence or behind it; None if there is none.

        Raises:
            Unknown: without an answer in time.
        """
        return await self._managed(msgspec.json.encode({"seq": since, "next_by_subj": subject}), stream)

    async def bounds(self, stream: str) -> tuple[int, int]:
        """The first and the last sequence of a stream."""
        state = (await self._info(stream, {})).get("state", {})
        return int(state.get("first_seq", 1)), int(state.get("last_seq", 0))

    async def delete(self, sequence: int, *, stream: str) -> bool:
        """Delete the message at a sequence; whether it was there."""
        body = msgspec.json.encode({"seq": sequence, "no_erase": True})
        answer = msgspec.json.decode((await self._request(f"$JS.API.STREAM.MSG.DELETE.{stream}", body))[1])
        return bool(answer.get("success"))

    async def subjects(self, filter_: str, *, stream: str) -> tuple[str, ...]:
        """The subjects under a filter that hold a message, at most 100,000, in no order."""
        answer = await self._info(stream, {"subjects_filter": filter_})
        return tuple(answer.get("state", {}).get("subjects") or ())

    async def _info(self, stream: str, question: dict[str, str]) -> dict[str, Any]:
        body = msgspec.json.encode(question)
        answer = msgspec.json.decode((await self._read(f"$JS.API.STREAM.INFO.{stream}", body))[1], type=dict)
        if "error" in answer:
            raise NotStored(f"{stream} cannot be read: {answer['error'].get('description')}")
        return answer

    async def _newest(self, subject: str, stream: str) -> Kept | None:
        """As `last`, but from the leader: a follower could still show the state before our own write."""
        return await self._managed(msgspec.json.encode({"last_by_subj": subject}), stream)

    async def _managed(self, body: bytes, stream: str) -> Kept | None:
        answer = _RAW.decode((await self._read(f"$JS.API.STREAM.MSG.GET.{stream}", body))[1])
        if answer.message is None:
            return None
        raw = answer.message
        return Kept(raw.seq, raw.subject, parse_head(raw.hdrs), raw.data, raw.time)

    async def _read(self, subject: str, body: bytes) -> Answer:
        """As `_request` for what may be asked twice: a question that a reconnection swallowed is asked again."""
        return await read(self._connection, subject, body)

    async def _request(self, subject: str, body: bytes, head: bytes = b"") -> Answer:
        """See `request`."""
        return await request(self._connection, subject, body, head)
