"""The control plane on a real broker: every message twice, and the record and its messages as one."""

from __future__ import annotations

import msgspec
from control_plane_cases import answer, prepared
from control_plane_house import record_of, tell

from quire_contracts.job import (
    BLOB_REF_MEDIA_TYPE,
    CancelJob,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobRejected,
    SubmissionRefused,
    SubmitJob,
)
from quire_contracts.preparation import PrepareJob
from quire_contracts.record import JobRecord
from quire_contracts.registry import entry_of
from quire_contracts.task import RunTask
from quire_contracts.topology import consumer_of
from quire_control_plane.tasks import numbers
from quire_testing import eventually


async def test_a_loop_from_submission_to_completion_with_everything_said_twice(house, probe, optimize_body) -> None:
    seen = await probe("quire.>")
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=optimize_body))
    await seen.wait(PrepareJob)
    await tell(house, prepared(await record_of(house)))
    for tasks in range(1, 7):
        task = (await seen.wait(RunTask, tasks))[-1].task
        await tell(house, answer(task, [-1.0 - 0.1 * row for row in range(task.parameters.rows)], best=3.0))
    (completed,) = await seen.wait(JobCompleted)
    assert completed.result.best.value == 3.0
    assert len(completed.result.history) == 4

    async def quiet() -> bool:
        return (await record_of(house)).is_over

    await eventually(quiet)
    assert len(seen.of(RunTask)) == 6
    assert len(seen.of(PrepareJob)) == 1
    assert [one.repeated for one in seen.of(JobAccepted)] == [False, True]
    assert len({task.task.task_id for task in seen.of(RunTask)}) == 6


async def test_a_minimiser_that_is_replayed_goes_through_the_service_like_any_other(
    house, probe, optimize_body
) -> None:
    seen = await probe("quire.>")
    optimizer = b'{"name": "scipy", "method": "nelder-mead", "rounds": 5}'
    body = optimize_body.replace(b'{"name": "spsa", "rounds": 4}', optimizer)
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=body))
    await seen.wait(PrepareJob)
    await tell(house, prepared(await record_of(house), start_points=1))
    asked = []
    for tasks in range(1, 7):
        task = (await seen.wait(RunTask, tasks))[-1].task
        asked += numbers(task.parameters)
        await tell(house, answer(task, [sum(point) for point in numbers(task.parameters)], best=3.0))
    (completed,) = await seen.wait(JobCompleted)
    assert len(completed.result.history) == 5
    assert len(set(asked[:-1])) == 5, "no round evaluates what another one has"
    assert len({task.task.task_id for task in seen.of(RunTask)}) == 6


async def test_a_bad_document_is_rejected_on_the_submissions_subject(house, probe) -> None:
    seen = await probe("quire.evt.acme.*.*.*.job-9")
    await tell(house, SubmitJob(job_id="job-9", tenant="acme", body=b'{"kind": "sample"}'), times=1)
    (rejected,) = await seen.wait(JobRejected)
    assert rejected.problems[0].pointer == "/program"
    assert await house.records("job", JobRecord).get("acme", "job-9") is None


async def test_a_submission_that_comes_again_under_its_own_id_is_answered_once(house, probe, sample_body) -> None:
    seen = await probe("quire.evt.acme.*.*.*.>")
    envelope = {"ce-specversion": "1.0", "ce-source": "/upstream", "ce-type": entry_of(SubmitJob).type}
    for key, body in (("job-9", b'{"kind": "sample"}'), ("job-1", sample_body)) * 2:  # no Nats-Msg-Id: stored again
        subject = entry_of(SubmitJob).subject_for("acme", key)
        await house.connection.client.publish(subject, body, headers=envelope | {"ce-id": f"order {key}"})

    async def settled() -> bool:
        durable = consumer_of("control-plane", SubmitJob).durable
        info = await house.connection.client.jetstream().consumer_info("QUIRE", durable)
        return info.delivered.consumer_seq >= 4 and not info.num_pending and not info.num_ack_pending

    await eventually(settled)
    (rejected,) = await seen.wait(JobRejected)
    assert rejected.job_id == "job-9"
    assert [one.job_id for one in seen.of(JobAccepted)] == ["job-1"]


