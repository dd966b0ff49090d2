"""Reading the log back: the newest message of a subject, the message at a sequence, what a stream holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import nats.errors

from quire_bus.errors import NotStored, Unknown
from quire_contracts.topology import STREAM

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from quire_bus.connection import Connection

_READ_TRIES: Final = 3
_LATE_SECONDS: Final = 0.5
"""After a reconnection, how long an answer may still come: a request that was only buffered is answered at once, one
that was on the old connection never."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored message as read back."""

    sequence: int
    subject: str
    headers: dict[str, str]
    body: bytes
    time: datetime


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


class _Swallowed(Unknown):
    """The connection was lost while a request was under way."""


_RAW = msgspec.json.Decoder(_RawAnswer)


class Reader:
    """The broker's streams as this process reads them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = connection.client
        self._timeout = connection.settings.timeout_seconds

    async def last(self, subject: str, *, stream: str = STREAM.name) -> Kept | None:
        """The newest message of a subject by direct get (any replica answers), or None.

        Raises:
            Unknown: without an answer in time.
            NotStored: if there is no such stream.
        """
        answer = await self._read(f"$JS.API.DIRECT.GET.{stream}.{subject}", b"")
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
        answer = msgspec.json.decode((await self._read(f"$JS.API.STREAM.INFO.{stream}", body)).data, type=dict)
        if "error" in answer:
            raise NotStored(f"{stream} cannot be read: {answer['error'].get('description')}")
        return answer

    async def _newest(self, subject: str, stream: str) -> Kept | None:
        """As `last`, but from the leader: a follower could still show the state before our own write."""
        return await self._managed(msgspec.json.encode({"last_by_subj": subject}), stream)

    async def _managed(self, body: bytes, stream: str) -> Kept | None:
        answer = _RAW.decode((await self._read(f"$JS.API.STREAM.MSG.GET.{stream}", body)).data)
        if answer.message is None:
            return None
        raw = answer.message
        return Kept(raw.seq, raw.subject, parse_headers(raw.hdrs), raw.data, raw.time)

    async def _read(self, subject: str, body: bytes) -> Msg:
        """As `_request` for what may be asked twice: a question that a reconnection swallowed is asked again."""
        for _ in range(_READ_TRIES - 1):
            try:
                return await self._request(subject, body)
            except _Swallowed:
                continue
        return await self._request(subject, body)

    async def _request(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> Msg:
        """One request and its answer.

        Raises:
            NotStored: if nothing at the broker listens there.
            Unknown: without an answer in time; soon after a reconnection, because a lost request has none.
        """
        loop = asyncio.get_running_loop()
        hurried = False
        try:
            async with asyncio.timeout(self._timeout) as limit:

                def hurry() -> None:
                    nonlocal hurried
                    hurried = True
                    if not limit.expired():
                        limit.reschedule(min(limit.when() or 0.0, loop.time() + _LATE_SECONDS))

                self._connection.reconnected.add(hurry)
                try:
                    return await self._client.request(subject, body, timeout=self._timeout + 1, headers=headers)
                finally:
                    self._connection.reconnected.discard(hurry)
        except nats.errors.NoRespondersError:
            raise NotStored(f"nothing at the broker listens on {subject}") from None
        except (nats.errors.TimeoutError, TimeoutError):
            if hurried:
                raise _Swallowed("no answer from the broker: the connection was lost meanwhile") from None
            raise Unknown(f"no answer from the broker within {self._timeout:g} s") from None
        except nats.errors.Error as error:
            await asyncio.sleep(0.05)  # a full buffer or a closing connection fails at once; a loop above must not spin
            raise Unknown(f"the connection does not take messages: {error}") from error


def parse_headers(block: bytes) -> dict[str, str]:
    """The headers in a raw header block as the broker's management interface gives it."""
    lines = block.decode("utf-8", errors="replace").split("\r\n")[1:]
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}
