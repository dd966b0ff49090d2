from __future__ import annotations

import asyncio
import base64
import json

import msgspec
import pytest
from api_house import BELL

from quire_contracts import limits
from quire_contracts.intake import content_sha256, job_id_for, parse_document
from quire_contracts.job import BLOB_REF_MEDIA_TYPE, JobRejected, SubmitJob
from quire_contracts.value import BlobRef
from quire_testing import eventually

EVENT_TYPE = {"Content-Type": "application/cloudevents+json"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(**changes):
    values = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/acme/solver",
        "type": "io.quire.job.submit.v1",
        "data": BELL,
    }
    return json.dumps({**values, **changes}).encode()


async def test_a_document_becomes_a_stored_submission_byte_for_byte(house, probe):
    log = await probe("quire.cmd.>")
    body = json.dumps(BELL, indent=3).encode()
    answer = await house.client.post(
        "/v1/jobs", content=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    assert answer.status_code == 202
    said = answer.json()
    assert (said["tenant"], said["state"]) == ("acme", "queued")
    assert answer.headers["Location"] == said["links"]["self"] == f"/v1/jobs/{said['job_id']}?tenant=acme"
    (submitted,) = await log.wait(SubmitJob)
    assert (submitted.job_id, submitted.tenant, submitted.body) == (said["job_id"], "acme", body)
    assert log.subjects == [f"quire.cmd.acme.job.submit.v1.{said['job_id']}"]


async def test_each_submission_without_a_key_is_a_job_of_its_own(house):
    first, second = [(await house.client.post("/v1/jobs", json=BELL)).json()["job_id"] for _ in range(2)]
    assert first != second


@pytest.mark.parametrize("header", ["order-7", '"order-7"'])
async def test_the_header_and_the_documents_field_name_the_same_job(house, probe, header):
    log = await probe("quire.cmd.>")
    by_header = await house.client.post("/v1/jobs", json=BELL, headers={"Idempotency-Key": header})
    by_field = await house.client.post("/v1/jobs", json={**BELL, "idempotency_key": "order-7"})
    assert by_header.json()["job_id"] == by_field.json()["job_id"] == job_id_for("acme", "order-7")
    contents = {content_sha256(parse_document(submitted.body)) for submitted in await log.wait(SubmitJob, 2)}
    assert len(contents) == 1


async def test_a_repetition_under_a_key_shows_the_job_that_exists_and_says_nothing_new(house, probe):
    document = {**BELL, "idempotency_key": "order-8"}
    job_id = job_id_for("acme", "order-8")
    await house.take(job_id, document, state="running", trace_id="ab" * 16)
    answer = await house.client.post("/v1/jobs", json=document)
    assert answer.status_code == 202
    assert answer.json() | {"links": None} == {
        "job_id": job_id,
        "tenant": "acme",
        "state": "running",
        "trace_id": "ab" * 16,
        "repeated": True,
        "links": None,
    }
    assert await house.bus.last(SubmitJob, "acme", job_id) is None


async def test_the_same_key_with_other_content_is_refused(house):
    job_id = job_id_for("acme", "order-9")
    await house.take(job_id, {**BELL, "idempotency_key": "order-9"})
    answer = await house.client.post("/v1/jobs", json={**BELL, "shots": 101}, headers={"Idempotency-Key": "order-9"})
    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["job_id"]) == ("key-reused", job_id)
    assert await house.bus.last(SubmitJob, "acme", job_id) is None


@pytest.mark.parametrize(
    ("changes", "headers", "pointer"),
    [
        ({"shots": 0}, {}, "/shots"),
        ({"shotz": 5}, {}, "/shotz"),
        ({"program": None}, {}, "/program"),
        ({"tenant": "shared"}, {}, "/tenant"),
        ({"idempotency_key": "a"}, {"Idempotency-Key": "b"}, "/idempotency_key"),
        ({}, {"Idempotency-Key": "two words"}, "/idempotency_key"),
    ],
)
async def test_a_wrong_document_is_refused_with_its_problems_and_an_event(house, probe, changes, headers, pointer):
    log = await probe("quire.>")
    answer = await house.client.post("/v1/jobs", json={**BELL, **changes}, headers=headers)
    said = answer.json()
    assert (answer.status_code, said["status"], said["code"]) == (422, 422, "invalid-document")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert said["type"] == "urn:quire:problem:invalid-document"
    assert said["problems"][0]["pointer"] == pointer
    assert said["problems"][0]["hint"]
    (rejected,) = await log.wait(JobRejected)
    assert rejected.job_id == said["job_id"]
    assert rejected.problems[0].pointer == pointer
    assert rejected.tenant == ("default" if changes.get("tenant") == "shared" else "acme")
    assert len(log.recorded) == 1


