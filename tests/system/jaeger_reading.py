"""Reading traces as Jaeger answers them; the same code reads a real Jaeger."""

from __future__ import annotations

import time
from typing import Any

import httpx

SETTLED_SECONDS = 1.5
LONGEST_SECONDS = 30.0


def read(url: str, path: str, **query: str) -> list[dict[str, Any]]:
    """The `data` of an answer of Jaeger's query API."""
    return httpx.get(f"{url}{path}", params=query, timeout=10).raise_for_status().json()["data"]


def spans_of(url: str, service: str, operation: str) -> list[dict[str, Any]]:
    """A service's spans of one operation, from all traces."""
    traces = read(url, "/api/traces", service=service, operation=operation, limit="5000", lookback="1h")
    return [
        span
        for trace in traces
        for span in trace["spans"]
        if span["operationName"] == operation and trace["processes"][span["processID"]]["serviceName"] == service
    ]


def settled_trace(url: str, trace_id: str) -> dict[str, Any]:
    """A trace once nothing has been added to it for a while: exporters send in batches."""
    end, known, since = time.monotonic() + LONGEST_SECONDS, -1, time.monotonic()
    while time.monotonic() < end:
        traces = httpx.get(f"{url}/api/traces/{trace_id}", timeout=10)
        spans = len(traces.json()["data"][0]["spans"]) if traces.is_success else 0
        if spans != known:
            known, since = spans, time.monotonic()
        elif known > 0 and time.monotonic() - since > SETTLED_SECONDS:
            return traces.json()["data"][0]
        time.sleep(0.1)
    raise AssertionError(f"trace {trace_id} did not settle: {known} spans")


def tag(span: dict[str, Any], key: str) -> Any:
    """The value of a span's tag, or None."""
    return next((item["value"] for item in span["tags"] if item["key"] == key), None)
