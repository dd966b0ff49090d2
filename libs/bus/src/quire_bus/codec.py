"""The strict wire codec: a message's bytes and headers to values and back, in one pass, for registered types only.

The wire is CloudEvents 1.0 in binary mode, the body JSON (or msgpack, where the content type names it). Structured mode
(`application/cloudevents+json`) is accepted on the way in. Unknown attributes and unknown fields of a body are ignored;
values of another type than the schema's are not converted.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from quire_bus import headers as h
from quire_bus.envelope import Meta
from quire_bus.errors import DecodeError
from quire_contracts.limits import MESSAGE_BYTES
from quire_contracts.registry import Entry, entry_named
from quire_contracts.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S", bound=msgspec.Struct)

JSON: Final = "application/json"
STRUCTURED: Final = "application/cloudevents"
_MSGPACK = frozenset({"application/msgpack", "application/x-msgpack", "application/vnd.msgpack"})
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_TRACESTATE_CHARACTERS = 512
_SUBJECT = re.compile(r"quire\.(?:cmd|evt)\.([a-z0-9-]{1,40})\.[^.]+\.[^.]+\.v\d+\.([A-Za-z0-9_-]{1,64})", re.ASCII)


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """A message as the broker gave it: nothing in it is believed yet.

    size: bytes of its header block and body together, where that is known; 0 has it counted.
    """

    subject: str
    headers: Mapping[str, str] | None
    body: bytes
    time: datetime
    attempt: int = 1
    stream_sequence: int = 0
    size: int = 0


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A message whose envelope is understood and whose body is still bytes of `content_type`."""

    meta: Meta
    content_type: str
    body: bytes


class _Structured(msgspec.Struct):
    """The JSON event format of CloudEvents 1.0 section 3; `data` stays as the bytes it was."""

    specversion: str = ""
    id: str = ""
    source: str = ""
    type: str = ""
    time: str | None = None
    datacontenttype: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None


_ENCODER: Final = msgspec.json.Encoder()
_STRUCTURED = msgspec.json.Decoder(_Structured)
_JSON_DECODERS: dict[
    type, msgspec.json.Decoder[Any]
] = {}  # made once for each type: making one costs more than using it
_MSGPACK_DECODERS: dict[type, msgspec.msgpack.Decoder[Any]] = {}


def open_envelope(arrived: Arrived) -> Opened:
    """Understand what travels beside the body.

    Only `ce-id`, `ce-source`, `ce-type` and `ce-specversion` are needed. A missing correlation id is the key of the
    subject, a missing time the broker's, a missing content type JSON. A malformed trace context is
    ignored, as W3C asks.

    Raises:
        DecodeError: for a message above 256 KiB, a subject that is not ours, a missing or malformed attribute.
    """
    size = arrived.size or h.wire_size(arrived.headers, arrived.body)
    if size > MESSAGE_BYTES:
        raise DecodeError(f"the message is {size} bytes, the limit is {MESSAGE_BYTES}", pointer="/body")
    attributes = h.normalised(arrived.headers)
    content_type = _media_type(attributes.get(h.CONTENT_TYPE, ""))
    body = arrived.body
    if content_type.startswith(STRUCTURED):
        attributes, body = _unwrapped(attributes, body)
    content_type = _media_type(attributes.get("ce-datacontenttype", "") or attributes.get(h.CONTENT_TYPE, ""))
    if content_type.startswith(STRUCTURED):
        content_type = JSON
    tenant, key = tokens_of(arrived.subject)
    if (version := _needed(attributes, "ce-specversion")) != "1.0":
        raise DecodeError(f"ce-specversion is {version[:16]!r}, not '1.0'", pointer="/headers/ce-specversion")
    meta = Meta(
        id=_needed(attributes, "ce-id"),
        source=_needed(attributes, "ce-source"),
        type=_needed(attributes, "ce-type"),
        time=_time(attributes, arrived.time),
        tenant=tenant,
        key=key,
        correlation_id=_optional(attributes, "ce-correlationid") or key,
        causation_id=_optional(attributes, "ce-causationid"),
        traceparent=_traceparent(attributes.get("traceparent")),
        tracestate=attributes.get("tracestate", "")[:_TRACESTATE_CHARACTERS] or None,
        attempt=arrived.attempt,
        stream_sequence=arrived.stream_sequence,
        subject=arrived.subject,
    )
    return Opened(meta, content_type or JSON, body)


def decode_body(entry: Entry, opened: Opened) -> Value:
    """The message of `entry`, strictly: a value of another type than the schema's is an error.

    A raw message gets its bytes, its content type, and its tenant and key from the subject.

    Raises:
        DecodeError: if the envelope names another type, or the body is not of this one.
    """
    if opened.meta.type != entry.type:
        raise DecodeError(f"ce-type is {opened.meta.type[:128]!r}, not {entry.type!r}", pointer="/headers/ce-type")
    if entry.raw:
        return raw_message(entry, opened.meta.tenant, opened.meta.key, opened.body, opened.content_type)
    return decode_as(entry.message, opened.body, opened.content_type)


def decode_any(opened: Opened) -> Value:
    """The message of whichever registered type the envelope names.

    Raises:
        DecodeError: if this release does not know the type, or the body is not of it.
    """
    entry = entry_named(opened.meta.type)
    if entry is None:
        raise DecodeError(f"the type {opened.meta.type[:128]!r} is not known here", pointer="/headers/ce-type")
    return decode_body(entry, opened)


