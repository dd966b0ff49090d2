"""The traces of a short-lived house, kept in a file: a machine without Jaeger can still show them.

The services send spans as OTLP over HTTP, as they would to any collector; what came is translated when the house has
closed. Source of the file's shape: the JSON of Jaeger's query service, which its page also takes as an upload.
"""

from __future__ import annotations

import contextlib
import gzip
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATH: Final = "/v1/traces"
_MOST_BYTES: Final = 64 * 1024 * 1024
_KINDS: Final = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_STATUS_ERROR: Final = 2

Json = dict[str, Any]


class Collector:
    """Takes export requests as they come, unread, up to 64 MiB; what comes later is dropped."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self._requests: list[bytes] = []
        self._size = 0

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application: POST /v1/traces."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        found = scope["path"] == PATH
        if found and self._size + len(body) <= _MOST_BYTES:
            packed = dict(scope["headers"]).get(b"content-encoding") == b"gzip"
            self._requests.append(gzip.decompress(body) if packed else body)
            self._size += len(body)
        headers = [(b"content-type", b"application/x-protobuf")]
        await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def write(self, path: Path) -> None:
        """All traces as Jaeger's JSON, those with most spans first."""
        path.write_bytes(msgspec.json.encode({"data": traces_of(self._requests)}))


def traces_of(requests: list[bytes]) -> list[Json]:
    """The traces in export requests, those with most spans first, spans by their start. Broken ones are left out."""
    spans: dict[str, list[Json]] = defaultdict(list)
    processes: dict[str, Json] = {}
    for request in requests:
        with contextlib.suppress(DecodeError):
            for resource in ExportTraceServiceRequest.FromString(request).resource_spans:
                attributes = _attributes(resource.resource.attributes)
                service = str(attributes.pop("service.name", "unknown"))
                processes[service] = {"serviceName": service, "tags": _tags(attributes)}
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        spans[span.trace_id.hex()].append(_span(span, service))
    return [
        {
            "traceID": trace_id,
            "spans": sorted(found, key=lambda span: int(span["startTime"])),
            "processes": {name: processes[name] for name in {str(span["processID"]) for span in found}},
            "warnings": None,
        }
        for trace_id, found in sorted(spans.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _span(span: Any, service: str) -> Json:
    trace_id = span.trace_id.hex()
    parent = [_reference("CHILD_OF", trace_id, span.parent_span_id.hex())] if span.parent_span_id else []
    links = [_reference("FOLLOWS_FROM", link.trace_id.hex(), link.span_id.hex()) for link in span.links]
    extra: Json = {"span.kind": _KINDS.get(span.kind, "internal")}
    if span.status.code == _STATUS_ERROR:
        extra |= {"error": True, "otel.status_description": span.status.message}
    return {
        "traceID": trace_id,
        "spanID": span.span_id.hex(),
        "operationName": span.name,
        "references": parent + links,
        "startTime": span.start_time_unix_nano // 1_000,
        "duration": (span.end_time_unix_nano - span.start_time_unix_nano) // 1_000,
        "tags": _tags(_attributes(span.attributes) | extra),
        "logs": [
            {
                "timestamp": event.time_unix_nano // 1_000,
                "fields": _tags({"event": event.name, **_attributes(event.attributes)}),
            }
            for event in span.events
        ],
        "processID": service,
        "warnings": None,
    }


def _reference(kind: str, trace_id: str, span_id: str) -> Json:
    return {"refType": kind, "traceID": trace_id, "spanID": span_id}


def _attributes(pairs: Any) -> Json:
    return {pair.key: _plain(pair.value) for pair in pairs}


def _plain(value: Any) -> Any:
    """A value of OTLP as JSON has it; lists and maps as text, because Jaeger's tags are flat."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return msgspec.json.encode([_plain(each) for each in value.array_value.values]).decode()
    if kind in {"string_value", "bool_value", "int_value", "double_value"}:
        return getattr(value, kind)
    return "" if kind is None else str(getattr(value, kind))


def _tags(attributes: Json) -> list[Json]:
    types = {bool: "bool", int: "int64", float: "float64"}
    return [{"key": key, "type": types.get(type(value), "string"), "value": value} for key, value in attributes.items()]