async def test_other_content_is_refused_and_the_job_untouched(house, probe, sample_body) -> None:
    seen = await probe("quire.evt.>")
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=sample_body), times=1)
    await seen.wait(JobAccepted)
    before = await record_of(house)
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=sample_body.replace(b"100", b"200")), times=1)
    (refused,) = await seen.wait(SubmissionRefused)
    assert refused.code == "idempotency-conflict"
    assert await record_of(house) == before


async def test_a_large_document_comes_by_reference(house, probe) -> None:
    seen = await probe("quire.evt.>")
    rows = b", ".join([b"[" + b", ".join([b"0.25"] * 1_000) + b"]"] * 50)
    body = b'{"kind": "sample", "program": "' + b"x" * 200_000 + b'", "parameters": [' + rows + b"]}"
    ref = await house.blobs.put(body, "application/json")
    command = SubmitJob(job_id="job-1", tenant="acme", body=msgspec.json.encode(ref), media_type=BLOB_REF_MEDIA_TYPE)
    await tell(house, command)
    await seen.wait(JobAccepted)
    assert (await record_of(house)).document.size > 256 * 1024


async def test_a_cancelled_job_stays_cancelled(house, probe, sample_body) -> None:
    seen = await probe("quire.>")
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=sample_body))
    await seen.wait(PrepareJob)
    await tell(house, CancelJob(job_id="job-1", tenant="acme", reason="enough"))
    await seen.wait(JobCancelled)
    await tell(house, prepared(await record_of(house)))
    await tell(house, SubmitJob(job_id="job-2", tenant="acme", body=sample_body), times=1)
    await seen.wait(PrepareJob, 2)
    record = await record_of(house)
    assert (record.state, record.reason) == ("cancelled", "enough")
    assert not seen.of(RunTask)


async def test_a_deadline_ends_the_job_by_the_brokers_clock(house, probe, sample_body) -> None:
    seen = await probe("quire.evt.>")
    body = sample_body.replace(b'"seed"', b'"deadline_seconds": 1, "seed"')
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=body), times=1)
    (failed,) = await seen.wait(JobFailed)
    assert failed.fault.code == "deadline-exceeded"


async def test_the_submission_starts_the_jobs_trace(house, probe, spans, sample_body) -> None:
    seen = await probe("quire.>")
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=sample_body), times=1)
    await seen.wait(PrepareJob)
    record = await record_of(house)
    assert record.trace_id
    (prepare,) = [one for one in seen.recorded if isinstance(one.message, PrepareJob)]
    assert prepare.headers["traceparent"].split("-")[1] == record.trace_id


async def test_a_loop_goes_on_in_the_next_control_plane_whichever_round_the_last_one_died_after(
    whole, make_bus, probe, optimize_body
) -> None:
    """Its random generator too: an evolution strategy that lives once and one that dies in every round end the same."""
    optimizer = b'{"name": "cma-es", "rounds": 4, "population": 4}'
    body = optimize_body.replace(b'{"name": "spsa", "rounds": 4}', optimizer)
    seen, talk = await probe("quire.>"), await make_bus()
    house, stop = await whole()
    found: dict[str, list[bytes]] = {"steady": [], "dying": []}
    sent = 0
    for jobs, (job_id, tasks) in enumerate(found.items(), 1):
        await tell(talk, SubmitJob(job_id=job_id, tenant="acme", body=body), times=1)
        await seen.wait(PrepareJob, jobs)
        await tell(talk, prepared(await record_of(talk, job_id), start_points=1))
        for _ in range(5):
            if job_id == "dying":
                await stop()
                house, stop = await whole()
            sent += 1
            task = (await seen.wait(RunTask, sent))[-1].task
            tasks.append(task.parameters.data.inline or b"")
            await tell(talk, answer(task, [sum(point) for point in numbers(task.parameters)], best=3.0))
    await seen.wait(JobCompleted, 2)
    assert found["steady"] == found["dying"]
    assert len(set(found["dying"])) == 5
    ended = [await record_of(house, job_id) for job_id in found]
    assert ended[0].checkpoint == ended[1].checkpoint
