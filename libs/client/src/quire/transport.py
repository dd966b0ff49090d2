"""One HTTP exchange with Quire, and the one table that translates what goes wrong there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec

from quire.errors import (
    CannotConnectError,
    ConflictError,
    InvalidDocumentError,
    NotFoundError,
    QuireError,
    ServerError,
)
from quire_contracts.value import Problem, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNAVAILABLE: Final = frozenset({429, 502, 503, 504})
"""Answers of a Quire that is there but cannot work now; asking again later may help."""

_CONNECT_SECONDS: Final = 5.0


class Refusal(Value, frozen=True):
    """An RFC 9457 problem document, as the API writes it."""

    title: str = ""
    detail: str = ""
    code: str = ""
    next_step: str = ""
    problems: tuple[Problem, ...] = ()


class Transport:
    """A connection pool to one Quire. `transport` replaces the network in tests."""

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        """Connect nothing yet.

        Raises:
            CannotConnectError: if the address is no HTTP address.
        """
        if not url.startswith(("http://", "https://")):
            raise CannotConnectError(f"{url!r} is no address of a Quire", next_step="write it as http://host:port")
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, transport=transport, headers={"user-agent": "quire-client"})

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        seconds: float = 30.0,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """One request and its successful answer, read whole; `seconds` bounds each wait for data.

        Raises:
            QuireError: as `translate` and `refusal` say.
        """
        timeout = httpx.Timeout(seconds, connect=_CONNECT_SECONDS)
        self._check_open()
        with translated(self.url):
            answer = self._http.request(method, path, params=params, headers=headers, content=content, timeout=timeout)
        if answer.is_success:
            return answer
        raise refusal(answer.status_code, answer.content)

    @contextmanager
    def lines(
        self, path: str, *, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> Iterator[Iterator[str] | None]:
        """The lines of an event stream, while the block lasts, or None where there is nothing more to come.

        Silence of a minute counts as a broken connection.

        Raises:
            QuireError: as `translate` and `refusal` say.
        """
        timeout = httpx.Timeout(60.0, connect=_CONNECT_SECONDS)
        accept = {"accept": "text/event-stream", **headers}
        self._check_open()
        with (
            translated(self.url),
            self._http.stream("GET", path, params=params, headers=accept, timeout=timeout) as answer,
        ):
            if not answer.is_success:
                raise refusal(answer.status_code, answer.read())
            yield None if answer.status_code == httpx.codes.NO_CONTENT else answer.iter_lines()

    def _check_open(self) -> None:
        if self._http.is_closed:
            raise QuireError("this client is closed")


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Inside the block every httpx error leaves as one of Quire's."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise translate(url, error) from error


def translate(url: str, error: Exception) -> QuireError:
    """One of httpx's errors as Quire's: every failure of the way there is a connection failure."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            why = f"nothing answers at {url}"
            step = "start one with `quire up`, name another with --url or QUIRE_URL, or use `quire run --local`"
            return CannotConnectError(why, next_step=step, reached=False)
        case httpx.TransportError():
            return CannotConnectError(f"the connection to {url} broke: {str(error) or type(error).__name__}")
        case httpx.InvalidURL():
            return CannotConnectError(f"{url!r} is no address of a Quire: {error}")
        case _:
            return ServerError(f"an answer of {url} makes no sense: {str(error) or type(error).__name__}")


def refusal(status: int, body: bytes) -> QuireError:
    """An answer that is no success as one of Quire's errors; the body is problem+json, if it came from Quire."""
    try:
        said = msgspec.json.decode(body, type=Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = Refusal(detail=body[:200].decode(errors="replace").strip())
    reason = ": ".join(part for part in (said.title, said.detail) if part) or f"HTTP status {status}"
    match status:
        case 400 | 413 | 415 | 422:
            return InvalidDocumentError(reason, said.problems, next_step=said.next_step)
        case 404 | 410:
            return NotFoundError(reason, next_step=said.next_step)
        case 409:
            return ConflictError(reason, next_step=said.next_step)
        case _ if status in UNAVAILABLE:
            return CannotConnectError(f"Quire cannot work now: {reason}", next_step=said.next_step or "try again later")
        case _:
            return ServerError(f"Quire answered {status}: {reason}", next_step=said.next_step)


def decoded(answer: httpx.Response, type_: Any) -> Any:
    """The answer's JSON as a value of a type.

    Raises:
        ServerError: if it is something else.
    """
    try:
        return msgspec.json.decode(answer.content, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(f"{answer.request.url.path} answered outside of the contract: {error}") from error
