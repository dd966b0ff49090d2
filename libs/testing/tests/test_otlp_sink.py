"""The sink against the real exporters, and its answers in the shape of Jaeger's query service."""

import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from quire_testing.jaeger import TraceStore


def get(sink, path):
    with urllib.request.urlopen(sink.query_url + path, timeout=5) as answer:  # noqa: S310 - our own address
        return json.load(answer)


@pytest.fixture
def tracer(otlp_sink):
    providers = []

    def make(service):
        provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{otlp_sink.http_endpoint}/v1/traces", timeout=5)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        providers.append(provider)
        return provider.get_tracer("test.scope")

    yield make
    for provider in providers:
        provider.shutdown()


def test_spans_come_out_as_jaeger_would_say_them(otlp_sink, tracer):
    api, plane = tracer("api"), tracer("plane")
    with plane.start_as_current_span("batch") as batch:
        pass
    with api.start_as_current_span("request", kind=SpanKind.SERVER) as root:
        link = Link(batch.get_span_context())
        with plane.start_as_current_span(
            "share", links=[link], attributes={"quire.job.id": "j1", "n": 3, "ok": True}
        ) as share:
            share.add_event("tick", {"at": 1.5})
            share.set_status(Status(StatusCode.ERROR, "it broke"))
    trace_id = f"{root.get_span_context().trace_id:032x}"
    answer = get(otlp_sink, f"/api/traces/{trace_id}")
    assert (answer["errors"], len(answer["data"])) == (None, 1)
    [found] = answer["data"]
    by_name = {span["operationName"]: span for span in found["spans"]}
    assert [span["operationName"] for span in found["spans"]] == ["request", "share"]
    assert by_name["request"]["references"] == []
    child, follows = by_name["share"]["references"]
    assert child == {"refType": "CHILD_OF", "traceID": trace_id, "spanID": by_name["request"]["spanID"]}
    assert follows["refType"] == "FOLLOWS_FROM"
    assert follows["traceID"] == f"{batch.get_span_context().trace_id:032x}" != trace_id
    tags = {tag["key"]: (tag["type"], tag["value"]) for tag in by_name["share"]["tags"]}
    assert tags["quire.job.id"] == ("string", "j1")
    assert tags["n"] == ("int64", 3)
    assert tags["ok"] == ("bool", True)
    assert tags["error"] == ("bool", True)
    assert tags["otel.status_description"] == ("string", "it broke")
    assert {tag["key"]: tag["value"] for tag in by_name["request"]["tags"]}["span.kind"] == "server"
    assert [field["value"] for field in by_name["share"]["logs"][0]["fields"]] == ["tick", 1.5]
    services = {name: process["serviceName"] for name, process in found["processes"].items()}
    assert services[by_name["share"]["processID"]] == "plane"
    assert 0 <= by_name["share"]["duration"] <= by_name["request"]["duration"]
    assert abs(by_name["request"]["startTime"] - root.start_time // 1000) <= 1


def test_services_operations_and_search(otlp_sink, tracer):
    api, plane = tracer("api"), tracer("plane")
    for number in range(3):
        attributes = {"quire.job.id": f"j{number}"}
        with api.start_as_current_span("request", attributes=attributes), plane.start_as_current_span("run"):
            pass
    assert get(otlp_sink, "/api/services")["data"] == ["api", "plane"]
    assert get(otlp_sink, "/api/services/plane/operations")["data"] == ["run"]

    def search(**query):
        return len(get(otlp_sink, "/api/traces?" + urllib.parse.urlencode(query))["data"])

    assert search(service="plane") == 3
    assert search(service="plane", limit=2) == 2
    assert search(service="nobody") == 0
    assert search(service="api", operation="run") == 0
    assert search(tags=json.dumps({"quire.job.id": "j1"})) == 1
    assert search(service="plane", tags=json.dumps({"quire.job.id": "j1"})) == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/traces/abc", 404), ("/api/nothing", 404), ("/api/traces?tags=%7B", 400), ("/api/traces/xyz", 404)],
)
def test_what_is_not_there_is_said_as_jaeger_says_it(otlp_sink, path, status):
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(otlp_sink, path)
    with caught.value as answer:
        assert answer.code == status
        assert json.load(answer)["errors"][0]["code"] == status


def test_grpc_is_taken_too(otlp_sink):
    import grpc
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service

    request = messages.ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "over-grpc"
    span = resource.scope_spans.add().spans.add(trace_id=bytes(range(16)), span_id=bytes(range(8)), name="said")
    span.attributes.add(key="list").value.array_value.values.add().int_value = 4
    with grpc.insecure_channel(otlp_sink.grpc_endpoint.removeprefix("http://")) as channel:
        service.TraceServiceStub(channel).Export(request, timeout=5)
        service.TraceServiceStub(channel).Export(request, timeout=5)
    [found] = get(otlp_sink, f"/api/traces/{bytes(range(16)).hex()}")["data"]
    assert [span["operationName"] for span in found["spans"]] == ["said"]  # sent twice, there once
    assert {tag["key"]: tag["value"] for tag in found["spans"][0]["tags"]}["list"] == "[4]"


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/traces", b"\xff\xff", {"Content-Type": "application/x-protobuf"}, 400),
        ("/v1/traces", b"{}", {"Content-Type": "application/json"}, 415),
        ("/v1/traces", b"xx", {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}, 400),
        ("/v1/nothing", b"", {}, 404),
    ],
)
def test_a_malformed_export_is_refused_and_the_sink_goes_on(otlp_sink, path, body, headers, status):
    request = urllib.request.Request(otlp_sink.http_endpoint + path, data=body, headers=headers)  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=5)  # noqa: S310
    assert caught.value.code == status
    caught.value.close()
    assert get(otlp_sink, "/api/services")["data"] == []


def test_the_oldest_traces_are_forgotten(monkeypatch):
    from opentelemetry.proto.trace.v1 import trace_pb2

    monkeypatch.setattr("quire_testing.jaeger._MOST_TRACES", 5)
    store = TraceStore()
    for number in range(8):
        resource = trace_pb2.ResourceSpans()
        resource.scope_spans.add().spans.add(trace_id=number.to_bytes(16, "big"), span_id=b"12345678", name="s")
        store.add([resource])
    assert len(store.find(limit=100)) == 5
    assert store.trace("0") is None
    assert store.trace("7")["traceID"] == f"{7:032x}"


def test_it_runs_as_a_program_without_the_bus(tmp_path):
    """As the stand-in's image runs it: grpc and the OTLP messages, nothing else of ours."""
    program = (
        "import sys, quire_testing.otlp_sink; sys.exit(any(n.startswith(('nats', 'quire_bus')) for n in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    ports = [f"--{name}-port=0" for name in ("http", "grpc", "query", "health")]
    child = subprocess.Popen([sys.executable, "-m", "quire_testing.otlp_sink", "--host=127.0.0.1", *ports])
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(1.5)
    child.terminate()
    assert child.wait(10) == 0


def test_no_global_provider_was_touched():
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
