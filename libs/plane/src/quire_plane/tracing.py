"""The spans of a batch: its own, and one in each member's job for its share, linked both ways.

Jaeger shows links in one direction only across traces, so each member's share is a span of its own in the job's trace.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span, Tracer

    from quire_contracts.batch import Batch, Slice

_PROPAGATOR: Final = TraceContextTextMapPropagator()


@contextmanager
def batch_spans(tracer: Tracer, batch: Batch) -> Iterator[tuple[str | None, ...]]:
    """Open `quire.batch.execute` under the current span, and `quire.batch.participation` for each member.

    Gives the `traceparent` of each member's share, None where the member came without a trace. An error that leaves
    the block is recorded on every span.
    """
    attributes: dict[str, str | int] = {
        "quire.batch.id": batch.batch_id,
        "quire.batch.size": len(batch.members),
        "quire.target": batch.target,
    }
    with tracer.start_as_current_span("quire.batch.execute", kind=SpanKind.INTERNAL, attributes=attributes) as span:
        shares = [_share(tracer, batch, member, span) for member in batch.members]
        for share in shares:
            if share is not None:
                span.add_link(share.get_span_context(), {"quire.link": "member"})
        try:
            yield tuple(_traceparent(share) for share in shares)
        except BaseException as error:
            for share in shares:
                if share is not None:
                    share.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            for share in shares:
                if share is not None:
                    share.end()


def _share(tracer: Tracer, batch: Batch, member: Slice, span: Span) -> Span | None:
    if not member.traceparent:
        return None
    return tracer.start_span(
        "quire.batch.participation",
        context=_PROPAGATOR.extract({"traceparent": member.traceparent}),
        kind=SpanKind.INTERNAL,
        attributes={
            "quire.batch.id": batch.batch_id,
            "quire.batch.size": len(batch.members),
            "quire.target": batch.target,
            "quire.job.id": member.job_id,
            "quire.task.id": member.task_id,
            "quire.tenant": member.tenant,
        },
        links=[Link(span.get_span_context(), {"quire.link": "batch"})],
    )


def _traceparent(span: Span | None) -> str | None:
    if span is None:
        return None
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent")
