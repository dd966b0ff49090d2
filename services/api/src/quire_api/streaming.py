"""A job's life as server-sent events: what the log holds, then what is said, remarks between, until the end."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

import msgspec

from quire_api.door import Door, end_all
from quire_contracts.registry import TERMINAL_EVENTS, entry_named

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from quire_bus.envelope import Meta
    from quire_contracts.control import Progress

    Life = AsyncGenerator[tuple[int, Meta, bytes]]
    Remarks = AsyncGenerator[Progress]

MEDIA_TYPE: Final = "text/event-stream"
COMMENT: Final = b": still here\n\n"
HELLO: Final = b"retry: 1000\n\n"
"""How long (milliseconds) a browser waits before it comes back to a stream that broke."""

_AHEAD: Final = 64
"""Frames made before the client has read them. The log waits beyond that; remarks are dropped."""


class _Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event as data: CloudEvents 1.0 in structured form."""

    specversion: str
    id: str
    source: str
    type: str
    time: datetime
    subject: str
    sequence: int
    data: msgspec.Raw
    correlationid: str = ""
    causationid: str = ""
    traceparent: str = ""
    datacontenttype: str = "application/json"


@dataclass(frozen=True, slots=True)
class _Frame:
    data: bytes
    last: bool = False


def event_frame(sequence: int, meta: Meta, body: bytes) -> bytes:
    """One stored event: its name is the short one (`job.accepted`), its id its place on the log."""
    entry = entry_named(meta.type)
    event = _Event(
        specversion="1.0",
        id=meta.id,
        source=meta.source,
        type=meta.type,
        time=meta.time,
        subject=meta.key,
        sequence=sequence,
        data=msgspec.Raw(_one_line(body)),
        correlationid=meta.correlation_id,
        causationid=meta.causation_id or "",
        traceparent=meta.traceparent or "",
    )
    name = entry.name if entry else "event"
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (sequence, name.encode(), msgspec.json.encode(event))


def remark_frame(remark: Progress) -> bytes:
    """A live remark: without an id, because it is not stored and nobody can come back to it."""
    return b"event: progress\ndata: %s\n\n" % msgspec.json.encode(remark)


async def frames(door: Door, tenant: str, job_id: str, after: int) -> AsyncIterator[bytes]:
    """The events of a job behind `after` and its live remarks, up to its last event or until the door closes.

    Comments keep an idle connection open. Nothing is lost to a slow reader but remarks.
    """
    queue: asyncio.Queue[_Frame] = asyncio.Queue(_AHEAD)
    with door.held():
        tasks = [
            asyncio.create_task(_life(door, tenant, job_id, after, queue)),
            asyncio.create_task(_remarks(door, tenant, job_id, queue)),
            asyncio.create_task(_closing(door, queue)),
        ]
        try:
            yield HELLO
            over = False
            while not over:
                try:
                    async with asyncio.timeout(door.settings.keep_alive_seconds):
                        frame = await queue.get()
                except TimeoutError:
                    frame = _Frame(COMMENT)
                yield frame.data
                over = frame.last
        finally:
            await end_all(tasks)


async def _life(door: Door, tenant: str, job_id: str, after: int, queue: asyncio.Queue[_Frame]) -> None:
    try:
        async with aclosing(cast("Life", door.bus.watch_job(tenant, job_id, after=after))) as events:
            async for sequence, meta, body in events:
                last = meta.type in TERMINAL_EVENTS
                await queue.put(_Frame(event_frame(sequence, meta, body), last))
                if last:
                    return
    except Exception as error:  # noqa: BLE001 - whatever breaks it, the client comes back with the last id it saw
        door.log.warning("a stream of events broke", job_id=job_id, error=str(error))
        await queue.put(_Frame(b": broken off\n\n", last=True))


async def _remarks(door: Door, tenant: str, job_id: str, queue: asyncio.Queue[_Frame]) -> None:
    async with aclosing(cast("Remarks", door.bus.watch_progress(tenant, job_id))) as remarks:
        async for remark in remarks:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(_Frame(remark_frame(remark)))


async def _closing(door: Door, queue: asyncio.Queue[_Frame]) -> None:
    await door.stopping.wait()
    await queue.put(_Frame(b": closing\n\n", last=True))


def _one_line(body: bytes) -> bytes:
    """The JSON body without line breaks, which a frame cannot hold; anything else as null."""
    try:
        return msgspec.json.format(body, indent=-1)
    except msgspec.DecodeError:
        return b"null"
