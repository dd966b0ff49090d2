"""One tracer per service, also when several services share a process: handed over, never global."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer

FLUSH_SECONDS = 3.0


@contextlib.asynccontextmanager
async def tracing(
    *, service: str, version: str, instance: str, environment: str, endpoint: str | None, schedule_delay_ms: int
) -> AsyncIterator[Tracer]:
    """A tracer whose spans carry this service's resource and go to `endpoint` (OTLP over HTTP, path included).

    Without an endpoint spans are made, so that context still travels in messages, and nothing is exported. What is not
    yet sent when the block ends is flushed, for at most `FLUSH_SECONDS`. Headers, certificate, compression and time-out
    of the exporter, and the sampler, follow the standard OTEL_* variables.
    """
    resource = Resource.create(
        {
            "service.name": service,
            "service.version": version,
            "service.instance.id": instance,
            "service.namespace": "quire",
            "deployment.environment.name": environment,
        }
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint) if endpoint else None
    if exporter:
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=schedule_delay_ms))
    try:
        yield provider.get_tracer("quire", version)
    finally:
        flushing = asyncio.create_task(asyncio.to_thread(provider.shutdown))  # blocks for as long as a collector takes
        _, late = await asyncio.wait({flushing}, timeout=FLUSH_SECONDS)
        if late and exporter:
            exporter.shutdown()  # wakes it from the pause before its next try
        await flushing
