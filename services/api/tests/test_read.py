from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from api_house import BELL, NOW

from quire_contracts.batch import BatchStarted
from quire_contracts.job import CancelJob, JobCompleted, JobRejected, SubmitJob
from quire_contracts.preparation import Baseline
from quire_contracts.query import FindJobs, JobList, JobSummary
from quire_contracts.record import Checkpoint
from quire_contracts.registry import entry_of
from quire_contracts.result import Best, OptimizeResult, Quality, Round, SampleResult, encode_result
from quire_contracts.value import CountsTable, Fault
from quire_quantum.counts import pack
from quire_resilience.errors import Transient
from quire_testing import eventually

FAULT = Fault(kind="offline", code="device-offline", reason="the device is away", next_step="wait", retryable=True)
ROUND = Round(round=1, objective=5.0, best=6.0, std_error=0.1, target="simulation")
COUNTS = ({"00": 3, "11": 997}, {"01": 1, "10": 999})


async def table(bus, counts=COUNTS, *, bits=2):
    blob = pack(counts, bits=bits).to_bytes()
    return CountsTable(
        rows=len(counts), groups=1, bits=bits, data=await bus.blobs.put(blob, "application/vnd.quire.counts")
    )


async def shown(house, job_id="j1", tenant="acme", **parameters):
    answer = await house.client.get(f"/v1/jobs/{job_id}", params={"tenant": tenant, **parameters})
    return answer.json() if answer.status_code == 200 else answer


async def test_a_job_is_shown_in_words(house):
    await house.take("j1", {**BELL, "name": "bell"}, trace_id="cd" * 16, seeded=True)
    job = await shown(house)
    assert (job["job_id"], job["tenant"], job["state"], job["kind"], job["name"]) == (
        "j1",
        "acme",
        "queued",
        "sample",
        "bell",
    )
    assert (job["seed"], job["trace_id"], job["degraded"], job["result"]) == (7, "cd" * 16, False, None)
    assert job["history"] == [{"state": "queued", "at": "2026-03-01T12:00:00Z", "cause": "test", "note": ""}]
    assert job["links"] == {"self": "/v1/jobs/j1?tenant=acme", "events": "/v1/jobs/j1/events?tenant=acme"}
    assert not job.keys() & {"document", "pending", "applied", "checkpoint"}


async def test_the_tenant_is_default_unless_named(house):
    await house.take("j1", {**BELL, "tenant": "default"})
    assert (await house.client.get("/v1/jobs/j1")).json()["links"]["self"] == "/v1/jobs/j1"
    assert (await house.client.get("/v1/jobs/j1?tenant=acme")).status_code == 404


async def test_an_unknown_job_is_not_found(house):
    answer = await shown(house, "nobody")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["instance"] == "/v1/jobs/nobody"


async def test_a_submission_that_nobody_took_yet_is_queued(house):
    await house.say(SubmitJob(job_id="j2", tenant="acme", body=b"{}"))
    job = await shown(house, "j2")
    assert (job["state"], job["accepted_at"]) == ("queued", None)
    assert "not taken" in job["reason"]


async def test_a_submission_refused_at_the_door_is_rejected_with_its_problems(house):
    refusal = (await house.client.post("/v1/jobs", json={**BELL, "shots": 0})).json()
    job = await shown(house, refusal["job_id"])
    assert (job["state"], job["problems"][0]["pointer"], job["next_step"]) == (
        "rejected",
        "/shots",
        refusal["next_step"],
    )


async def test_a_failed_job_names_the_next_step(house):
    await house.take("j1", state="failed", fault=FAULT)
    job = await shown(house)
    assert (job["state"], job["reason"], job["next_step"]) == ("failed", "the device is away", "wait")
    assert job["ended_at"] == "2026-03-01T12:00:00Z"


async def test_packed_counts_are_written_out(house):
    await house.take("j1", state="completed", result=SampleResult(table=await table(house.bus)))
    job = await shown(house)
    assert job["result"] == {"kind": "sample", "counts": [*COUNTS], "table": None}
    assert (await house.client.get(job["links"]["result"])).json() == job["result"]


async def test_packed_counts_stay_packed_for_who_asks(house):
    packed = await table(house.bus)
    await house.take("j1", state="completed", result=SampleResult(table=packed))
    job = await shown(house, counts="packed")
    assert job["result"]["counts"] is None
    assert msgspec.convert(job["result"]["table"], CountsTable) == packed  # so few travel along
    accept = {"Accept": "application/vnd.quire.counts, application/json"}
    answer = await house.client.get(job["links"]["result"], headers=accept)
    assert (answer.headers["Content-Type"], answer.headers["Vary"]) == ("application/vnd.quire.counts", "Accept")
    assert answer.content == packed.data.inline
    assert (await shown(house, counts="folded")).status_code == 400