def raw_message(entry: Entry, tenant: str, key: str, body: bytes, media_type: str) -> Value:
    """A raw entry's message from the parts that its subject and body give."""
    values: dict[str, Any] = {entry.key: key, "body": body, "media_type": media_type}
    if entry.tenant is not None:
        values[entry.tenant] = tenant
    return entry.message(**values)


def decode_as(type_: type[S], body: bytes, content_type: str = JSON) -> S:
    """`body` as a `type_`.

    Raises:
        DecodeError: for any other content; with the path that msgspec names, never with the content itself.
    """
    if content_type == JSON or content_type.endswith("+json"):
        decoder: msgspec.json.Decoder[S] | msgspec.msgpack.Decoder[S] = _json(type_)
    elif content_type in _MSGPACK:
        decoder = _msgpack(type_)
    else:
        reason = f"the content type {content_type[:64]!r} is neither JSON nor msgpack"
        raise DecodeError(reason, pointer="/headers/ce-datacontenttype")
    try:
        return decoder.decode(body)
    except RecursionError:  # msgspec raises it, not a DecodeError, from about a thousand levels
        raise DecodeError("the body is nested too deeply", pointer="/body") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"the body is no {type_.__name__}: {error}"[:500], pointer="/body") from None


def encode_body(entry: Entry, message: Value) -> tuple[bytes, str]:
    """A message's body and its content type."""
    if entry.raw:
        return bytes(getattr(message, "body")), str(getattr(message, "media_type"))  # noqa: B009 - only raw ones have them
    return _ENCODER.encode(message), JSON


def envelope_lines(
    meta: Meta, content_type: str, traceparent: str | None = None, tracestate: str | None = None
) -> bytes:
    """The header lines of a message to send, without the broker's own; its `ce-id` is to be its `Part.id`."""
    time = meta.time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    parts = [
        _constant_lines(meta.source, meta.type, content_type),
        f"ce-id: {h.encoded(meta.id)}\r\nce-time: {time}Z\r\nce-subject: {meta.key}\r\n",
        f"ce-correlationid: {h.encoded(meta.correlation_id)}\r\n",
    ]
    if meta.causation_id:
        parts.append(f"ce-causationid: {h.encoded(meta.causation_id)}\r\n")
    if traceparent:
        parts.append(f"traceparent: {traceparent}\r\n")
        if tracestate:
            parts.append(f"tracestate: {tracestate}\r\n")
    return "".join(parts).encode()


@lru_cache(1_024)
def _constant_lines(source: str, type_: str, content_type: str) -> str:
    return (
        f"ce-specversion: 1.0\r\nce-source: {h.encoded(source)}\r\nce-type: {type_}\r\n"
        f"ce-datacontenttype: {h.encoded(content_type)}\r\n"
    )


def tokens_of(subject: str) -> tuple[str, str]:
    """Tenant and key of a command's or event's subject.

    Raises:
        DecodeError: if it is no such subject, or a token has characters that could change another subject's meaning.
    """
    match = _SUBJECT.fullmatch(subject)
    if match is None:
        raise DecodeError("the subject is not quire.<cmd|evt>.<tenant>.<noun>.<verb>.v<n>.<key>", pointer="/subject")
    return match[1], match[2]


def _json(type_: type[S]) -> msgspec.json.Decoder[S]:
    if type_ not in _JSON_DECODERS:
        _JSON_DECODERS[type_] = msgspec.json.Decoder(type_)
    return _JSON_DECODERS[type_]


def _msgpack(type_: type[S]) -> msgspec.msgpack.Decoder[S]:
    if type_ not in _MSGPACK_DECODERS:
        _MSGPACK_DECODERS[type_] = msgspec.msgpack.Decoder(type_)
    return _MSGPACK_DECODERS[type_]


def _unwrapped(attributes: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    """A structured event as the attributes and the body that binary mode would have had."""
    try:
        event = _STRUCTURED.decode(body)
        data = bytes(event.data)
        if event.data_base64 is not None:
            data = base64.b64decode(event.data_base64, validate=True)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, binascii.Error) as error:
        raise DecodeError(f"the body is no structured CloudEvent: {error}"[:500], pointer="/body") from None
    result = {name: value for name, value in attributes.items() if not name.startswith("ce-")}
    for name in ("specversion", "id", "source", "type", "time", "datacontenttype", "correlationid", "causationid"):
        value = getattr(event, name)
        if value:
            result[f"ce-{name}"] = h.encoded(value)
    for name in ("traceparent", "tracestate"):
        value = getattr(event, name)
        if value:
            result.setdefault(name, value)
    return result, data


def _needed(attributes: Mapping[str, str], name: str) -> str:
    value = _optional(attributes, name)
    if not value:
        raise DecodeError(f"the header {name} is missing", pointer=f"/headers/{name}")
    return value


def _optional(attributes: Mapping[str, str], name: str) -> str | None:
    value = attributes.get(name)
    return h.decoded(name, value) if value else None


def _time(attributes: Mapping[str, str], otherwise: datetime) -> datetime:
    text = _optional(attributes, "ce-time")
    if text is None:
        return otherwise
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise DecodeError("ce-time is no RFC 3339 time", pointer="/headers/ce-time") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _traceparent(value: str | None) -> str | None:
    return value if value and _TRACEPARENT.fullmatch(value) else None


def _media_type(value: str) -> str:
    return value.split(";", 1)[0].strip().lower()
