"""Requests to the broker and their answers, and the newest messages of subjects: many questions, one request."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors

from quire_bus.errors import NotStored, Unknown
from quire_bus.message import parse_head
from quire_bus.wire import NoAnswer

if TYPE_CHECKING:
    from quire_bus.connection import Connection
    from quire_bus.wire import Answer

_READ_TRIES: Final = 3
_MOST_SUBJECTS: Final = 256
"""Subjects of one request; the broker takes 1,024."""

_NO_RESPONDERS: Final = b"NATS/1.0 503"
_NONE: Final = b"NATS/1.0 404"
_END: Final = b"NATS/1.0 204"


class Kept(msgspec.Struct, frozen=True, gc=False):
    """A stored message as read back."""

    sequence: int
    subject: str
    headers: dict[str, str]
    body: bytes
    time: datetime


Wanted = dict[str, list["asyncio.Future[Kept | None]"]]
"""Who waits for which subject."""


class Swallowed(Unknown):
    """The connection was lost while a request was under way."""


async def request(connection: Connection, subject: str, body: bytes, head: bytes = b"") -> Answer:
    """One request and its answer.

    Raises:
        NotStored: if nothing at the broker listens there.
        Unknown: without an answer in time; soon after a reconnection, because a lost request has none.
    """
    return (await _asked(connection, subject, body, head))[0]


async def read(connection: Connection, subject: str, body: bytes) -> Answer:
    """As `request` for what may be asked twice: a question that a reconnection swallowed is asked again."""
    return (await _read(connection, subject, body))[0]


class DirectReads:
    """Reads of the newest messages; those of one turn of the event loop go together (NATS ADR-31, `multi_last`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._wanted: dict[str, Wanted] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def last(self, subject: str, stream: str) -> Kept | None:
        """The newest message of a subject, or None; see `Reader.last`."""
        if not self._wanted:
            self._loop.call_soon(self._begin)
        future: asyncio.Future[Kept | None] = self._loop.create_future()
        self._wanted.setdefault(stream, {}).setdefault(subject, []).append(future)
        return await future

    def _begin(self) -> None:
        wanted, self._wanted = self._wanted, {}
        for stream, askers in wanted.items():
            subjects = list(askers)
            for first in range(0, len(subjects), _MOST_SUBJECTS):
                part = {subject: askers[subject] for subject in subjects[first : first + _MOST_SUBJECTS]}
                task = self._loop.create_task(self._answer(stream, part))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, stream: str, wanted: Wanted) -> None:
        found: dict[str, Kept] = {}
        failed: Exception | None = None
        try:
            found = await self._found(stream, list(wanted))
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            failed = error
        for subject, askers in wanted.items():
            for future in askers:
                if future.done():
                    continue
                if failed is None:
                    future.set_result(found.get(subject))
                else:
                    future.set_exception(failed)

    async def _found(self, stream: str, subjects: list[str]) -> dict[str, Kept]:
        if len(subjects) == 1:
            answers = [await read(self._connection, f"$JS.API.DIRECT.GET.{stream}.{subjects[0]}", b"")]
        else:
            question = msgspec.json.encode({"multi_last": subjects, "batch": len(subjects)})
            answers = await _read(self._connection, f"$JS.API.DIRECT.GET.{stream}", question, many=True)
            if not answers[-1][0].startswith((_NONE, _END)):
                raise NotStored(f"{stream} cannot be read: {parse_head(answers[-1][0]).get('Description')}")
        return {kept.subject: kept for answer in answers if (kept := _kept(stream, answer)) is not None}


def _kept(stream: str, answer: Answer) -> Kept | None:
    head, body = answer
    if head.startswith((_NONE, _END)):
        return None
    found = parse_head(head)
    if "Nats-Sequence" not in found:
        raise NotStored(f"{stream} cannot be read: {found.get('Description', 'no sequence in the answer')}")
    return Kept(
        sequence=int(found["Nats-Sequence"]),
        subject=found["Nats-Subject"],
        headers=found,
        body=body,
        time=datetime.fromisoformat(found["Nats-Time-Stamp"][:26].rstrip("Z")).replace(tzinfo=UTC),
    )


async def _read(connection: Connection, subject: str, body: bytes, *, many: bool = False) -> list[Answer]:
    for _ in range(_READ_TRIES - 1):
        try:
            return await _asked(connection, subject, body, many=many)
        except Swallowed:
            continue
    return await _asked(connection, subject, body, many=many)


async def _asked(
    connection: Connection, subject: str, body: bytes, head: bytes = b"", *, many: bool = False
) -> list[Answer]:
    wire = connection.wire
    try:
        answers = await wire.ask_many(subject, body) if many else [await wire.ask(subject, body, head)]
    except NoAnswer as late:
        if late.swallowed:
            raise Swallowed("no answer from the broker: the connection was lost meanwhile") from None
        raise Unknown(f"no answer from the broker within {connection.settings.timeout_seconds:g} s") from None
    except nats.errors.Error as error:
        await asyncio.sleep(0.05)  # a full buffer or a closing connection fails at once; a loop above must not spin
        raise Unknown(f"the connection does not take messages: {error}") from error
    except OSError as error:  # the socket ended under the client's hands, before it knew; it reconnects
        raise Swallowed(f"the connection was lost meanwhile: {error}") from error
    if answers[0][0].startswith(_NO_RESPONDERS):
        raise NotStored(f"nothing at the broker listens on {subject}")
    return answers
