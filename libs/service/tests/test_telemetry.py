"""Telemetry that costs nothing where nobody listens, and a page of metrics where somebody may."""

from __future__ import annotations

import subprocess
import sys

from opentelemetry import trace
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from quire_resilience.clock import SystemClock
from quire_service.metrics import metering, text_of
from quire_service.telemetry import PassingTracer, tracing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_tracer_that_records_nothing_hands_the_caller_s_context_on():
    tracer, propagator = PassingTracer(), TraceContextTextMapPropagator()
    carrier: dict[str, str] = {}
    with tracer.start_as_current_span("handle", propagator.extract({"traceparent": PARENT})) as outer:
        with tracer.start_as_current_span("inside") as inner:
            propagator.inject(carrier)
        assert inner.get_span_context() == outer.get_span_context() == tracer.start_span("again").get_span_context()
    assert carrier == {"traceparent": PARENT}
    assert not outer.is_recording()
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_trace_that_begins_here_has_an_id_and_is_not_sampled():
    tracer = PassingTracer()
    with tracer.start_as_current_span("root") as root:
        child = tracer.start_span("child")
    context = root.get_span_context()
    assert context.is_valid
    assert not context.trace_flags.sampled
    assert child.get_span_context().trace_id == context.trace_id
    assert tracer.start_span("another").get_span_context().trace_id != context.trace_id


def test_without_a_collector_the_sdk_is_not_even_imported():
    program = (
        "import asyncio, sys\n"
        "from quire_service.metrics import metering\n"
        "from quire_service.telemetry import tracing\n"
        "async def main():\n"
        "    async with tracing(dict, '1', endpoint=None, schedule_delay_ms=1, clock=None):\n"
        "        async with metering(dict, '1', endpoint=None, page=False):\n"
        "            sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))\n"
        "asyncio.run(main())\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_where_nobody_reads_there_is_nothing_to_write():
    async with tracing(Resource.get_empty, "1", endpoint=None, schedule_delay_ms=1, clock=SystemClock()) as tracer:
        assert isinstance(tracer, PassingTracer)
    async with metering(Resource.get_empty, "1", endpoint=None, page=False) as (meter, page):
        assert isinstance(meter, NoOpMeter)
        assert page is None


async def test_what_is_counted_is_on_the_page():
    async with metering(Resource.get_empty, "1", endpoint=None, page=True) as (meter, page):
        hits = meter.create_counter("quire.cache.hits", description="found in the cache")
        hits.add(2, {"kind": 'with "quotes"'})
        hits.add(1)
        meter.create_up_down_counter("quire.queue.depth").add(7)
        assert page is not None
        lines = page().splitlines()
    assert "# HELP quire_cache_hits_total found in the cache" in lines
    assert "# TYPE quire_cache_hits_total counter" in lines
    assert 'quire_cache_hits_total{kind="with \\"quotes\\""} 2' in lines
    assert "quire_cache_hits_total 1" in lines
    assert "# TYPE quire_queue_depth gauge" in lines
    assert "quire_queue_depth 7" in lines


def test_buckets_are_cumulative():
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    window = provider.get_meter("test").create_histogram("window", explicit_bucket_boundaries_advisory=[0.1, 1.0])
    for seconds in (0.05, 0.5, 0.5, 5.0):
        window.record(seconds)
    assert text_of(reader.get_metrics_data()).splitlines() == [
        "# TYPE window histogram",
        'window_bucket{le="0.1"} 1',
        'window_bucket{le="1.0"} 3',
        'window_bucket{le="+Inf"} 4',
        "window_sum 6.05",
        "window_count 4",
    ]
    assert text_of(None) == ""
    provider.shutdown()
