"""Waiting for an answer: on HTTP and on the bus the best one there is in time, marked; and what came too late."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from api_house import BELL, NOW

from quire_api.answering import answering
from quire_bus.errors import QueryFailed
from quire_contracts.evidence import EVIDENCE, EvidenceKept, evidence_id
from quire_contracts.job import SubmitJob
from quire_contracts.preparation import Baseline, Estimate, Loop, Preparation
from quire_contracts.query import AwaitAnswer, BestAnswer
from quire_contracts.record import Left
from quire_contracts.result import Best, OptimizeResult, SampleResult
from quire_contracts.so_far import classical_answer
from quire_contracts.value import Fault, Matrix, inline_blob
from quire_resilience.errors import Transient
from quire_testing import eventually

BLOB = inline_blob(b"x", "text/plain")
PREPARED = Preparation(
    structure=BLOB,
    qubits=2,
    parameters=None,
    observables=None,
    shots=10,
    input_sha256="0" * 64,
    estimate=Estimate(qubits=2, depth=1, two_qubit_gates=1, parameter_sets=1, shots=10),
    loop=Loop(start_points=Matrix(1, 1, BLOB), scale=-1, unit="cut"),
    baseline=Baseline(method="exact", value=1.0, assignment=(0, 1), exact=True),
)
MAXCUT = {"kind": "optimize", "tenant": "acme", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}}
FAULT = Fault(kind="offline", code="device-offline", reason="the device is away", next_step="wait", retryable=True)


async def loop(house, job_id="j1", **changes):
    """A loop whose classical answer is there."""
    return await house.take(job_id, MAXCUT, **{"kind": "optimize", "preparation": PREPARED, **changes})


async def shown(house, job_id="j1", headers=None, **parameters):
    return await house.client.get(f"/v1/jobs/{job_id}", params={"tenant": "acme", **parameters}, headers=headers)


async def ended(house, record):
    """The job ends with its classical answer, degraded."""
    result = classical_answer(record)
    done = msgspec.structs.replace(record, state="completed", result=result, degraded=True, reason="too late")
    await house.keep(done)
    return done


async def test_the_classical_answer_is_there_while_the_job_runs_and_the_final_one_after_it(house):
    record = await loop(house)
    running = (await shown(house, wait="50ms")).json()
    assert running["state"] == "queued"
    assert running["result"] is None
    best = running["answer"]
    assert (best["standing"], best["source"], best["degraded"]) == ("provisional", "classical", False)
    assert best["result"]["best"]["value"] == 1.0
    waiting = asyncio.create_task(shown(house, wait="10s"))
    await eventually(lambda: house.door.waiting == 1)
    await ended(house, record)
    final = (await waiting).json()
    assert (final["answer"]["standing"], final["answer"]["degraded"]) == ("final", True)
    assert final["answer"]["reason"] == final["reason"] == "too late"
    assert final["result"]["source"] == "classical"
    assert final["answer"]["result"] is None, "it stands in the job's result, once"


async def test_a_better_sample_is_the_answer_so_far(house):
    await loop(house, best=Best(value=2.0, assignment=(1, 0)))
    best = (await shown(house)).json()["answer"]
    assert (best["source"], best["result"]["best"]["value"]) == ("quantum", 2.0)


@pytest.mark.parametrize("wait", ["-1", "nan", "inf", "1h", "two", "1e9", ""])
async def test_a_wait_that_is_none_is_refused_with_what_may_stand_there(house, wait):
    await loop(house)
    for answer in (await shown(house, wait=wait), await house.client.post(f"/v1/jobs?wait={wait}", json=BELL)):
        assert answer.status_code == 400
        (problem,) = answer.json()["problems"]
        assert (problem["pointer"], "500ms" in problem["hint"]) == ("/query/wait", True)


async def test_a_client_may_prefer_to_wait(house):
    await loop(house)
    preferred = await shown(house, headers={"Prefer": "respond-async, wait=0"})
    assert preferred.headers["Preference-Applied"] == "wait=0"
    assert "Preference-Applied" not in (await shown(house, headers={"Prefer": "wait=9"}, wait="0s")).headers
    ignored = await shown(house, headers={"Prefer": "wait=soon"})
    assert (ignored.status_code, "Preference-Applied" in ignored.headers) == (200, False)


async def test_a_longer_wait_than_is_allowed_is_cut(house, settings):
    house.door.settings = settings.model_copy(update={"wait_seconds": 0.05})
    await loop(house)
    assert (await shown(house, headers={"Prefer": "wait=60"})).headers["Preference-Applied"] == "wait=0.05"


async def test_a_submission_can_wait_for_its_answer(house, probe):
    log = await probe("quire.cmd.acme.job.submit.>")
    early = await house.client.post("/v1/jobs?wait=50ms", json={**BELL, "idempotency_key": "k"})
    assert (early.status_code, early.json()["answer"]["standing"]) == (202, "none")
    assert "has not taken it yet" in early.json()["answer"]["reason"]
    waiting = asyncio.create_task(house.client.post("/v1/jobs?wait=10s", json={**BELL, "idempotency_key": "k"}))
    await eventually(lambda: house.door.waiting == 1)
    (first, *_) = await log.wait(SubmitJob)
    counts = SampleResult(counts=({"00": 100},))
    await house.take(first.job_id, {**BELL, "idempotency_key": "k"}, state="completed", result=counts)
    answer = await waiting
    assert (answer.status_code, answer.json()["state"]) == (200, "completed")
    assert answer.json()["answer"]["result"]["counts"] == [{"00": 100}]
    assert answer.headers["Location"] == f"/v1/jobs/{first.job_id}?tenant=acme"


async def test_a_submission_that_would_wait_where_there_is_no_room_is_not_stored(house, probe):
    log = await probe("quire.cmd.>")
    house.door.waiting = house.door.settings.streams
    answer = await house.client.post("/v1/jobs?wait=5s", json=BELL)
    assert (answer.status_code, answer.json()["code"]) == (503, "too-many-streams")
    assert (await house.client.post("/v1/jobs", json=BELL)).status_code == 202
    assert len(await log.wait(SubmitJob)) == 1
    house.door.waiting = 0


@pytest.fixture
async def asked(house):
    """Ask on the bus, as a team's own program would."""
    house.door.bus.include(answering(house.door))
    await house.door.bus.start()

    async def ask(job_id="j1", seconds=0.0, tenant="acme"):
        question = AwaitAnswer(tenant=tenant, job_id=job_id, seconds=seconds)
        return await house.bus.ask("api", "answer", question, BestAnswer, seconds=seconds + 5)

    return ask


