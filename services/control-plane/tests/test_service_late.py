"""An answer that comes after its job has ended, on a real broker: kept once, said once, and no part of the job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from control_plane_cases import answer, prepared
from control_plane_house import record_of, tell

from quire_contracts.evidence import EVIDENCE, EvidenceKept, evidence_id
from quire_contracts.job import JobCompleted, SubmitJob
from quire_contracts.preparation import PrepareJob
from quire_contracts.result import Best
from quire_contracts.task import CancelTask, RunTask, TaskScored
from quire_contracts.topology import consumer_of
from quire_testing import eventually

if TYPE_CHECKING:
    from quire_bus.bus import Bus


async def test_a_deadline_ends_a_job_in_time_and_its_late_answer_is_kept_once(
    house: Bus, probe, optimize_body: bytes
) -> None:
    seen = await probe("quire.>")
    body = json.dumps({**json.loads(optimize_body), "deadline_seconds": 2}).encode()
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=body))
    await seen.wait(PrepareJob)
    await tell(house, prepared(await record_of(house)))
    task = (await seen.wait(RunTask))[-1].task
    (completed,) = await seen.wait(JobCompleted)
    ended = await record_of(house)
    assert (completed.degraded, completed.result.source) == (True, "classical")
    assert "its work has been at" in completed.reason
    assert ended.deadline_at is not None
    assert ended.updated_at < ended.deadline_at
    (word,) = await seen.wait(CancelTask)
    assert word.late == "unpaid"

    late = msgspec.structs.replace(answer(task, [1.0, 0.5, 2.0]), best=Best(value=4.0, assignment=(1, 0)))
    await tell(house, late)
    (kept,) = await seen.wait(EvidenceKept)
    stored = await house.records(EVIDENCE, EvidenceKept).get("acme", evidence_id(task.task_id, 1))
    assert stored is not None
    assert stored.value == kept
    assert kept.better is True
    await tell(house, late, times=3)
    await drained(house)
    assert len(seen.of(EvidenceKept)) == 1
    assert await record_of(house) == ended


async def drained(bus: Bus) -> None:
    """Return once every answer has been handled."""
    consumer = consumer_of("control-plane", TaskScored)
    context = bus.connection.client.jetstream()

    async def done() -> bool:
        info = await context.consumer_info(consumer.stream, consumer.durable)
        return info.num_pending == 0 and info.num_ack_pending == 0 and info.delivered.consumer_seq >= 3

    await eventually(done)
