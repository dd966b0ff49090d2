"""From a request to a submission: whose it is, under which id, and exactly which document; or what is wrong with it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from quire_contracts.document import JobDocument
from quire_contracts.intake import (
    SHARED_TENANT,
    DocumentError,
    content_sha256,
    encode_document,
    job_id_for,
    parse_document,
)
from quire_contracts.job import SubmitJob
from quire_contracts.registry import entry_of
from quire_contracts.value import Problem

JSON: Final = "application/json"
EVENT: Final = "application/cloudevents+json"
ACCEPTED: Final = (JSON, EVENT)

_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_POINTER: Final = 512
_TYPE: Final = entry_of(SubmitJob).type


@dataclass(frozen=True, slots=True)
class Submission:
    """A checked document on its way in.

    document: its bytes; those that came in, unless the idempotency key came in a header and had to be written in.
    job: what it says.
    keyed: whether the id follows from a key (or an event's identity), so that a repetition names the same job.
    """

    job_id: str
    tenant: str
    job: JobDocument
    document: bytes
    content_sha256: str
    keyed: bool


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What a request holds: the document's bytes, and what the envelope around it says, if there is one.

    identity: source and id of the event, which together name it.   pointer: where the document stands in the body.
    fault: what is wrong with the envelope; the document is then the whole body.
    """

    document: bytes
    identity: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    pointer: str = ""
    fault: Problem | None = None


class _Event(msgspec.Struct):
    """A CloudEvent in structured mode; attributes that are not listed are extensions and ignored."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(min_length=1, max_length=256)]
    source: Annotated[str, Meta(min_length=1, max_length=512)]
    type: str
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


class _Owner(msgspec.Struct):
    tenant: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}$")] = "default"


_events: Final = msgspec.json.Decoder(_Event)
_owners: Final = msgspec.json.Decoder(_Owner)


def enclosed(body: bytes, media_type: str) -> Enclosed:
    """What a body of one of the `ACCEPTED` media types holds. Never raises: see `Enclosed.fault`."""
    if media_type != EVENT:
        return Enclosed(body)
    try:
        event = _events.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        hint = "see cloudevents.io, JSON format, version 1.0"
        return Enclosed(body, fault=Problem(pointer="", reason=str(error)[:500], hint=hint))
    document, pointer, fault = bytes(event.data), "/data", None
    if event.data_base64 is not None:
        pointer = "/data_base64"
        try:
            document = base64.b64decode(event.data_base64, validate=True)
        except binascii.Error:
            fault = Problem(pointer=pointer, reason="this is not base64", hint="encode the bytes as RFC 4648 says")
    elif not document:
        fault = Problem(pointer=pointer, reason="the event has no data", hint="put the job document there")
    if event.type != _TYPE:
        reason = f"the event's type is {event.type[:100]!r}"
        fault = Problem(pointer="/type", reason=reason, hint=f"submit jobs as {_TYPE}")
    identity = f"{event.source} {event.id}"
    return Enclosed(document, identity, event.traceparent, event.tracestate, pointer, fault)


def read_submission(content: Enclosed, key: str | None, new_id: Callable[[], str]) -> Submission:
    """Check a document and name its job.

    key: the Idempotency-Key header, bare or in quotes; it counts as the document's `idempotency_key`.
    new_id: gives the id of a job that nothing else names.

    Raises:
        DocumentError: with every problem found, each pointer as seen from the request's body.
    """
    if content.fault is not None:
        raise DocumentError(content.fault)
    try:
        document = parse_document(content.document)
    except DocumentError as error:
        raise DocumentError(*(_moved(problem, content.pointer) for problem in error.problems)) from None
    stated, body = document.idempotency_key, content.document
    if key is not None:
        wanted = _header_key(key)
        if stated not in (None, wanted):
            raise DocumentError(
                Problem(
                    pointer=f"{content.pointer}/idempotency_key",
                    reason="the document and the Idempotency-Key header name different keys",
                    hint="give the key in one place, or the same in both",
                )
            )
        if stated is None:
            document = msgspec.structs.replace(document, idempotency_key=wanted)
            stated, body = wanted, encode_document(document)
    named = stated or content.identity  # An event's identity holds a space, which no key can: the two never collide.
    job_id = job_id_for(document.tenant, named) if named else new_id()
    return Submission(job_id, document.tenant, document, body, content_sha256(document), keyed=named is not None)


def owner_of(document: bytes) -> str:
    """The tenant to whom a refused document's end is said: its own where it can be read, else `default`."""
    try:
        tenant = _owners.decode(document).tenant
    except (msgspec.DecodeError, RecursionError):
        return "default"
    return "default" if tenant == SHARED_TENANT else tenant


def _header_key(value: str) -> str:
    """The key in the header's value: the draft standard writes it as a quoted string, most clients do not."""
    quoted = len(value) > 1 and value.startswith('"') and value.endswith('"')
    key = value[1:-1] if quoted else value
    if not _KEY.fullmatch(key):
        raise DocumentError(
            Problem(
                pointer="/idempotency_key",
                reason="the Idempotency-Key header is no key",
                limit="1 to 128 visible ASCII characters",
                hint="use a UUID, or your own order number",
            )
        )
    return key


def _moved(problem: Problem, pointer: str) -> Problem:
    return msgspec.structs.replace(problem, pointer=(pointer + problem.pointer)[:_POINTER]) if pointer else problem