async def test_who_accepts_packed_counts_gets_any_other_answer_as_json(house):
    await house.take("j1", state="completed", result=SampleResult(counts=COUNTS))
    accept = {"Accept": "application/vnd.quire.counts, application/json"}
    answer = await house.client.get("/v1/jobs/j1/result?tenant=acme", headers=accept)
    assert answer.json()["counts"] == [*COUNTS]


async def test_a_result_that_stands_elsewhere_is_shown_in_its_place(house):
    stored = encode_result(SampleResult(counts=COUNTS))
    ref = await house.bus.blobs.put(stored + b" " * 20_000, "application/json")
    await house.take("j1", state="completed", result_ref=ref)
    assert (await shown(house))["result"]["counts"] == [*COUNTS]


async def test_what_is_too_large_to_be_shown_is_fetched_as_it_is_stored(house):
    house.door.settings = house.door.settings.model_copy(update={"embed_bytes": 10})
    packed = await table(house.bus)
    await house.take("j1", state="completed", result=SampleResult(table=packed))
    job = await shown(house)
    assert job["result"]["counts"] is None
    assert job["result"]["table"]["data"]["inline"] is None
    answer = await house.client.get(job["links"]["result"])
    assert (answer.headers["Content-Type"], answer.content) == ("application/vnd.quire.counts", packed.data.inline)
    ref = await house.bus.blobs.put(encode_result(SampleResult(counts=COUNTS)), "application/json")
    await house.take("j2", state="completed", result_ref=ref)
    assert (await shown(house, "j2"))["result"] is None
    assert (await house.client.get("/v1/jobs/j2/result?tenant=acme")).json()["counts"] == [*COUNTS]


async def test_a_job_whose_content_is_gone_can_still_be_read(house):
    ref = msgspec.structs.replace(await house.bus.blobs.put(b"x", "application/json"), inline=None, sha256="0" * 64)
    await house.take("j1", state="completed", result_ref=ref)
    assert (await shown(house))["state"] == "completed"
    answer = await house.client.get("/v1/jobs/j1/result?tenant=acme")
    assert (answer.status_code, answer.json()["code"]) == (410, "blob-missing")


async def test_a_job_without_an_answer_has_no_result_yet(house):
    await house.take("j1")
    assert (await house.client.get("/v1/jobs/j1/result?tenant=acme")).status_code == 404


async def test_an_optimisation_shows_its_best_its_quality_and_its_rounds(house):
    best = Best(value=7.0, assignment=(0, 1, 1))
    baseline = Baseline(method="exact", value=7.0, assignment=(0, 1, 1), exact=True)
    result = OptimizeResult(best=best, history=(ROUND,), baseline=baseline, quality=Quality(optimal=True))
    await house.take("j1", state="completed", result=result)
    job = await shown(house)
    assert (job["best"]["assignment"], job["quality"]["optimal"], job["rounds"][0]["objective"]) == (
        [0, 1, 1],
        True,
        5.0,
    )


async def test_a_loop_shows_its_rounds_while_it_runs(house):
    checkpoint = Checkpoint(
        phase="round", round=1, rounds=20, optimizer={}, best_parameters=(), best_objective=6.0, history=(ROUND,)
    )
    await house.take("j1", state="running", checkpoint=checkpoint, best=Best(value=6.0, assignment=(1, 0)))
    job = await shown(house)
    assert (len(job["rounds"]), job["rounds_planned"], job["best"]["value"]) == (1, 20, 6.0)


async def test_a_wait_ends_with_the_job(house):
    record = await house.take("j1")
    waiting = asyncio.create_task(shown(house, wait=10))
    await eventually(lambda: house.door.waiting == 1)
    begun = time.monotonic()
    await house.complete(record)
    job = await waiting
    assert (job["state"], job["result"]["counts"]) == ("completed", [{"00": 60, "11": 40}])
    assert time.monotonic() - begun < 5
    assert house.door.waiting == 0


async def test_an_end_that_was_not_heard_is_found_on_the_record(house):
    record = await house.take("j1")
    waiting = asyncio.create_task(shown(house, wait=10))
    await eventually(lambda: house.door.waiting == 1)
    await house.keep(msgspec.structs.replace(record, state="failed", fault=FAULT))
    assert (await waiting)["state"] == "failed"


