"""From a message to what is stored: subject, deterministic id, headers, trace; the same for publish and commit."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING

from quire_bus import codec, tracing
from quire_bus.envelope import Meta, Outgoing, message_id
from quire_bus.errors import DecodeError
from quire_bus.store import Part
from quire_bus.subjects import schedule_subject
from quire_contracts.registry import entry_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.trace import Span, Tracer

    from quire_bus.store import Store
    from quire_contracts.registry import Entry
    from quire_resilience.clock import Clock


@dataclass(frozen=True, slots=True)
class Sender:
    """Who says something: the store, the messages' source, the clock of their times, the tracer of their spans."""

    store: Store
    source: str
    clock: Clock
    tracer: Tracer


@dataclass(frozen=True, slots=True)
class Composed:
    """A message ready to store, and its started producer span."""

    id: str
    part: Part
    span: Span


def compose(
    outgoing: Outgoing,
    sender: Sender,
    *,
    cause: Meta | None = None,
    correlation_id: str | None = None,
    id_: str | None = None,
) -> Composed:
    """The message as the bytes, headers and subject that are stored.

    The correlation id is the given one, else the cause's where both are one tenant's, else the key: what tenants
    share (a batch) is its own run, and what comes out of it belongs to its job again.

    Raises:
        ValueError: if tenant or key cannot stand in a subject.
        KeyError: if the message's class is not registered.
    """
    message = outgoing.message
    entry = entry_of(message)
    subject = entry.subject_for(entry.tenant_of(message), outgoing.key or entry.key_of(message))
    tenant, key = _tokens(subject)
    body, content_type = codec.encode_body(entry, message)
    inherited = cause.correlation_id if cause is not None and cause.tenant == tenant else None
    meta = Meta(
        id=id_ or _id(entry, outgoing, tenant, cause, body),
        source=sender.source,
        type=entry.type,
        time=sender.clock.now(),
        tenant=tenant,
        key=key,
        correlation_id=correlation_id or inherited or key,
        causation_id=cause.id if cause is not None else None,
    )
    span = tracing.sending(sender.tracer, entry, meta, outgoing.traceparent)
    traceparent, tracestate = tracing.headers_of(span)
    headers = codec.envelope_headers(replace(meta, traceparent=traceparent, tracestate=tracestate), content_type)
    if outgoing.at is not None:
        headers["Nats-Schedule"] = f"@at {outgoing.at.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')}"
        headers["Nats-Schedule-Target"] = subject
        subject = schedule_subject(tenant, meta.id)
    return Composed(meta.id, Part(subject, body, headers), span)


@contextmanager
def sent(composed: Sequence[Composed]) -> Iterator[None]:
    """End the producer spans when the store has answered, as failed if it raised."""
    try:
        yield
    except BaseException as error:
        for item in composed:
            tracing.failed(item.span, error)
        raise
    finally:
        for item in composed:
            item.span.end()


def _id(entry: Entry, outgoing: Outgoing, tenant: str, cause: Meta | None, body: bytes) -> str:
    """Without a cause the tenant stands for it, for two tenants may name their jobs alike; and a raw body's digest."""
    digest = hashlib.sha256(body).hexdigest() if entry.raw else ""
    cause_id = cause.id if cause is not None else f"{tenant}|{digest}"
    identity = entry.identity_of(outgoing.message)
    if outgoing.key is not None:
        identity = f"{identity}|{outgoing.key}"
    return message_id(entry.type, identity, cause_id=cause_id, attempt=outgoing.attempt)


def _tokens(subject: str) -> tuple[str, str]:
    try:
        return codec.tokens_of(subject)
    except DecodeError as error:
        raise ValueError(f"{subject!r} is no subject to publish on: {error.reason}") from None
