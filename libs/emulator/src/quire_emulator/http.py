"""The little of HTTP that a cloud's doors need, on ASGI: requests read whole, and answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        path: its segments, each decoded: an ARN with slashes is one segment.
        query: each name's values.
        headers: by lower-case name.
    """

    method: str
    path: tuple[str, ...]
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def first(self, name: str, default: str = "") -> str:
        """The first value of a query's name."""
        return self.query.get(name, [default])[0]

    @property
    def caller(self) -> str:
        """Who asks: the access key of a signature, the service's CRN, or the first eight characters of a token."""
        found = self.headers.get("authorization", "")
        if "Credential=" in found:
            return found.partition("Credential=")[2].partition("/")[0]
        return self.headers.get("service-crn") or found.rpartition(" ")[2][:8]

    @property
    def region(self) -> str:
        """The region that the request was signed for; "" without a signature."""
        scope = self.headers.get("authorization", "").partition("Credential=")[2].split("/")
        return scope[2] if len(scope) > 2 else ""  # noqa: PLR2004 - key/date/region


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Answer:
        """A value as JSON."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, msgspec.json.encode(value), {"content-type": "application/json"} | named)


async def read(scope: Message, receive: Receive) -> Request:
    """The whole request."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    segments = scope["raw_path"].decode("latin-1").partition("?")[0].strip("/").split("/")
    return Request(
        method=scope["method"],
        path=tuple(unquote(segment) for segment in segments),
        query=parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
    )


async def write(answer: Answer, send: Send) -> None:
    """The whole answer."""
    length = {"content-length": str(len(answer.body))} if answer.status not in {204, 304} else {}
    headers = [(name.encode(), value.encode()) for name, value in (answer.headers | length).items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
