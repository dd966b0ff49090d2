"""From a message to what is stored: subject, deterministic id, headers, trace; the same for publish and commit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING

from quire_bus import codec
from quire_bus.envelope import Meta, Outgoing, message_id
from quire_bus.errors import DecodeError
from quire_bus.recent import RecentMarks
from quire_bus.store import Part
from quire_bus.subjects import schedule_subject
from quire_contracts.registry import entry_of

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from quire_bus.store import Store
    from quire_bus.tracing import Sending
    from quire_contracts.registry import Entry
    from quire_resilience.clock import Clock


@dataclass(frozen=True, slots=True)
class Sender:
    """Who says something: the store, the messages' source, the clock of their times, the tracer of their spans.

    recent: what it has said that was an answer, and need not be said again.
    """

    store: Store
    source: str
    clock: Clock
    tracer: Tracer
    recent: RecentMarks = field(default_factory=RecentMarks)


def compose(
    outgoing: Outgoing,
    sender: Sender,
    sending: Sending,
    *,
    cause: Meta | None = None,
    correlation_id: str | None = None,
    id_: str | None = None,
) -> Part:
    """The message as the bytes, headers and subject that are stored; `Part.id` is its id.

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
    traceparent, tracestate = sending.start(entry, meta, outgoing.traceparent)
    lines = codec.envelope_lines(meta, content_type, traceparent, tracestate)
    if outgoing.at is not None:
        at = outgoing.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        lines += f"Nats-Schedule: @at {at}\r\nNats-Schedule-Target: {subject}\r\n".encode()
        subject = schedule_subject(tenant, meta.id)
    return Part(subject, body, lines=lines, id=meta.id)


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