async def test_what_is_no_json_is_refused_in_the_name_of_nobody(house, probe):
    log = await probe("quire.evt.>")
    answer = await house.client.post("/v1/jobs", content=b"\xff{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    (rejected,) = await log.wait(JobRejected)
    assert rejected.tenant == "default"


async def test_a_refusal_under_a_key_is_not_said_of_the_keys_job(house):
    answer = await house.client.post("/v1/jobs", json={**BELL, "shots": 0}, headers={"Idempotency-Key": "k"})
    assert answer.json()["job_id"] != job_id_for("acme", "k")
    assert await house.bus.last(JobRejected, "acme", job_id_for("acme", "k")) is None


async def test_every_problem_is_named_at_once(house):
    document = {**BELL, "parameters": [[1.0], [1.0, 2.0], []], "targets": ["qiskit:aer", "qiskit:aer"]}
    problems = (await house.client.post("/v1/jobs", json=document)).json()["problems"]
    assert [problem["pointer"] for problem in problems] == ["/targets", "/parameters/1", "/parameters/2"]


@pytest.mark.parametrize(
    "nested", [b"[" * 60_000, b'{"a":' * 100_000, b'{"kind":"sample","program":' + b"[" * 500 + b"]" * 500]
)
async def test_a_deeply_nested_body_is_refused_quickly(house, nested):
    answer = await house.client.post("/v1/jobs", content=nested, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    event_answer = await house.client.post("/v1/jobs", content=nested, headers=EVENT_TYPE)
    assert event_answer.status_code == 422


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_above_the_limit_is_refused_whether_announced_or_not(served, announced):
    body = b"x" * (limits.DOCUMENT_BYTES + 1)

    async def dripping():
        for at in range(0, len(body), 65_536):
            yield body[at : at + 65_536]

    content = body if announced else dripping()
    answer = await served.client.post("/v1/jobs", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_media_type_is_refused_with_those_that_are_taken(house, media_type):
    answer = await house.client.post("/v1/jobs", content=b"{}", headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "media-type")
    assert answer.headers["Accept-Post"] == "application/json, application/cloudevents+json"


async def test_a_body_that_does_not_arrive_is_not_waited_for(served):
    port = served.client.base_url.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
    assert await asyncio.wait_for(reader.readline(), 5) == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.close()
    await writer.wait_closed()


async def test_a_large_document_travels_by_its_address(house, probe):
    log = await probe("quire.cmd.>")
    document = {**BELL, "parameters": [[0.123456789] * 100 for _ in range(300)]}
    answer = await house.client.post("/v1/jobs", json=document)
    assert answer.status_code == 202
    (submitted,) = await log.wait(SubmitJob)
    assert submitted.media_type == BLOB_REF_MEDIA_TYPE
    ref = msgspec.json.decode(submitted.body, type=BlobRef)
    assert json.loads(await house.bus.blobs.get(ref)) == document


async def test_a_structured_event_is_unwrapped_and_names_its_job_by_its_identity(house, probe):
    log = await probe("quire.cmd.>")
    first = await house.client.post("/v1/jobs", content=event(), headers=EVENT_TYPE)
    again = await house.client.post("/v1/jobs", content=event(), headers=EVENT_TYPE)
    other = await house.client.post("/v1/jobs", content=event(id="e-2"), headers=EVENT_TYPE)
    assert [answer.status_code for answer in (first, again, other)] == [202, 202, 202]
    assert first.json()["job_id"] == again.json()["job_id"] != other.json()["job_id"]
    submitted = await log.wait(SubmitJob, 2)
    assert [json.loads(each.body) for each in submitted] == [BELL, BELL]


async def test_an_events_data_may_be_in_base64(house):
    data = base64.b64encode(json.dumps(BELL).encode()).decode()
    answer = await house.client.post("/v1/jobs", content=event(data=None, data_base64=data), headers=EVENT_TYPE)
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"type": "io.quire.job.cancel.v1"}, "/type"),
        ({"specversion": "0.3"}, ""),
        ({"data_base64": "%%%"}, "/data_base64"),
        ({"data": {**BELL, "shots": 0}}, "/data/shots"),
    ],
)
async def test_a_wrong_event_is_refused_with_pointers_into_it(house, changes, pointer):
    answer = await house.client.post("/v1/jobs", content=event(**changes), headers=EVENT_TYPE)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["pointer"] == pointer


async def test_the_callers_trace_goes_on_in_the_jobs(house, probe, spans):
    log = await probe("quire.cmd.>")
    answer = await house.client.post("/v1/jobs", json=BELL, headers={"traceparent": TRACE})
    await log.wait(SubmitJob)
    assert answer.json()["trace_id"] == TRACE[3:35]
    (server,) = spans.named("POST /v1/jobs")
    assert f"{server.parent.span_id:016x}" == TRACE[36:52]
    (sent,) = spans.named("send job.submit")
    assert sent.parent.span_id == server.context.span_id
    assert log.recorded[0].meta.traceparent.split("-")[1:3] == [TRACE[3:35], f"{sent.context.span_id:016x}"]
    assert server.attributes["http.response.status_code"] == 202


async def test_without_a_caller_the_request_is_the_root_of_the_trace(house, spans):
    answer = await house.client.post("/v1/jobs", json=BELL, headers={"traceparent": "nonsense"})
    (server,) = spans.named("POST /v1/jobs")
    assert server.parent is None
    assert answer.json()["trace_id"] == f"{server.context.trace_id:032x}"


async def test_a_structured_event_brings_its_trace_along(house, spans):
    await house.client.post("/v1/jobs", content=event(traceparent=TRACE), headers=EVENT_TYPE)
    assert f"{spans.named('POST /v1/jobs')[0].context.trace_id:032x}" == TRACE[3:35]


async def test_while_the_broker_is_away_the_answer_is_come_again(house, nats_server):
    nats_server.kill()
    answer = await house.client.post("/v1/jobs", json=BELL)
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Idempotency-Key" in answer.json()["next_step"]
    nats_server.start()

    async def taken():
        return (await house.client.post("/v1/jobs", json=BELL)).status_code == 202

    await eventually(taken)
