"""The spans of a batch: its own, and one in each member's job for its share, linked both ways.

Jaeger shows links in one direction only across traces, so each member's share is a span of its own in the job's trace.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.trace import Span, Tracer

    from quire_contracts.batch import Batch, Slice

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)


@contextmanager
def batch_spans(tracer: Tracer, batch: Batch) -> Iterator[tuple[str | None, ...]]:
    """Open `quire.batch.execute` under the current span, and `quire.batch.participation` for each member.

    Gives the `traceparent` of each member's share, None where the member came without a trace. An error that leaves
    the block is recorded on every span. Where nothing is recorded there are no shares: each member's own `traceparent`
    goes on as it came.
    """
    attributes: dict[str, str | int] = {
        "quire.batch.id": batch.batch_id,
        "quire.batch.size": len(batch.members),
        "quire.target": batch.target,
    }
    with tracer.start_as_current_span("quire.batch.execute", kind=SpanKind.INTERNAL, attributes=attributes) as span:
        if not span.is_recording():
            yield tuple([member.traceparent for member in batch.members])
            return
        link = [Link(span.get_span_context(), {"quire.link": "batch"})]
        shares = [_share(tracer, attributes, member, link) for member in batch.members]
        for share in shares:
            if share is not None:
                span.add_link(share.get_span_context(), {"quire.link": "member"})
        try:
            yield tuple([_traceparent(share) for share in shares])
        except BaseException as error:
            for share in shares:
                if share is not None:
                    share.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            for share in shares:
                if share is not None:
                    share.end()


def _share(tracer: Tracer, attributes: Mapping[str, str | int], member: Slice, links: list[Link]) -> Span | None:
    parent = _context(member.traceparent)
    if parent is None:
        return None
    return tracer.start_span(
        "quire.batch.participation",
        context=parent,
        kind=SpanKind.INTERNAL,
        attributes={
            **attributes,
            "quire.job.id": member.job_id,
            "quire.task.id": member.task_id,
            "quire.tenant": member.tenant,
        },
        links=links,
    )


def _context(traceparent: str | None) -> Context | None:
    """The context that a W3C `traceparent` names ; the propagator's own reading costs ten times as much."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None:
        return None
    remote = SpanContext(
        int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=TraceFlags(int(found[3], 16))
    )
    return trace.set_span_in_context(NonRecordingSpan(remote), Context()) if remote.is_valid else None


def _traceparent(span: Span | None) -> str | None:
    if span is None:
        return None
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
