"""One job is one trace: every service in it, no orphan, and its batches linked both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from jaeger_reading import read, settled_trace

from quire.client import Client

if TYPE_CHECKING:
    from quire.embedded import Embedded
    from quire_testing.otlp_sink import Sink

SERVICES = {
    "api",
    "control-plane",
    "preprocessing",
    "batching",
    "quantum-gateway",
    "gpu-simulation",
    "aggregation",
    "ledger",
}


def test_one_job_is_one_trace(traced_quire: Embedded, sink: Sink, loop_job: dict[str, object]) -> None:
    with Client(traced_quire.http) as client:
        view = client.submit(loop_job).wait(100)
    assert view.state == "completed", view
    assert view.trace_id

    trace = settled_trace(sink.query_url, view.trace_id)
    spans, processes = trace["spans"], trace["processes"]
    services = {processes[span["processID"]]["serviceName"] for span in spans}
    assert services == SERVICES

    ids = {span["spanID"] for span in spans}
    parents = [
        reference["spanID"]
        for span in spans
        for reference in span["references"]
        if reference["refType"] == "CHILD_OF" and reference["traceID"] == view.trace_id
    ]
    assert set(parents) <= ids, "orphan spans"
    assert len(spans) - len(parents) == 1, "more than one root"

    shares = [span for span in spans if span["operationName"] == "quire.batch.participation"]
    assert len(shares) == len(view.executions)
    for share in shares:
        (forward,) = [ref for ref in share["references"] if ref["traceID"] != view.trace_id]
        (batch,) = read(sink.query_url, f"/api/traces/{forward['traceID']}")
        back = [ref for span in batch["spans"] for ref in span["references"] if ref["traceID"] == view.trace_id]
        assert back, "the batch does not link back to the job"
        assert any(span["operationName"] == "quire.batch.execute" for span in batch["spans"])


def test_a_callers_trace_is_continued(
    traced_quire: Embedded, sink: Sink, examples: dict[str, dict[str, object]]
) -> None:
    trace_id, span_id = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    headers = {"traceparent": f"00-{trace_id}-{span_id}-01"}
    answer = httpx.post(f"{traced_quire.http}/v1/jobs", json=examples["bell.json"], headers=headers).raise_for_status()
    with Client(traced_quire.http) as client:
        assert client.job(answer.json()["job_id"]).wait(60).trace_id == trace_id
