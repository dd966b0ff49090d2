"""OpenTelemetry spans in memory, with a tracer of their own: no global provider is touched."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer


class Spans:
    """What the tracers of `tracer(service)` have finished, in the order in which they ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._providers: dict[str, TracerProvider] = {}

    def tracer(self, service: str = "test") -> Tracer:
        """A tracer whose spans say they are `service`'s."""
        if service not in self._providers:
            provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
            provider.add_span_processor(SimpleSpanProcessor(self._exporter))
            self._providers[service] = provider
        return self._providers[service].get_tracer(service)

    @property
    def finished(self) -> Sequence[ReadableSpan]:
        """All finished spans."""
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """The finished spans of that name."""
        return [span for span in self.finished if span.name == name]

    def close(self) -> None:
        """Stop recording."""
        for provider in self._providers.values():
            provider.shutdown()
