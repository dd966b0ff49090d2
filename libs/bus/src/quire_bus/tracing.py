"""One span for each message handled and each message sent, nested as the messages are.

Names and attributes follow OpenTelemetry's messaging conventions; what varies (ids) is an attribute, never part of a
name. Source of the header: W3C Trace Context. With an inert tracer the incoming context is passed on as it is.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from quire_contracts.intake import SHARED_TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

    from quire_bus.envelope import Meta
    from quire_contracts.registry import Entry

_PROPAGATOR: Final = TraceContextTextMapPropagator()


def context_of(traceparent: str | None, tracestate: str | None = None) -> Context | None:
    """The context that the headers carry; None (the current context) where there is no header."""
    if not traceparent:
        return None
    carrier = {"traceparent": traceparent}
    if tracestate:
        carrier["tracestate"] = tracestate
    return _PROPAGATOR.extract(carrier)


def headers_of(span: Span) -> tuple[str | None, str | None]:
    """The `traceparent` and `tracestate` that make a receiver's span the child of `span`; None where it is inert."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent"), carrier.get("tracestate")


@contextmanager
def processing(tracer: Tracer, entry: Entry, meta: Meta, durable: str) -> Iterator[Span]:
    """The consumer span of one delivery, current inside; its parent is the span that sent the message.

    An exception that leaves it is recorded and raised on.
    """
    attributes = {
        **_attributes(entry, meta),
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.consumer.group.name": durable,
        "messaging.nats.stream.sequence": meta.stream_sequence,
        "quire.delivery.attempt": meta.attempt,
        "cloudevents.event_source": meta.source,
    }
    context = context_of(meta.traceparent, meta.tracestate)
    with tracer.start_as_current_span(
        f"process {entry.name}", context, kind=SpanKind.CONSUMER, attributes=attributes
    ) as span:
        yield span


def sending(tracer: Tracer, entry: Entry, meta: Meta, traceparent: str | None) -> Span:
    """A started producer span of the message `meta`, the child of `traceparent` or else of the current span.

    The caller ends it when the broker has the message.
    """
    attributes = {
        **_attributes(entry, meta),
        "messaging.operation.type": "send",
        "messaging.operation.name": "publish",
    }
    return tracer.start_span(
        f"send {entry.name}", context_of(traceparent), kind=SpanKind.PRODUCER, attributes=attributes
    )


def failed(span: Span, error: BaseException) -> None:
    """Mark a span as failed by `error`."""
    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"[:500]))


def _attributes(entry: Entry, meta: Meta) -> dict[str, AttributeValue]:
    """The key is a batch's id where tenants share the message, else a job's."""
    return {
        "messaging.system": "nats",
        "messaging.destination.template": entry.template,
        "messaging.message.id": meta.id,
        "messaging.message.conversation_id": meta.correlation_id,
        "cloudevents.event_id": meta.id,
        "cloudevents.event_type": entry.type,
        "quire.tenant": meta.tenant,
        "quire.batch.id" if meta.tenant == SHARED_TENANT else "quire.job.id": meta.key,
    }
