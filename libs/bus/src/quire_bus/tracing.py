"""One span for each message handled and each message sent, nested as the messages are.

Names and attributes follow OpenTelemetry's messaging conventions; what varies (ids) is an attribute, never part of a
name. Source of the header: W3C Trace Context. Where the trace is not recorded, no attribute is made and no span is
started for what is sent; with an inert tracer the incoming context is passed on as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracer,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from quire_contracts.intake import SHARED_TENANT

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

    from quire_bus.envelope import Meta
    from quire_contracts.registry import Entry

_TEXT = 500


def context_of(traceparent: str | None, tracestate: str | None = None) -> Context | None:
    """The context that the headers carry; None (the current context) where there is no header.

    The header is a well-formed one, as `Meta.traceparent` is.
    """
    if not traceparent:
        return None
    return trace.set_span_in_context(_Carried(traceparent, tracestate), Context())


class _Carried(NonRecordingSpan):
    """The span that sent a message, as the headers name it; they are only read where a span of ours is its child."""

    def __init__(self, traceparent: str, tracestate: str | None) -> None:
        self.headers = (f"00{traceparent[2:]}", tracestate)
        self._read: SpanContext | None = None

    def get_span_context(self) -> SpanContext:
        """What the headers say."""
        if self._read is None:
            traceparent, tracestate = self.headers
            self._read = SpanContext(
                int(traceparent[3:35], 16),
                int(traceparent[36:52], 16),
                is_remote=True,
                trace_flags=TraceFlags(int(traceparent[53:55], 16)),
                trace_state=TraceState.from_header([tracestate]) if tracestate else None,
            )
        return self._read


def headers_of(span: Span) -> tuple[str | None, str | None]:
    """The `traceparent` and `tracestate` that make a receiver's span the child of `span`; None where it is inert."""
    if isinstance(span, _Carried):
        return span.headers
    found = span.get_span_context()
    if not found.is_valid:
        return None, None
    traceparent = f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"
    return traceparent, found.trace_state.to_header() if found.trace_state else None


class processing:  # noqa: N801 - used as a verb: `with processing(...) as span`
    """The consumer span of one delivery, current inside; its parent is the span that sent the message.

    An exception that leaves it is recorded and raised on.
    """

    __slots__ = ("_span", "_token")

    def __init__(self, tracer: Tracer, entry: Entry, meta: Meta, durable: str) -> None:
        self._token: Token[Context] | None = None
        if meta.traceparent and _is_left_out(tracer, meta.traceparent):
            self._span: Span = _Carried(meta.traceparent, meta.tracestate)
            return
        context = context_of(meta.traceparent, meta.tracestate)
        name = f"process {entry.name}"
        if _is_kept(tracer, context):
            attributes: dict[str, AttributeValue] = {
                **_attributes(entry, meta),
                "messaging.operation.type": "process",
                "messaging.operation.name": "process",
                "messaging.consumer.group.name": durable,
                "messaging.nats.stream.sequence": meta.stream_sequence,
                "quire.delivery.attempt": meta.attempt,
                "cloudevents.event_source": meta.source,
            }
            self._span = tracer.start_span(name, context, kind=SpanKind.CONSUMER, attributes=attributes)
        else:
            self._span = tracer.start_span(name, context)

    def __enter__(self) -> Span:
        """The started span."""
        self._token = contexts.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        if self._token is not None:
            contexts.detach(self._token)
        if isinstance(error, Exception):
            self._span.record_exception(error)
            failed(self._span, error)
        self._span.end()


class Sending:
    """The producer spans of messages on their way; ended when the broker has them, as failed if it raised."""

    __slots__ = ("_spans", "_tracer")

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._spans: list[Span] = []

    def start(self, entry: Entry, meta: Meta, traceparent: str | None) -> tuple[str | None, str | None]:
        """The headers of the message `meta`: of a span of its own, the child of `traceparent` or of the current span.

        Where that trace is not recorded there is no span, and the headers are the parent's.
        """
        if traceparent and _is_left_out(self._tracer, traceparent):
            return _Carried(traceparent, None).headers
        context = context_of(traceparent)
        if not _is_kept(self._tracer, context):
            parent = trace.get_current_span(context)
            if not isinstance(parent, _Carried) and not parent.get_span_context().is_valid:
                parent = self._tracer.start_span(f"send {entry.name}", context)
            return headers_of(parent)
        attributes = {
            **_attributes(entry, meta),
            "messaging.operation.type": "send",
            "messaging.operation.name": "publish",
        }
        name = f"send {entry.name}"
        span = self._tracer.start_span(name, context, kind=SpanKind.PRODUCER, attributes=attributes)
        self._spans.append(span)
        return headers_of(span)

    def __enter__(self) -> Self:
        """Begin to wait for the broker's word."""
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        """End the spans."""
        for span in self._spans:
            if error is not None:
                failed(span, error)
            span.end()


def failed(span: Span, error: BaseException) -> None:
    """Mark a span as failed by `error`."""
    if span.is_recording():
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"[:_TEXT]))


def _is_left_out(tracer: Tracer, traceparent: str) -> bool:
    """Whether no child of that span can come to be recorded: nobody records, or its trace was not chosen."""
    return isinstance(tracer, NoOpTracer) or not int(traceparent[53:55], 16) & TraceFlags.SAMPLED


def _is_kept(tracer: Tracer, context: Context | None) -> bool:
    """Whether a span under this context can come to be recorded: a root may be, and the child of a sampled span."""
    if isinstance(tracer, NoOpTracer):
        return False
    parent = trace.get_current_span(context).get_span_context()
    return not parent.is_valid or parent.trace_flags.sampled


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
