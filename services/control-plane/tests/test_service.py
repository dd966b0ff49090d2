"""The control plane on a real broker: every message twice, and the record and its messages as one."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
import pytest_asyncio
import structlog
from control_plane_cases import answer, failed, fault, prepared

from quire_bus.envelope import Outgoing
from quire_bus.router import Router
from quire_contracts.breaker import TargetState, target_key
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
from quire_contracts.query import FindJobs, JobList, JobSummary
from quire_contracts.record import JobRecord
from quire_contracts.registry import entry_of
from quire_contracts.task import ReviewTask, RunTask
from quire_contracts.topology import consumer_of
from quire_control_plane.__main__ import SERVICE
from quire_control_plane.settings import Settings
from quire_control_plane.tasks import numbers
from quire_resilience.clock import SystemClock
from quire_service import Deps
from quire_testing import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quire_bus.bus import Bus
    from quire_contracts.value import Value


@pytest_asyncio.fixture
async def house(serve):
    """The control plane's handlers on the test's broker."""
    return await serve(SERVICE)


@pytest_asyncio.fixture
async def whole(make_bus, spans):
    """A function that starts the control plane with its background tasks; it gives the bus, and what stops it."""
    async with AsyncExitStack() as stack:

        async def start() -> tuple[Bus, Callable[[], Awaitable[None]]]:
            bus, lifetime, stopping = await make_bus(SERVICE.name), AsyncExitStack(), asyncio.Event()
            deps = Deps(
                settings=Settings(),
                bus=bus,
                clock=SystemClock(),
                tracer=spans.tracer(SERVICE.name),
                log=structlog.get_logger(),
                instance=f"control-plane-{id(bus)}",
                lifetime=lifetime,
            )
            parts = await SERVICE.build(deps)
            for router in parts.routers:
                bus.include(router)
            await bus.start()
            running = [asyncio.create_task(each(stopping)) for each in parts.background.values()]

            async def stop() -> None:
                stopping.set()
                await asyncio.gather(*running)
                await bus.stop()
                await lifetime.aclose()

            stack.push_async_callback(stop)
            return bus, stop

        yield start


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


async def state(bus: Bus, target: str, how: str) -> None:
    """What a gateway says of a target, heard by everybody who subscribed before."""
    heard = asyncio.Event()
    async with bus.overhear("$KV.backends.>", lambda *_: heard.set()):
        said = TargetState(target=target, state=how, since=datetime.now(UTC), reason="in maintenance")  # type: ignore[arg-type]
        await bus.bucket("backends", TargetState).put(target_key(target), said)
        await heard.wait()


async def submit(bus: Bus, seen, job_id: str, priority: str, **more: object) -> None:
    """A job that may run at one target alone, prepared."""
    document = {"kind": "sample", "program": "OPENQASM 3.0;", "targets": ["qiskit:aer"], "priority": priority, **more}
    before = len(seen.of(PrepareJob))
    await tell(bus, SubmitJob(job_id=job_id, tenant="acme", body=json.dumps(document).encode()), times=1)
    await seen.wait(PrepareJob, before + 1)
    await tell(bus, prepared(await record_of(bus, job_id)))


async def test_jobs_wait_in_their_records_while_their_target_is_down_and_drain_by_class(whole, probe) -> None:
    house, _ = await whole()
    await state(house, "qiskit:aer", "down")
    seen = await probe("quire.cmd.>")
    for job_id, priority in (("j1", "research"), ("j2", "customer-facing"), ("j3", "production")):
        await submit(house, seen, job_id, priority, deadline_seconds=600)

    async def held() -> bool:
        jobs = [await record_of(house, job_id) for job_id in ("j1", "j2", "j3")]
        return all(job.pending and job.pending[0].held for job in jobs)

    await eventually(held)
    assert not seen.of(RunTask)
    await state(house, "qiskit:aer", "up")
    sent = await seen.wait(RunTask, 3)
    assert {one.task.attempt for one in sent} == {1}
    woken = [one.job_id for one in seen.of(ReviewTask) if one.due is None]
    assert woken == ["j2", "j3", "j1"]
    for one in sent:
        await tell(house, answer(one.task))

    async def done() -> bool:
        jobs = [await record_of(house, job_id) for job_id in ("j1", "j2", "j3")]
        return all(job.state == "completed" and not job.degraded for job in jobs)

    await eventually(done)


async def test_who_waited_when_the_control_plane_died_is_woken_by_the_next(whole, make_bus, probe) -> None:
    seen = await probe("quire.cmd.>")
    first, stop = await whole()
    await state(first, "qiskit:aer", "down")
    await submit(first, seen, "j1", "research")

    async def held() -> bool:
        record = await record_of(first, "j1")
        return bool(record.pending and record.pending[0].held)

    await eventually(held)
    await stop()
    await state(await make_bus(), "qiskit:aer", "up")
    await whole()
    (sent,) = await seen.wait(RunTask)
    assert sent.task.target == "qiskit:aer"


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


SETTLING = """
[[rule]]
name = "all"
targets = ["simulation"]
[[fallback]]
name = "at once"
settle_after_seconds = 0
"""


async def test_the_answer_of_an_equal_job_is_found_and_said_to_be_one(serve, make_bus, probe, tmp_path) -> None:
    (tmp_path / "rules.toml").write_text(SETTLING)
    house = await serve(SERVICE, rules_file=tmp_path / "rules.toml")
    seen = await probe("quire.>")
    await submit(house, seen, "j1", "research")
    (sent,) = await seen.wait(RunTask)
    await tell(house, answer(sent.task))
    (first,) = await seen.wait(JobCompleted)
    asked: list[FindJobs] = []
    ledger = Router("ledger")

    @ledger.answer("jobs", FindJobs)
    async def on_find_jobs(question: FindJobs) -> JobList:
        asked.append(question)
        done = await record_of(house, "j1")
        row = JobSummary(
            job_id="j1",
            tenant="acme",
            kind="sample",
            name="",
            project="default",
            priority="research",
            state="completed",
            degraded=False,
            reason="",
            accepted_at=done.accepted_at,
            ended_at=None,
            shots=0,
            cost_usd=0.0,
        )
        return JobList(jobs=(row,))

    books = await make_bus("ledger")
    books.include(ledger)
    await books.start()
    await submit(house, seen, "j2", "research")
    (_, again) = await seen.wait(RunTask, 2)
    await tell(house, failed(again.task, fault("spend", code="limit-reached")))
    (_, second) = await seen.wait(JobCompleted, 2)
    assert (second.job_id, second.degraded, second.result) == ("j2", True, first.result)
    assert "that of job j1" in second.reason
    assert asked[0].content_sha256 == (await record_of(house, "j2")).content_sha256
