"""The control plane on a real broker: every message twice, and the record and its messages as one."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
import pytest_asyncio
from control_plane_cases import answer, prepared

from quire_bus.envelope import Outgoing
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
from quire_contracts.load import LOAD_KEYS, LoadReport, TargetLoad
from quire_contracts.preparation import PrepareJob
from quire_contracts.record import JobRecord
from quire_contracts.registry import entry_of
from quire_contracts.task import RunTask
from quire_contracts.topology import consumer_of
from quire_control_plane.__main__ import SERVICE
from quire_testing import eventually

if TYPE_CHECKING:
    from quire_bus.bus import Bus
    from quire_contracts.value import Value


@pytest_asyncio.fixture
async def house(serve):
    """The control plane's handlers on the test's broker."""
    return await serve(SERVICE)


async def tell(bus: Bus, message: Value, *, times: int = 2) -> None:
    """Say a message several times, each under an id of its own."""
    for attempt in range(times):
        await bus.publisher.publish(Outgoing(message, attempt=attempt))


async def record_of(bus: Bus, job_id: str = "job-1") -> JobRecord:
    stored = await bus.records("job", JobRecord).get("acme", job_id)
    assert stored is not None
    return stored.value


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


RELIEVING = """
[[rule]]
name = "all"
targets = ["simulation", "qiskit:aer"]
[[relief]]
name = "elsewhere"
when = { min_wait_seconds = 10, kind = "sample", priority = "production" }
do = "switch"
[[relief]]
name = "coarser"
when = { min_wait_seconds = 10, priority = "validation" }
do = "fewer-shots"
[[relief]]
name = "later"
when = { min_wait_seconds = 10, priority = "research" }
do = "delay"
seconds = 0.5
"""


@pytest.mark.parametrize(
    ("priority", "target", "shots", "delay", "relief", "words"),
    [
        ("production", "qiskit:aer", 100, 0.0, "elsewhere", "qiskit:aer instead of simulation"),
        ("validation", "simulation", 40, 0.0, "coarser", "40 shots instead of 100"),
        ("research", "simulation", 100, 0.5, "later", "held back for 0.5 s"),
        ("customer-facing", "simulation", 100, 0.0, None, "matches everything"),
    ],
)
async def test_a_reported_overload_changes_what_is_sent_and_the_record_says_why(
    serve, probe, tmp_path, priority: str, target: str, shots: int, delay: float, relief: str | None, words: str
) -> None:
    (tmp_path / "rules.toml").write_text(RELIEVING)
    house = await serve(SERVICE, rules_file=tmp_path / "rules.toml")
    heard = asyncio.Event()
    async with house.overhear("$KV.backends.>", lambda *_: heard.set()):  # subscribed after the service: heard after it
        busy = TargetLoad(
            target="simulation", waiting=77, in_flight=1, wait_seconds=12.0, batch_seconds=0.1, error_rate=0.0
        )
        report = LoadReport(instance="a", at=datetime.now(UTC), targets=(busy,))
        await house.bucket("backends", LoadReport).put(f"{LOAD_KEYS}a", report)
        await heard.wait()
    seen = await probe("quire.>")
    document = {"kind": "sample", "program": "OPENQASM 3.0;", "shots": 100, "min_shots": 40, "priority": priority}
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=json.dumps(document).encode()), times=1)
    await seen.wait(PrepareJob)
    await tell(house, prepared(await record_of(house)))
    (sent,) = await seen.wait(RunTask)
    assert (sent.task.target, sent.task.shots) == (target, shots)
    (decision,) = (await record_of(house)).decisions
    assert (decision.target, decision.shots, decision.delay_seconds) == (target, None if shots == 100 else shots, delay)
    assert decision.rules == (("all", relief) if relief else ("all",))
    assert words in decision.reasons[-1]
    if relief:
        assert "simulation has 77 tasks waiting, 12.0 s to wait" in decision.reasons[-1]
