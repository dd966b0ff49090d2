"""Going on from an earlier job and asking what work is worth, on a real broker, with everything said twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from control_plane_cases import answer, prepared
from control_plane_house import record_of, tell

from quire_bus.router import Router
from quire_contracts.appraisal import Appraisal, AppraiseWork
from quire_contracts.job import JobCompleted, JobRejected, ReplayJob, SubmitJob
from quire_contracts.preparation import PrepareJob
from quire_contracts.task import RunTask
from quire_control_plane.tasks import numbers
from quire_testing import eventually

if TYPE_CHECKING:
    from quire_bus.bus import Bus
    from quire_contracts.result import OptimizeResult
    from quire_testing.probe import Probe

ROUNDS = 4


async def start(house: Bus, seen: Probe, job_id: str, document: dict[str, Any]) -> None:
    """Submit a job and prepare it."""
    before = len(seen.of(PrepareJob))
    await tell(house, SubmitJob(job_id=job_id, tenant="acme", body=json.dumps(document).encode()))
    await seen.wait(PrepareJob, before + 1)
    await tell(house, prepared(await record_of(house, job_id), start_points=1))


async def run(house: Bus, seen: Probe, job_id: str) -> OptimizeResult:
    """Answer a job's tasks by their angles until it ends."""
    told: set[str] = set()

    async def ended() -> JobCompleted | None:
        for said in seen.of(RunTask):
            if said.task.job_id == job_id and said.task.task_id not in told:
                told.add(said.task.task_id)
                points = numbers(said.task.parameters)
                best = 1.0 + 0.1 * said.task.round
                await tell(house, answer(said.task, [sum(x * x for x in point) - 2.0 for point in points], best=best))
        return next((done for done in seen.of(JobCompleted) if done.job_id == job_id), None)

    return (await eventually(ended, within=20)).result


def found(result: OptimizeResult) -> OptimizeResult:
    """Without what counts the runs that a job had of its own."""
    return msgspec.structs.replace(result, verdict=None)


async def test_a_rerun_and_its_replay_end_as_the_first_job_did(house: Bus, probe, optimize_body: bytes) -> None:
    seen, document = await probe("quire.>"), json.loads(optimize_body)
    await start(house, seen, "job-1", document)
    first = await run(house, seen, "job-1")
    assert len(first.history) == ROUNDS
    for after in range(ROUNDS + 1):
        job_id = f"again-{after}"
        await start(house, seen, job_id, document | {"from": {"job": "job-1", "round": after}})
        assert found(await run(house, seen, job_id)) == found(first)
        assert len([said for said in seen.of(RunTask) if said.task.job_id == job_id]) == ROUNDS - after + 1
        taken = (await record_of(house, job_id)).continues
        assert taken is not None
        assert (taken.job, taken.round, taken.resumes) == ("job-1", after, True)
    before = len(seen.of(PrepareJob))
    await tell(house, ReplayJob(job_id="replayed", tenant="acme", replay_of="again-2"))
    await seen.wait(PrepareJob, before + 1)
    await tell(house, prepared(await record_of(house, "replayed"), start_points=1))
    assert found(await run(house, seen, "replayed")) == found(first)


async def test_what_is_not_there_is_rejected_under_the_submissions_id(house: Bus, probe, optimize_body: bytes) -> None:
    seen, document = await probe("quire.>"), json.loads(optimize_body)
    await start(house, seen, "job-1", document)
    cases = {"early": {"job": "job-1"}, "far": {"job": "job-1", "round": 3}, "none": {"job": "job-9"}}
    for job_id, asked in cases.items():
        body = json.dumps(document | {"from": asked}).encode()
        await tell(house, SubmitJob(job_id=job_id, tenant="acme", body=body), times=1)
    refused = {said.job_id: said for said in await seen.wait(JobRejected, 3)}
    assert "has not ended" in refused["early"].problems[0].reason
    assert refused["far"].problems[0].reason == "job job-1 has done 0 rounds so far"
    assert refused["none"].problems[0].reason == "tenant acme has no job job-9"
    assert {said.problems[0].pointer for said in refused.values()} == {"/from/job", "/from/round"}


async def test_a_gateway_is_asked_for_each_job_at_a_device_and_never_again_for_a_simulator(
    house: Bus, make_bus, probe, sample_body: bytes
) -> None:
    asked: list[AppraiseWork] = []
    gateway = Router("quantum-gateway")

    @gateway.answer("appraise", AppraiseWork)
    async def on_appraise(question: AppraiseWork) -> Appraisal:
        asked.append(question)
        device = question.target == "aws:garnet"
        return Appraisal(
            target=question.target, parameter_sets=question.parameter_sets, device=device, paid=device, usd=1.5
        )

    other = await make_bus("quantum-gateway")
    other.include(gateway)
    await other.start()
    seen = await probe("quire.>")
    told: list[set[str]] = []
    for number, target in enumerate(["qiskit:aer", "qiskit:aer", "aws:garnet", "aws:garnet"], 1):
        before = len(asked)
        await start(house, seen, f"job-{number}", json.loads(sample_body) | {"targets": [target]})
        await seen.wait(RunTask, number)
        told.append({each.target for each in asked[before:]})
    assert told == [{"qiskit:aer"}, set(), {"aws:garnet"}, {"aws:garnet"}]
    assert (await record_of(house, "job-2")).appraisals == ()
    (known,) = (await record_of(house, "job-4")).appraisals
    assert (known.target, known.usd, known.parameter_sets) == ("aws:garnet", 1.5, 2)
