"""What travels beside a message: its identity, its cause, its trace, and where it stands on the log."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from datetime import datetime

    from quire_contracts.value import Value

NAMESPACE: Final = uuid.UUID("5a1f1b8e-7a3c-5c0e-9d6b-6f2a4c8e1d30")
"""Of all deterministic ids; changing it would make every redelivered message new."""

_NAMESPACE_BYTES: Final = NAMESPACE.bytes


class Meta(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message's envelope as it arrived.

    id, source, type, time: the CloudEvents attributes; `source` and `id` together are unique.
    tenant, key, subject: the tokens of the subject, which the broker's access rules hold, and the subject itself.
    correlation_id: the run this belongs to; a job's id unless the publisher said otherwise.
    causation_id: the id of the message that caused this one, if any.
    traceparent, tracestate: W3C trace context of the span that sent it.
    attempt: how often it has been delivered to this consumer, from 1.
    stream_sequence: its place on the log; 0 for what is not stored.
    """

    id: str
    source: str
    type: str
    time: datetime
    tenant: str
    key: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    attempt: int = 1
    stream_sequence: int = 0
    subject: str = ""


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A message to send, with what the sender wants different from the default.

    key: the last token of the subject, instead of the message's own key (an answer under the submission's key).
    traceparent: W3C parent of the producer span, instead of the current span (a batch's answer into a task's trace).
    attempt: makes the ids of deliberate repetitions differ (the deterministic id holds cause, type, identity, attempt).
    at: send it then, by the broker's scheduler; a time in the past means now. Aware, UTC.
    """

    message: Value
    key: str | None = None
    traceparent: str | None = None
    attempt: int = 0
    at: datetime | None = None


def message_id(type_: str, identity: str, *, cause_id: str, attempt: int = 0) -> str:
    """The deterministic id of a message: the same cause, type, identity and attempt give the same id, anywhere.

    A UUID of version 5 (RFC 9562, 5.5), written out here because `uuid.uuid5` takes three times as long.
    """
    name = f"{cause_id}|{type_}|{identity}|{attempt}".encode()
    digits = hashlib.sha1(_NAMESPACE_BYTES + name, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def outgoing(message: Value | Outgoing) -> Outgoing:
    """The message as an `Outgoing`, unchanged if it is one."""
    return message if isinstance(message, Outgoing) else Outgoing(message)