async def test_an_end_that_is_heard_before_the_log_has_it_is_waited_for(house):
    record = await house.take("j1")
    waiting = asyncio.create_task(shown(house, wait=10))
    await eventually(lambda: house.door.waiting == 1)
    said = JobCompleted(job_id="j1", tenant="acme", kind="sample")
    await house.bus.connection.client.publish(entry_of(said).subject_for("acme", "j1"), b"{}")
    await house.complete(record)
    assert (await waiting)["state"] == "completed"


async def test_a_wait_ends_when_the_door_closes(house):
    await house.take("j1")
    waiting = asyncio.create_task(shown(house, wait=10))
    await eventually(lambda: house.door.waiting == 1)
    house.door.stopping.set()
    assert (await waiting)["state"] == "queued"
    assert house.door.waiting == 0


async def test_a_wait_gives_up_in_time(house):
    await house.take("j1")
    assert (await shown(house, wait=0.05))["state"] == "queued"
    assert (await shown(house, wait=-1)).status_code == 400


async def test_waits_and_streams_are_bounded(house):
    await house.take("j1")
    house.door.waiting = house.door.settings.streams
    answer = await shown(house, wait=5)
    assert (answer.status_code, answer.json()["code"]) == (503, "too-many-streams")
    house.door.waiting = 0


async def test_a_cancellation_is_stored(house, probe):
    log = await probe("quire.cmd.>")
    await house.take("j1", trace_id="ab" * 16)
    answer = await house.client.delete("/v1/jobs/j1?tenant=acme&reason=enough")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    (cancel,) = await log.wait(CancelJob)
    assert (cancel.job_id, cancel.tenant, cancel.reason) == ("j1", "acme", "enough")


async def test_a_cancellation_belongs_to_its_jobs_trace(house, spans):
    await house.take("j1", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")
    await house.client.delete("/v1/jobs/j1?tenant=acme")
    (server,) = spans.named("DELETE /v1/jobs/{job_id}")
    assert (f"{server.context.trace_id:032x}", f"{server.parent.span_id:016x}") == ("ab" * 16, "cd" * 8)


@pytest.mark.parametrize(("state", "status"), [("completed", 409), ("failed", 409), ("cancelled", 202)])
async def test_what_is_over_is_not_cancelled(house, state, status):
    await house.take("j1", state=state)
    assert (await house.client.delete("/v1/jobs/j1?tenant=acme")).status_code == status
    assert await house.bus.last(CancelJob, "acme", "j1") is None


async def test_an_unknown_job_cannot_be_cancelled(house):
    assert (await house.client.delete("/v1/jobs/j1")).status_code == 404


def summary(job_id):
    return JobSummary(
        job_id=job_id,
        tenant="acme",
        kind="sample",
        name="",
        project="default",
        priority="research",
        state="queued",
        degraded=False,
        reason="",
        accepted_at=NOW,
        ended_at=None,
        shots=0,
        cost_usd=0.0,
    )


async def answering(house, make_bus, reply):
    from quire_bus.router import Router

    router, bus = Router("ledger"), await make_bus("ledger")
    router.answer("jobs", FindJobs)(reply)
    bus.include(router)
    await bus.start()


async def test_jobs_are_listed_by_the_ledger_page_by_page(house, make_bus):
    asked = []

    async def reply(question):
        asked.append(question)
        return JobList(jobs=(summary("j1"), summary("j2")))

    await answering(house, make_bus, reply)
    page = (await house.client.get("/v1/jobs?tenant=acme&state=queued&limit=2")).json()
    assert [job["job_id"] for job in page["jobs"]] == ["j1", "j2"]
    await house.client.get(page["next"])
    assert asked == [
        FindJobs(tenant="acme", state="queued", limit=2),
        FindJobs(tenant="acme", state="queued", limit=2, before=NOW),
    ]


async def test_without_a_ledger_the_list_is_unavailable(house):
    answer = await house.client.get("/v1/jobs")
    assert (answer.status_code, answer.json()["code"]) == (503, "unanswered")


async def test_a_ledger_in_trouble_is_unavailable_too(house, make_bus):
    async def reply(question):
        raise Transient("the database is away", retry_after=7)

    await answering(house, make_bus, reply)
    answer = await house.client.get("/v1/jobs")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "state=asleep", "before=yesterday", "tenant=UPPER"])
async def test_wrong_parameters_are_named(house, query):
    answer = await house.client.get(f"/v1/jobs?{query}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["problems"][0]["pointer"] == f"/query/{query.split('=')[0]}"


async def test_events_of_a_batch_and_refusals_of_others_are_no_part_of_a_job(house):
    await house.say(BatchStarted(batch_id="j1", target="simulation", started_at=NOW, members=()))
    await house.say(JobRejected(job_id="j1", tenant="other", code="x", reason="x", next_step="x"))
    assert (await shown(house)).status_code == 404
