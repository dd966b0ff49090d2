"""One tracer per service, also when several services share a process: handed over, never global."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, NoOpTracer, Span, SpanContext, Tracer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource

    from quire_resilience.clock import Clock

FLUSH_SECONDS = 3.0


def resource_of(*, service: str, version: str, instance: str, environment: str) -> Resource:
    """Who it is that speaks, in OpenTelemetry's words; imports its SDK."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only a process that exports pays for it

    return Resource.create(
        {
            "service.name": service,
            "service.version": version,
            "service.instance.id": instance,
            "service.namespace": "quire",
            "deployment.environment.name": environment,
        }
    )


@contextlib.asynccontextmanager
async def tracing(
    resource: Callable[[], Resource],
    version: str,
    *,
    endpoint: str | None,
    schedule_delay_ms: int,
    clock: Clock,
    per_second: float | None = None,
) -> AsyncIterator[Tracer]:
    """A tracer whose spans carry this service's resource and go to `endpoint` (OTLP over HTTP, path included).

    Without an endpoint no spans are made: see `PassingTracer`. What is not yet sent when the block ends is flushed, for
    at most `FLUSH_SECONDS`. Headers, certificate, compression and time-out of the exporter follow the standard OTEL_*
    variables.

    per_second: of the traces that begin here so many are recorded (see `sampling`); None leaves the choice to the
        standard variable OTEL_TRACES_SAMPLER.
    """
    if not endpoint:
        yield PassingTracer()
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    from quire_service.sampling import sampler  # noqa: PLC0415

    chosen = None if per_second is None else sampler(per_second, clock)
    provider = TracerProvider(sampler=chosen, resource=resource(), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=schedule_delay_ms))
    try:
        yield provider.get_tracer("quire", version)
    finally:
        flushing = asyncio.create_task(asyncio.to_thread(provider.shutdown))  # blocks for as long as a collector takes
        _, late = await asyncio.wait({flushing}, timeout=FLUSH_SECONDS)
        if late:
            exporter.shutdown()  # wakes it from the pause before its next try
        await flushing


class PassingTracer(NoOpTracer):
    """Records nothing and keeps traces together: a span is its parent's context again, or a new, unsampled one.

    So a caller's trace goes through a house that exports nothing, and a job has a trace id for its logs.
    """

    def start_span(self, name: str, context: Context | None = None, *args: Any, **options: Any) -> Span:
        """The parent once more; the root of a new trace where there is none."""
        del name, args, options
        parent = trace.get_current_span(context)
        if parent.get_span_context().is_valid:
            return NonRecordingSpan(parent.get_span_context())
        return NonRecordingSpan(SpanContext(secrets.randbits(128) or 1, secrets.randbits(64) or 1, is_remote=False))

    @contextlib.contextmanager
    def start_as_current_span(  # type: ignore[override]  # the base names every option of a span that records
        self, name: str, context: Context | None = None, *args: Any, **options: Any
    ) -> Iterator[Span]:
        """As `start_span`, current inside."""
        span = self.start_span(name, context, *args, **options)
        token = contexts.attach(trace.set_span_in_context(span))  # `trace.use_span` also writes to the span: to nobody
        try:
            yield span
        finally:
            contexts.detach(token)