async def test_the_bus_gives_the_same_answers(house, asked):
    record = await loop(house)
    early = await asked(seconds=0.05)
    assert (early.standing, early.source, early.state) == ("provisional", "classical", "queued")
    assert isinstance(early.result, OptimizeResult)
    waiting = asyncio.create_task(asked(seconds=10))
    await eventually(lambda: house.door.waiting == 1)
    done = await ended(house, record)
    final = await waiting
    assert (final.standing, final.degraded, final.reason) == ("final", True, "too late")
    assert final.result == done.result
    assert house.door.waiting == 0


async def test_the_bus_says_what_cannot_be_answered(house, asked):
    with pytest.raises(QueryFailed) as caught:
        await asked("nobody")
    assert caught.value.code == "no-such-job"
    await house.take("j2", state="failed", fault=FAULT)
    failed = await asked("j2", seconds=5)
    assert (failed.standing, failed.reason) == ("none", "the device is away")
    await house.say(SubmitJob(job_id="j3", tenant="acme", body=json.dumps(BELL).encode()))
    assert (await asked("j3")).state == "queued"
    house.door.waiting = house.door.settings.streams
    await loop(house)
    with pytest.raises(Transient, match="too many waits"):
        await asked(seconds=5)
    assert (await asked()).standing == "provisional", "who does not wait is answered"
    house.door.waiting = 0


async def test_what_came_after_the_end_is_shown_beside_the_answer(house):
    left = Left(task_id="t1", attempt=2, target="ibm:manila", phase="round", round=1, since=NOW)
    record = await loop(house, left=(left,))
    await ended(house, record)
    assert (await shown(house)).json()["late"] == []
    kept = EvidenceKept(
        job_id="j1",
        tenant="acme",
        task_id="t1",
        attempt=2,
        phase="round",
        round=1,
        target="ibm:manila",
        ended_at=NOW,
        arrived_at=NOW,
        best=Best(value=2.0, assignment=(1, 0)),
        better=True,
        compared="better",
        cost_usd=0.5,
    )
    records = house.bus.records(EVIDENCE, EvidenceKept)
    await records.put(records.write("acme", evidence_id("t1", 2), kept, 0))
    job = (await shown(house)).json()
    (late,) = job["late"]
    assert (late["target"], late["best"]["value"], late["better"], late["cost_usd"]) == ("ibm:manila", 2.0, True, 0.5)
    assert job["result"]["best"]["value"] == 1.0
    assert job["cost_usd"] == 0.0
