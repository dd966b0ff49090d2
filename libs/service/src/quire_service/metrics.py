"""One meter per service, handed over like its tracer; it costs nothing where nobody reads it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, cast

from opentelemetry.metrics import Meter, NoOpMeter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

    from opentelemetry.sdk.metrics.export import DataPointT, HistogramDataPoint, Metric, MetricsData
    from opentelemetry.sdk.resources import Resource

_EXPORT_MS = 15_000
_UNFIT = re.compile(r"[^a-zA-Z0-9_]")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def no_meter() -> Meter:
    """A meter that measures nothing."""
    return NoOpMeter("quire")


@contextlib.asynccontextmanager
async def metering(
    resource: Callable[[], Resource], version: str, *, endpoint: str | None, page: bool
) -> AsyncIterator[tuple[Meter, Callable[[], str] | None]]:
    """A meter for one service, and its page where `page` asks for one.

    endpoint: where the meter's sums go every 15 s and at the end (OTLP over HTTP, path included); None for nowhere.

    With neither the meter is inert, and the machinery is not even imported.
    """
    if not endpoint and not page:
        yield no_meter(), None
        return
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader  # noqa: PLC0415

    shown = InMemoryMetricReader() if page else None
    readers: list[InMemoryMetricReader | PeriodicExportingMetricReader] = [shown] if shown else []
    if endpoint:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

        exporter = OTLPMetricExporter(endpoint=endpoint)
        readers.append(PeriodicExportingMetricReader(exporter, export_interval_millis=_EXPORT_MS))
    provider = MeterProvider(readers, resource(), shutdown_on_exit=False)
    try:
        yield provider.get_meter("quire", version), (lambda: text_of(shown.get_metrics_data())) if shown else None
    finally:
        await asyncio.to_thread(provider.shutdown)


def text_of(data: MetricsData | None) -> str:
    """What was measured, in the Prometheus text format 0.0.4.

    A dot in a name becomes an underscore, a monotonic sum ends in `_total`, and units stay in the metric's own name.
    """
    lines: list[str] = []
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                lines += _lines(metric)
    return "\n".join([*lines, ""])


def _lines(metric: Metric) -> Iterator[str]:
    name = _UNFIT.sub("_", metric.name)
    monotonic = getattr(metric.data, "is_monotonic", None)
    if monotonic:
        name += "_total"
    points: Iterable[DataPointT] = metric.data.data_points
    buckets = hasattr(next(iter(points), None), "explicit_bounds")
    kind = "histogram" if buckets else "counter" if monotonic else "gauge"
    if metric.description:
        yield f"# HELP {name} {metric.description.translate(_ESCAPES)}"
    yield f"# TYPE {name} {kind}"
    for point in points:
        if hasattr(point, "explicit_bounds"):
            yield from _histogram(name, cast("HistogramDataPoint", point))
        elif hasattr(point, "value"):
            yield f"{name}{_labels(point.attributes)} {point.value}"


def _histogram(name: str, point: HistogramDataPoint) -> Iterator[str]:
    attributes = dict(point.attributes or {})
    below = 0
    for bound, count in zip([*point.explicit_bounds, "+Inf"], point.bucket_counts, strict=True):
        below += count
        yield f"{name}_bucket{_labels({**attributes, 'le': bound})} {below}"
    yield f"{name}_sum{_labels(attributes)} {point.sum}"
    yield f"{name}_count{_labels(attributes)} {point.count}"


def _labels(attributes: Mapping[str, object] | None) -> str:
    pairs = (f'{_UNFIT.sub("_", key)}="{str(value).translate(_ESCAPES)}"' for key, value in (attributes or {}).items())
    joined = ",".join(pairs)
    return f"{{{joined}}}" if joined else ""
