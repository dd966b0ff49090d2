"""An OTLP receiver that answers as Jaeger's query service does, for tests and as a stand-in where there is no Jaeger.

Run as `python -m quire_testing.otlp_sink`; by default on Jaeger's ports: OTLP over gRPC on 4317 and over HTTP on 4318,
queries (`/api/services`, `/api/traces`, `/api/traces/{id}`) on 16686, health on 13133.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import grpc
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service

from quire_testing.jaeger import TraceStore

_LOG = logging.getLogger("quire.otlp-sink")
_PROTOBUF = "application/x-protobuf"
_LARGEST_BODY = 16 * 1024 * 1024


class Sink:
    """The running receiver; a context manager. A port of 0 is chosen by the system and can be read from the fields.

    store: what was received.   http_endpoint: for OTEL_EXPORTER_OTLP_ENDPOINT with protocol http/protobuf.
    grpc_endpoint: the same with protocol grpc.   query_url: where Jaeger's API is.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        *,
        http_port: int = 0,
        grpc_port: int = 0,
        query_port: int = 0,
        health_port: int | None = None,
    ) -> None:
        self.store = TraceStore()
        self._threads: list[threading.Thread] = []
        handlers = [(_receiver(self.store), http_port), (_query(self.store), query_port)]
        if health_port is not None:
            handlers.append((_query(self.store), health_port))
        self._servers = [_Server((host, port), handler) for handler, port in handlers]
        self._grpc = grpc.server(ThreadPoolExecutor(4, thread_name_prefix="otlp-grpc"))
        service.add_TraceServiceServicer_to_server(_Grpc(self.store), self._grpc)
        self.grpc_port = self._grpc.add_insecure_port(f"{host}:{grpc_port}")
        self.http_port, self.query_port = (server.server_address[1] for server in self._servers[:2])
        self.http_endpoint = f"http://{host}:{self.http_port}"
        self.grpc_endpoint = f"http://{host}:{self.grpc_port}"
        self.query_url = f"http://{host}:{self.query_port}"

    def start(self) -> Self:
        """Begin to receive and to answer."""
        for server in self._servers:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._grpc.start()
        return self

    def stop(self) -> None:
        """Stop and free the ports."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._grpc.stop(grace=0.2).wait()
        for thread in self._threads:
            thread.join(2.0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _Grpc(service.TraceServiceServicer):
    def __init__(self, store: TraceStore) -> None:
        self._store = store

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the service's own names
        self._store.add(request.resource_spans)
        return messages.ExportTraceServiceResponse()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        _LOG.debug(format, *args)

    def answer(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _receiver(store: TraceStore) -> type[BaseHTTPRequestHandler]:
    """OTLP/HTTP: POST /v1/traces, protobuf, gzip or plain; metrics and logs are taken and forgotten."""

    class Receiver(_Handler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > _LARGEST_BODY:
                self.close_connection = True
                self.answer(413, b"{}")
                return
            body = self.rfile.read(length)
            if self.path in {"/v1/metrics", "/v1/logs"}:
                self.answer(200, b"", _PROTOBUF)
                return
            if self.path != "/v1/traces":
                self.answer(404, b"{}")
                return
            if not self.headers.get("Content-Type", "").startswith(_PROTOBUF):
                self.answer(415, b'{"message": "only application/x-protobuf"}')
                return
            try:
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                store.add(messages.ExportTraceServiceRequest.FromString(body).resource_spans)
            except (DecodeError, OSError, EOFError) as error:
                self.answer(400, json.dumps({"message": str(error)}).encode())
                return
            self.answer(200, messages.ExportTraceServiceResponse().SerializeToString(), _PROTOBUF)

    return Receiver


def _query(store: TraceStore) -> type[BaseHTTPRequestHandler]:
    """Jaeger's query routes, and 200 on everything that a health check may ask."""

    class Query(_Handler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            status, answer = _answer(store, url.path.rstrip("/"), parse_qs(url.query))
            self.answer(status, json.dumps(answer).encode())

    return Query


def _answer(store: TraceStore, path: str, query: dict[str, list[str]]) -> tuple[int, object]:
    def one(name: str, otherwise: str = "") -> str:
        return query.get(name, [otherwise])[0]

    if path == "/api/services":
        return 200, _page(store.services())
    if match := re.fullmatch(r"/api/services/([^/]+)/operations", path):
        return 200, _page(store.operations(match[1]))
    if match := re.fullmatch(r"/api/traces/([0-9a-fA-F]{1,32})", path):
        trace = store.trace(match[1])
        if trace is None:
            return 404, {**_page(None), "errors": [{"code": 404, "msg": "trace not found"}]}
        return 200, _page([trace])
    if path == "/api/traces":
        try:
            tags = {key: str(value) for key, value in json.loads(one("tags", "{}")).items()}
            limit = int(one("limit", "20"))
        except (ValueError, AttributeError):
            return 400, {**_page(None), "errors": [{"code": 400, "msg": "malformed tags or limit"}]}
        return 200, _page(store.find(one("service"), one("operation"), tags, limit))
    if path in {"", "/status", "/health", "/healthz"}:
        return 200, {"status": "Server available"}
    return 404, {**_page(None), "errors": [{"code": 404, "msg": "no such route"}]}


def _page(data: list[Any] | None) -> dict[str, Any]:
    return {"data": data, "total": len(data or ()), "limit": 0, "offset": 0, "errors": None}


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m quire_testing.otlp_sink", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - a stand-in inside a container's network
    for name, port in (("http", 4318), ("grpc", 4317), ("query", 16686), ("health", 13133)):
        parser.add_argument(f"--{name}-port", type=int, default=port)
    given = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with Sink(
        given.host,
        http_port=given.http_port,
        grpc_port=given.grpc_port,
        query_port=given.query_port,
        health_port=given.health_port,
    ):
        stopping.wait()


if __name__ == "__main__":
    main()
