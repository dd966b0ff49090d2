"""What the door answers when it says no: one problem document (RFC 9457) for every kind of error, and never a trace."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar.exceptions import HTTPException, ValidationException

from quire_bus.errors import BlobCorrupt, BlobMissing, NotStored, QueryFailed, TooLarge, Unanswered, Unknown
from quire_contracts.value import Problem
from quire_resilience.errors import Permanent, Transient

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE: Final = "application/problem+json"

_LATER: Final = "Try again later."
_REPEAT: Final = "Send it again; with the same Idempotency-Key it will be one job."
_TITLES: Final = {
    400: "The request cannot be understood",
    404: "There is nothing here",
    405: "This cannot be done here",
    406: "There is no such form of it",
    408: "The request took too long to arrive",
    413: "The request is too large",
    415: "This media type is not understood",
    431: "The request's headers are too large",
}


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem as RFC 9457 has it, with the members that Quire adds.

    `code` is the last part of `type` and stable; `problems` lists what is wrong with the input, field by field.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    instance: str = ""
    next_step: str = ""
    problems: tuple[Problem, ...] = ()
    job_id: str = ""
    state: str = ""
    trace_id: str = ""


@dataclass(eq=False)  # not frozen: raising an exception writes its traceback into it
class Refusal(Exception):
    """An answer that is no: raised anywhere below a route, answered as a problem document."""

    status: int
    code: str
    title: str
    detail: str = ""
    next_step: str = ""
    problems: tuple[Problem, ...] = ()
    job_id: str = ""
    state: str = ""
    trace_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, instance: str) -> ProblemDocument:
        """The document of this refusal; `instance` is the path that was asked."""
        return ProblemDocument(
            type=f"urn:quire:problem:{self.code}",
            title=self.title,
            status=self.status,
            code=self.code,
            detail=self.detail,
            instance=instance,
            next_step=self.next_step,
            problems=self.problems,
            job_id=self.job_id,
            state=self.state,
            trace_id=self.trace_id,
        )


def refusal_of(error: Exception) -> Refusal | None:
    """The refusal that says `error`, or None for a bug: the caller logs it and answers `INTERNAL`."""
    match error:
        case Refusal():
            return error
        case HTTPException():
            return _of_the_framework(error)
        case Transient():
            return _unavailable(error)
        case Permanent():
            return _impossible(error)
        case _:
            return None


INTERNAL: Final = Refusal(
    500, "internal", "Something went wrong here", "The error is in the service's log.", "Report it with its time."
)


def not_found(what: str, next_step: str = "") -> Refusal:
    """There is no `what`."""
    return Refusal(404, "not-found", _TITLES[404], f"there is no {what}", next_step)


def _unavailable(error: Transient) -> Refusal:
    match error:
        case Unanswered():
            code, title, next_step = "unanswered", "The service that knows this does not answer", _LATER
        case NotStored():
            code, title, next_step = "not-stored", "The log does not take messages now", _REPEAT
        case Unknown():
            code, title, next_step = "unknown-outcome", "The broker did not answer in time", _REPEAT
        case _:
            code, title, next_step = "unavailable", "This cannot be done now", _LATER
    after = str(max(1, math.ceil(error.retry_after or 1.0)))
    return Refusal(503, code, title, error.reason, next_step, headers={"Retry-After": after})


def _impossible(error: Permanent) -> Refusal:
    status, title = 502, "The answer cannot be used"
    match error:
        case TooLarge():
            status, title = 413, _TITLES[413]
        case BlobMissing() | BlobCorrupt():
            status, title = 410, "The stored content is gone"
        case QueryFailed(kind="invalid"):
            status, title = 400, _TITLES[400]
    return Refusal(status, error.code, title, error.reason, error.next_step)


def _of_the_framework(error: HTTPException) -> Refusal:
    status = error.status_code
    title = _TITLES.get(status, "The request cannot be answered")
    if isinstance(error, ValidationException):
        return Refusal(400, "bad-request", title, "a parameter is not as it should be", problems=_parameters(error))
    if status >= 500:  # noqa: PLR2004 - the framework's own words may say too much
        return INTERNAL
    code = title.lower().replace(" ", "-").replace("'", "") if status not in _CODES else _CODES[status]
    return Refusal(status, code, title, _DETAILS.get(status, ""), headers=dict(error.headers or {}))


_CODES: Final = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 408: "too-slow", 413: "too-large"}
_DETAILS: Final = {
    404: "no such path; /docs lists them",
    405: "the path is right, the method is not; /docs lists both",
    413: "a request has at most 1 MiB",
}


def _parameters(error: ValidationException) -> tuple[Problem, ...]:
    found = error.extra if isinstance(error.extra, list) else []
    return tuple(_parameter(each) for each in found if isinstance(each, dict))


def _parameter(found: Mapping[str, Any]) -> Problem:
    source = getattr(found.get("source"), "value", "query")
    name = str(found.get("key", "")).removeprefix("in_")  # `state` is a word of the framework's: routes say `in_state`
    return Problem(pointer=f"/{source}/{name}", reason=str(found.get("message", "not valid"))[:500])
