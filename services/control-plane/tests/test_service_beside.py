"""A baseline that comes while its job runs, on a real broker with everything said twice: in any order, one end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from control_plane_cases import answer, prepared
from control_plane_house import record_of, tell

from quire_contracts.job import JobCompleted, JobRejected, SubmitJob
from quire_contracts.preparation import BaselineFailed, BaselineFound, PrepareJob
from quire_contracts.task import CancelTask, RunTask
from quire_contracts.value import Fault, Problem
from quire_testing import eventually

if TYPE_CHECKING:
    from quire_bus.bus import Bus
    from quire_contracts.record import JobRecord

BEFORE_THE_LAST = 5
"""Tasks of the loop before its last sampling: its start points, four rounds."""


async def begun(house: Bus, probe, body: bytes):
    """A job on its way to be prepared, what preprocessing will say of it, and what was said so far."""
    seen = await probe("quire.>")
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=body))
    await seen.wait(PrepareJob)
    said = prepared(await record_of(house))
    known = said.preparation.baseline
    assert known is not None
    preparation = msgspec.structs.replace(said.preparation, baseline=None)
    to_come = msgspec.structs.replace(said, preparation=preparation, baseline_to_come=True)
    return seen, to_come, BaselineFound("job-1", "acme", known, 0.5)


async def answered(house: Bus, seen, tasks: int) -> None:
    """Answer the newest of so many tasks."""
    task = (await seen.wait(RunTask, tasks))[-1].task
    await tell(house, answer(task, [-1.0 - 0.1 * row for row in range(task.parameters.rows)], best=3.0))


async def test_a_loop_waits_for_its_baseline_with_its_last_sampling_alone(house: Bus, probe, optimize_body) -> None:
    seen, to_come, found = await begun(house, probe, optimize_body)
    await tell(house, to_come)
    for tasks in range(1, BEFORE_THE_LAST + 1):
        await answered(house, seen, tasks)

    async def waiting() -> JobRecord | None:
        record = await record_of(house)
        return record if record.awaiting is not None else None

    record = await eventually(waiting)
    assert (record.awaiting.then, record.pending) == ("sample", ())
    assert {task.task.phase for task in seen.of(RunTask)} == {"sweep", "round"}
    await tell(house, found)
    last = (await seen.wait(RunTask, BEFORE_THE_LAST + 1))[-1].task
    assert (last.phase, last.scoring.reference) == ("final", 3.0)
    await answered(house, seen, BEFORE_THE_LAST + 1)
    (completed,) = await seen.wait(JobCompleted)
    assert (completed.result.baseline, completed.result.baseline_seconds) == (found.baseline, 0.5)
    await tell(house, found)
    assert len(seen.of(RunTask)) == BEFORE_THE_LAST + 1


async def test_a_baseline_that_comes_before_its_job_is_prepared_is_kept(house: Bus, probe, optimize_body) -> None:
    seen, to_come, found = await begun(house, probe, optimize_body)
    await tell(house, found)

    async def kept() -> bool:
        return (await record_of(house)).baseline == found.baseline

    await eventually(kept)
    await tell(house, to_come)
    (first,) = await seen.wait(RunTask)
    assert first.task.scoring.reference == 3.0


async def test_what_is_infeasible_is_rejected_and_its_work_stopped(house: Bus, probe, optimize_body) -> None:
    seen, to_come, _ = await begun(house, probe, optimize_body)
    await tell(house, to_come)
    (sent,) = await seen.wait(RunTask)
    refused = Fault("invalid", "problem-infeasible", "no assignment is feasible", "loosen the constraints", False)
    await tell(house, BaselineFailed("job-1", "acme", refused, (Problem(pointer="/problem", reason="too tight"),)))
    (rejected,) = await seen.wait(JobRejected)
    assert (rejected.code, rejected.next_step) == ("problem-infeasible", "loosen the constraints")
    (stopped,) = await seen.wait(CancelTask)
    assert (stopped.task_id, stopped.late) == (sent.task.task_id, "stop")
    assert (await record_of(house)).state == "rejected"
