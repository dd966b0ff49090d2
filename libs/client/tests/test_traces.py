"""A trace is a tree on the terminal, wherever it comes from."""

import json

import pytest
from fake_quire import Answer, view
from typer.testing import CliRunner

from quire.cli import app
from quire.traces import Traces, walk

TRACE_ID = "ab" * 16


def span(span_id, parent, start, *, name="work", failed=False):
    references = [{"refType": "FOLLOWS_FROM", "traceID": "cd" * 16, "spanID": "f" * 16}]
    references += [{"refType": "CHILD_OF", "traceID": TRACE_ID, "spanID": parent}] if parent else []
    tags = [{"key": "error", "type": "bool", "value": True}] if failed else []
    return {
        "traceID": TRACE_ID,
        "spanID": span_id,
        "operationName": name,
        "references": references,
        "startTime": start,
        "duration": 1_000,
        "tags": tags,
        "processID": "p1",
    }


FOUND = {
    "data": [
        {
            "traceID": TRACE_ID,
            "spans": [
                span("c", "a", 30, name="late child", failed=True),
                span("b", "a", 10, name="early child"),
                span("a", "", 0, name="root"),
                span("d", "gone", 40, name="orphan"),
            ],
            "processes": {"p1": {"serviceName": "batching"}},
        },
        {"traceID": "cd" * 16, "spans": [], "processes": {}},
    ]
}


def test_every_span_stands_once_below_its_parent_by_start():
    import msgspec

    (trace, _) = msgspec.convert(FOUND, Traces).data
    assert [(depth, each.span_id) for depth, each in walk(trace)] == [(0, "a"), (1, "b"), (1, "c"), (0, "d")]


@pytest.fixture
def shown(fake, tmp_path):
    def run(*arguments):
        return CliRunner(env={"QUIRE_URL": fake.url, "QUIRE_JAEGER_URL": fake.url, "COLUMNS": "150"}).invoke(
            app, ["trace", *arguments]
        )

    return run


def test_a_trace_is_shown_from_a_file(shown, tmp_path):
    path = tmp_path / "traces.json"
    path.write_text(json.dumps(FOUND))
    ended = shown(str(path))
    assert ended.exit_code == 0
    assert "4 spans of 1 services" in ended.stdout
    names = [line.split("▇")[-1].strip() for line in ended.stdout.splitlines()[2:]]
    assert names == ["root", "early child", "late child", "orphan"]
    assert "1 more traces" in ended.stderr


def test_a_trace_is_asked_of_jaeger_by_its_id_or_its_job(fake, shown):
    fake.say("GET", f"/api/traces/{TRACE_ID}", Answer(body=FOUND))
    fake.say("GET", "/v1/jobs/j1", Answer(body=view(trace_id=TRACE_ID)))
    assert "early child" in shown(TRACE_ID).stdout
    assert "early child" in shown("j1").stdout


def test_what_is_no_trace_is_told(fake, shown, tmp_path):
    (tmp_path / "x.json").write_text("{")
    assert shown(str(tmp_path / "x.json")).exit_code == 3
    fake.say("GET", f"/api/traces/{TRACE_ID}", Answer(body={"data": []}))
    assert shown(TRACE_ID).exit_code == 3
