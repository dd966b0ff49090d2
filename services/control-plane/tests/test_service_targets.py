"""Targets that are overloaded or away, as a control plane on a real broker meets them: what is sent, held and said."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from control_plane_cases import answer, failed, fault, prepared
from control_plane_house import record_of, tell

from quire_bus.router import Router
from quire_contracts.breaker import TargetState, target_key
from quire_contracts.job import JobCompleted, SubmitJob
from quire_contracts.load import LOAD_KEYS, LoadReport, TargetLoad
from quire_contracts.preparation import PrepareJob
from quire_contracts.query import FindJobs, JobList, JobSummary
from quire_contracts.task import ReviewTask, RunTask
from quire_control_plane.__main__ import SERVICE
from quire_testing import eventually

if TYPE_CHECKING:
    from quire_bus.bus import Bus


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
