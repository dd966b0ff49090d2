from __future__ import annotations

import json
import socket

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_api import __main__ as main
from quire_api.gate import Gate
from quire_api.problems import refusal_of
from quire_api.settings import Settings
from quire_api.streaming import event_frame
from quire_api.submission import Enclosed, read_submission
from quire_api.unpacking import unpacked
from quire_bus.errors import BlobCorrupt
from quire_contracts.control import Progress
from quire_contracts.job import CancelJob, SubmitJob
from quire_contracts.value import BlobRef, CountsTable
from quire_quantum.counts import pack
from quire_service import hosted
from quire_testing import eventually

COUNTS = st.integers(0, 70).flatmap(
    lambda bits: st.tuples(
        st.just(bits),
        st.lists(st.dictionaries(st.text("01", min_size=bits, max_size=bits), st.integers(1, 2**32 - 1)), max_size=4),
    )
)


def described(bits, rows):
    return CountsTable(rows=rows, groups=1, bits=bits, data=BlobRef(sha256="0" * 64, size=0, media_type="x"))


@given(COUNTS)
def test_what_the_house_packs_the_door_unpacks(case):
    bits, rows = case
    assert unpacked(described(bits, len(rows)), pack(rows, bits=bits).to_bytes()) == tuple(rows)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\0" * 7,
        pack([{"0": 1}], bits=1).to_bytes() + b"\0",
        b"\xff\xff\xff\xff" * 2,
        b"\0" * 4 + b"\2" + b"\0" * 8,
    ],
)
def test_what_is_no_table_is_called_corrupt(blob):
    with pytest.raises(BlobCorrupt):
        unpacked(described(1, 1), blob)


def test_a_client_that_writes_too_often_waits_and_others_do_not():
    gate = Gate(rate=2.0, burst=3, clients=2)
    assert [gate.wait("a", 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert gate.wait("b", 0.0) == 0.0
    assert gate.wait("a", 0.5) == 0.0
    gate.wait("c", 0.5)
    assert len(gate._buckets) == 2


async def test_the_door_says_when_to_write_again(house):
    house.door.gate = Gate(rate=0.1, burst=1)
    assert (await house.client.delete("/v1/jobs/j1")).status_code == 404
    answer = await house.client.delete("/v1/jobs/j1")
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-requests")
    assert 9 <= int(answer.headers["Retry-After"]) <= 10


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/v1/jobs/a.b", 400, "bad-request"),
        ("PUT", "/v1/jobs", 405, "method-not-allowed"),
        ("GET", "/schemas/nothing.json", 404, "not-found"),
        ("GET", "/schemas/..%2f..%2fjob.py", 404, "not-found"),
        ("GET", "/v1/dead-letters/99", 404, "not-found"),
        ("DELETE", "/v1/dead-letters/99", 404, "not-found"),
        ("POST", "/v1/dead-letters/99/replay", 404, "not-found"),
    ],
)
async def test_every_refusal_is_a_problem_document(house, method, path, status, code):
    answer = await house.client.request(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert (answer.json()["code"], answer.json()["status"]) == (code, status)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_bug_shows_nothing_of_itself(house, monkeypatch):
    async def broken(*_):
        raise ZeroDivisionError("secret-detail")

    monkeypatch.setattr(house.door.bus.dead_letters, "read", broken)
    answer = await house.client.get("/v1/dead-letters/1")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert refusal_of(ZeroDivisionError()) is None


async def test_health_is_answered_on_the_same_port(served, nats_server):
    assert (await served.client.get("/livez")).json()["live"] is True
    assert (await served.client.get("/readyz")).status_code == 200
    assert (await served.client.get("/info")).json()["service"] == "api"


async def test_the_interface_describes_itself_and_needs_nothing_from_outside(house):
    document = (await house.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]["/v1/jobs"]) == {"get", "post"}
    submission = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    schema = (await house.client.get(submission["schema"]["$ref"])).json()
    assert {each["$ref"].rsplit("/", 1)[1] for each in schema["oneOf"]} >= {"SampleJob", "EstimateJob", "OptimizeJob"}
    page = (await house.client.get("/docs")).text
    assert "<code>/v1/jobs/{job_id}/events</code>" in page
    assert "http:" not in page
    assert "https:" not in page
    assert "<script" not in page
    assert (await house.client.get("/asyncapi.json")).json()["asyncapi"] == "3.0.0"
    assert "/schemas/job-document.json" in (await house.client.get("/schemas")).json()["schemas"]


