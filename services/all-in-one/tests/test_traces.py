"""Spans that were sent over OTLP are in the file as Jaeger would say them."""

import json

import httpx
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, StatusCode

from quire_all_in_one.traces import PATH, Collector, traces_of
from quire_service import http_server


async def test_what_an_exporter_sends_is_kept_with_its_tree_links_and_faults(tmp_path):
    import asyncio

    collector = Collector()
    async with http_server(collector.app, host="127.0.0.1", port=0) as port:
        await asyncio.to_thread(send_spans, f"http://127.0.0.1:{port}{PATH}")
        async with httpx.AsyncClient() as client:
            assert (await client.post(f"http://127.0.0.1:{port}/elsewhere")).status_code == 404
    collector.write(tmp_path / "traces.json")
    job, batch = json.loads((tmp_path / "traces.json").read_text())["data"]
    root, child = job["spans"]
    assert (root["operationName"], child["operationName"]) == ("root", "child")
    assert root["references"] == []
    parent, link = child["references"]
    assert (parent["refType"], parent["spanID"]) == ("CHILD_OF", root["spanID"])
    assert (link["refType"], link["traceID"]) == ("FOLLOWS_FROM", batch["traceID"])
    tags = {tag["key"]: tag["value"] for tag in child["tags"]}
    assert tags["shots"] == 7
    assert tags["names"] == '["a","b"]'
    assert tags["error"] is True
    assert job["processes"][child["processID"]]["serviceName"] == "batching"
    assert child["duration"] >= 0


def send_spans(url):
    provider = TracerProvider(resource=Resource.create({"service.name": "batching"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=url)))
    tracer = provider.get_tracer("quire")
    batch = tracer.start_span("batch")
    batch.end()
    with tracer.start_as_current_span("root"):
        child = tracer.start_span("child", links=[Link(batch.get_span_context())])
        child.set_attributes({"shots": 7, "names": ["a", "b"]})
        child.set_status(StatusCode.ERROR, "it fell")
        child.end()
    provider.shutdown()


def test_a_broken_request_takes_nothing_else_with_it():
    assert traces_of([b"\xff\xff\xff"]) == []
