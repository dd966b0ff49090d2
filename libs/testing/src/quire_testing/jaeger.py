"""Received OTLP spans, and what Jaeger's query service would say of them in JSON.

Source of the shape: Jaeger's UI model (`/api/traces`), as its query service translates OTLP: a parent is a CHILD_OF
reference and comes first, a link is a FOLLOWS_FROM reference; times are microseconds; status and kind are tags.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_ERROR = 2
_MOST_TRACES = 10_000

Json = dict[str, Any]


@dataclass(frozen=True)
class Received:
    """A span and the service that sent it."""

    service: str
    process_tags: tuple[tuple[str, Any], ...]
    scope: str
    span: Any


class TraceStore:
    """The newest ten thousand traces; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._traces: OrderedDict[str, dict[str, Received]] = OrderedDict()

    def add(self, resource_spans: Iterable[Any]) -> int:
        """Keep the spans of an OTLP export request; how many there were. A span sent twice is one span."""
        count = 0
        with self._lock:
            for resource in resource_spans:
                tags = tuple((pair.key, _plain(pair.value)) for pair in resource.resource.attributes)
                service = str(dict(tags).get("service.name", "unknown"))
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        count += 1
                        trace = self._traces.setdefault(span.trace_id.hex(), {})
                        trace[span.span_id.hex()] = Received(service, tags, scope.scope.name, span)
            while len(self._traces) > _MOST_TRACES:
                self._traces.popitem(last=False)
        return count

    def services(self) -> list[str]:
        """The names of all services that sent a span, sorted."""
        with self._lock:
            return sorted({each.service for trace in self._traces.values() for each in trace.values()})

    def operations(self, service: str) -> list[str]:
        """The names of a service's spans, sorted."""
        with self._lock:
            spans = [each for trace in self._traces.values() for each in trace.values()]
        return sorted({each.span.name for each in spans if each.service == service})

    def trace(self, trace_id: str) -> Json | None:
        """One trace as Jaeger's JSON, or None."""
        with self._lock:
            spans = dict(self._traces.get(trace_id.lower().zfill(32), {}))
        return _trace(trace_id.lower().zfill(32), spans) if spans else None

    def find(
        self, service: str = "", operation: str = "", tags: Mapping[str, str] | None = None, limit: int = 20
    ) -> list[Json]:
        """The newest `limit` traces with a span that is of `service`, named `operation`, and has all `tags`."""
        wanted = dict(tags or {})

        def matches(each: Received) -> bool:
            if (service and each.service != service) or (operation and each.span.name != operation):
                return False
            own = {tag["key"]: _text(tag["value"]) for tag in _span_tags(each)}
            own |= {key: _text(value) for key, value in each.process_tags}
            return all(own.get(key) == value for key, value in wanted.items())

        with self._lock:
            traces = [(trace_id, dict(spans)) for trace_id, spans in reversed(self._traces.items())]
        found = [(trace_id, spans) for trace_id, spans in traces if any(matches(each) for each in spans.values())]
        return [_trace(trace_id, spans) for trace_id, spans in found[:limit]]


def _trace(trace_id: str, spans: Mapping[str, Received]) -> Json:
    processes: dict[tuple[str, tuple[tuple[str, Any], ...]], str] = {}
    shown = []
    for each in sorted(spans.values(), key=lambda received: received.span.start_time_unix_nano):
        process = processes.setdefault((each.service, _hashable(each.process_tags)), f"p{len(processes) + 1}")
        shown.append(_span(trace_id, each, process, spans))
    return {
        "traceID": trace_id,
        "spans": shown,
        "processes": {
            name: {
                "serviceName": service,
                "tags": [_tag(key, json.loads(value)) for key, value in tags if key != "service.name"],
            }
            for (service, tags), name in processes.items()
        },
        "warnings": None,
    }


def _span(trace_id: str, each: Received, process: str, trace: Mapping[str, Received]) -> Json:
    span = each.span
    references = []
    if span.parent_span_id:
        references.append({"refType": "CHILD_OF", "traceID": trace_id, "spanID": span.parent_span_id.hex()})
    references += [
        {"refType": "FOLLOWS_FROM", "traceID": link.trace_id.hex(), "spanID": link.span_id.hex()} for link in span.links
    ]
    missing = bool(span.parent_span_id) and span.parent_span_id.hex() not in trace
    return {
        "traceID": trace_id,
        "spanID": span.span_id.hex(),
        "flags": 1,
        "operationName": span.name,
        "references": references,
        "startTime": span.start_time_unix_nano // 1000,
        "duration": max(0, span.end_time_unix_nano - span.start_time_unix_nano) // 1000,
        "tags": _span_tags(each),
        "logs": [
            {
                "timestamp": event.time_unix_nano // 1000,
                "fields": [
                    _tag("event", event.name),
                    *(_tag(pair.key, _plain(pair.value)) for pair in event.attributes),
                ],
            }
            for event in span.events
        ],
        "processID": process,
        "warnings": ["invalid parent span IDs; skipping clock skew adjustment"] if missing else None,
    }


def _span_tags(each: Received) -> list[Json]:
    span = each.span
    tags = [_tag(pair.key, _plain(pair.value)) for pair in span.attributes]
    if span.kind in _KINDS:
        tags.append(_tag("span.kind", _KINDS[span.kind]))
    if each.scope:
        tags.append(_tag("otel.scope.name", each.scope))
    if span.status.code == _ERROR:
        tags += [_tag("otel.status_code", "ERROR"), _tag("error", value=True)]
        if span.status.message:
            tags.append(_tag("otel.status_description", span.status.message))
    return tags


def _tag(key: str, value: object) -> Json:
    match value:
        case bool():
            kind = "bool"
        case int():
            kind = "int64"
        case float():
            kind = "float64"
        case str():
            kind = "string"
        case _:
            kind, value = "string", json.dumps(value)
    return {"key": key, "type": kind, "value": value}


def _plain(value: Any) -> Any:
    """An OTLP AnyValue as a JSON value."""
    which = value.WhichOneof("value")
    match which:
        case None:
            return ""
        case "array_value":
            return [_plain(each) for each in value.array_value.values]
        case "kvlist_value":
            return {pair.key: _plain(pair.value) for pair in value.kvlist_value.values}
        case "bytes_value":
            return value.bytes_value.hex()
        case _:
            return getattr(value, which)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _hashable(tags: Iterable[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    return tuple((key, json.dumps(value)) for key, value in tags)