async def test_dead_letters_are_listed_shown_replayed_and_dropped(house, make_bus, probe):
    from quire_bus.router import Router

    router, bus = Router("control-plane"), await make_bus("control-plane")

    @router.consume(CancelJob, attempts=1)
    async def do_cancel(message, delivery):
        raise RuntimeError("cannot")

    bus.include(router)
    await bus.start()
    dead = await probe(">", stream="QUIRE_DEAD")
    await house.say(CancelJob(job_id="j1", tenant="acme"))
    await house.say(CancelJob(job_id="j2", tenant="acme"))
    await eventually(lambda: len(dead.recorded) == 2)
    listed = (await house.client.get("/v1/dead-letters")).json()["dead_letters"]
    assert [letter["type"] for letter in listed] == ["io.quire.job.cancel.v1"] * 2
    assert [(letter["tenant"], letter["key"], letter["source"]) for letter in listed] == [
        ("acme", "j2", "/quire/helper"),
        ("acme", "j1", "/quire/helper"),
    ]
    second, first = (letter["sequence"] for letter in listed)
    assert first < second
    behind = (await house.client.get(f"/v1/dead-letters?after={first}")).json()["dead_letters"]
    assert [letter["sequence"] for letter in behind] == [second]
    letter = (await house.client.get(f"/v1/dead-letters/{first}")).json()
    assert json.loads(letter["body"])["job_id"] == "j1"
    assert letter["body_base64"] is None
    await bus.stop()
    replayed = await house.client.post(f"/v1/dead-letters/{first}/replay")
    assert (replayed.status_code, replayed.json()["stream_sequence"] > letter["stream_sequence"]) == (202, True)
    assert (await house.client.delete(f"/v1/dead-letters/{second}")).status_code == 204
    assert (await house.client.get("/v1/dead-letters")).json()["dead_letters"] == []


def test_an_events_body_becomes_one_line_whatever_it_is():
    from datetime import UTC, datetime

    from quire_bus.envelope import Meta

    meta = Meta(
        id="i", source="/s", type="io.quire.x.y.v1", time=datetime.now(UTC), tenant="t", key="k", correlation_id="k"
    )
    pretty = event_frame(5, meta, b'{\n "a": "x\\ny",\r\n "b": [1,\n2]}')
    assert pretty.startswith(b"id: 5\nevent: event\ndata: {")
    assert json.loads(pretty.split(b"data: ")[1])["data"] == {"a": "x\ny", "b": [1, 2]}
    assert json.loads(event_frame(5, meta, b"\xff\n").split(b"data: ")[1])["data"] is None
    assert isinstance(Progress(job_id="j", tenant="t", stage="s"), Progress)


@given(st.binary(max_size=300))
def test_no_body_makes_reading_a_submission_fail_in_an_unplanned_way(body):
    from quire_contracts.intake import DocumentError

    with pytest.raises(DocumentError):
        read_submission(Enclosed(body), None, lambda: "id")


async def test_the_service_serves_while_it_runs_and_stops_cleanly(provisioned, probe):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = await probe("quire.cmd.>")
    settings = Settings(nats_url=provisioned.url, port=port, graceful_seconds=3.0)
    async with (
        hosted(main.SERVICE, settings),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        assert (await client.get("/readyz")).status_code == 200
        answer = await client.post("/v1/jobs", json={"kind": "sample", "program": "qubit q;"})
        assert answer.status_code == 202
        await log.wait(SubmitJob)
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(f"http://127.0.0.1:{port}/livez")
