"""The routes of dead letters: read what could not be handled, say it again, or drop it."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, PathParameter, QueryParameter

from quire_api import openapi
from quire_api.door import Door, Request, server_span
from quire_api.problems import Refusal, not_found

if TYPE_CHECKING:
    from quire_bus.dead_letters import DeadLetter

Sequence = Annotated[int, PathParameter(ge=1, description="The dead letter's place in the dead-letter stream.")]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter in a list: whose message it was, where it came from, and why it was given up.

    tenant, key: of its subject; the key of a message about a job is the job's id.   source: who had said it.
    """

    sequence: int
    time: datetime
    service: str
    type: str
    subject: str
    stream_sequence: int
    kind: str
    code: str
    reason: str
    attempts: int
    tenant: str
    key: str
    source: str


class Letter(Summary, frozen=True, kw_only=True):
    """A dead letter with the message as it was; a body that is not text is in `body_base64`."""

    headers: dict[str, str]
    body: str | None
    body_base64: str | None


class Letters(msgspec.Struct, frozen=True):
    """Dead letters, in the order that was asked for."""

    dead_letters: tuple[Summary, ...]


class Replayed(msgspec.Struct, frozen=True):
    """Where the message stands on the log now."""

    stream_sequence: int


@get("/v1/dead-letters")
async def list_dead_letters(
    door: NamedDependency[Door],
    service: FromQuery[str | None] = None,
    after: Annotated[int | None, QueryParameter(ge=0, description="In order, from behind this place.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> Letters:
    """List what could not be handled, of one service or of all: the newest first, or in order behind `after`."""
    letters = door.bus.dead_letters
    async with door.promptly():
        if after is None:
            found = await letters.newest(service=service, limit=limit)
        else:
            found = await letters.list(service=service, after=after, limit=limit)
    return Letters(tuple(Summary(**_stated(letter)) for letter in found))


@get("/v1/dead-letters/{sequence:int}", responses=openapi.refusals(404))
async def show_dead_letter(door: NamedDependency[Door], sequence: Sequence) -> Letter:
    """Show a dead letter with its message."""
    letter = await door.bus.dead_letters.read(sequence)
    if letter is None:
        raise not_found(f"dead letter {sequence}")
    text, coded = _body(letter.body)
    return Letter(**_stated(letter), headers=dict(letter.headers), body=text, body_base64=coded)


@post("/v1/dead-letters/{sequence:int}/replay", status_code=202, responses=openapi.refusals(404))
async def replay_dead_letter(request: Request, door: NamedDependency[Door], sequence: Sequence) -> Replayed:
    """Say a dead letter's message again, then drop it; everybody who consumes its subject gets it again."""
    door.admit(request)
    with server_span(door, request, "/v1/dead-letters/{sequence}/replay"):
        try:
            return Replayed(await door.bus.dead_letters.replay(sequence))
        except LookupError as error:
            raise Refusal(404, "not-found", "There is nothing here", str(error)) from None


@delete("/v1/dead-letters/{sequence:int}", status_code=204, responses=openapi.refusals(404))
async def drop_dead_letter(request: Request, door: NamedDependency[Door], sequence: Sequence) -> Response[None]:
    """Forget a dead letter."""
    door.admit(request)
    with server_span(door, request, "/v1/dead-letters/{sequence}"):
        if not await door.bus.dead_letters.drop(sequence):
            raise not_found(f"dead letter {sequence}")
    return Response(None, status_code=204)


def _stated(letter: DeadLetter) -> dict[str, Any]:
    return {name: getattr(letter, name) for name in Summary.__struct_fields__}


def _body(body: bytes) -> tuple[str | None, str | None]:
    try:
        return body.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(body).decode()


ROUTES = (list_dead_letters, show_dead_letter, replay_dead_letter, drop_dead_letter)
