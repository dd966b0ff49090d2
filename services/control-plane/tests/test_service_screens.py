"""Loops that choose between circuits or climb, on a real broker, with everything said twice, and gone on from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from control_plane_cases import answer
from control_plane_house import record_of, tell
from loop_cases import body, circuit, energies, said

from quire_contracts.job import JobCompleted, SubmitJob
from quire_contracts.preparation import PrepareJob
from quire_contracts.result import OptimizeResult
from quire_contracts.task import RunTask
from quire_testing import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_bus.bus import Bus
    from quire_contracts.preparation import LoopCircuit
    from quire_testing.probe import Probe

ROUNDS = 4
CHOICE = json.loads(body({"candidates": [{"layers": 1}, {"layers": 2}], "starts": 2}, {"rounds": ROUNDS}))
CLIMB = json.loads(body({"layers": 2, "initialisation": "interpolated"}, {"rounds": ROUNDS}))


async def ended(
    house: Bus, seen: Probe, job_id: str, document: dict[str, Any], circuits: Sequence[LoopCircuit]
) -> OptimizeResult:
    """The answer of a job with these circuits, its tasks answered by their angles."""
    before = len(seen.of(PrepareJob))
    await tell(house, SubmitJob(job_id=job_id, tenant="acme", body=json.dumps(document).encode()))
    await seen.wait(PrepareJob, before + 1)
    climbs = "initialisation" in document["algorithm"]
    starts = document["algorithm"].get("starts", 1)
    await tell(house, said(await record_of(house, job_id), circuits, climbs=climbs, starts=starts))
    told: set[str] = set()

    async def over() -> JobCompleted | None:
        for sent in seen.of(RunTask):
            if sent.task.job_id == job_id and sent.task.task_id not in told:
                told.add(sent.task.task_id)
                await tell(house, answer(sent.task, energies(sent.task), best=2.0))
        return next((done for done in seen.of(JobCompleted) if done.job_id == job_id), None)

    completed: JobCompleted = await eventually(over, within=20)
    assert isinstance(completed.result, OptimizeResult)
    return completed.result


async def test_a_choice_is_made_once_and_rounds_of_it_are_gone_on_from(house: Bus, probe) -> None:
    seen, rivals = await probe("quire.>"), [circuit(1), circuit(2)]
    first = await ended(house, seen, "job-1", CHOICE, rivals)
    sent = [each.task for each in seen.of(RunTask) if each.task.job_id == "job-1"]
    assert [task.phase for task in sent] == ["sweep", "sweep", *["round"] * ROUNDS, "final"]
    assert [each.chosen for each in first.screened] == [False, True]
    for after in range(ROUNDS):
        again = await ended(house, seen, f"again-{after}", CHOICE | {"from": {"job": "job-1", "round": after}}, rivals)
        assert (again.history, again.parameters, again.screened) == (first.history, first.parameters, first.screened)


async def test_a_climb_is_gone_on_from_at_the_step_it_was_at(house: Bus, probe) -> None:
    seen, steps = await probe("quire.>"), [circuit(1), circuit(2, starts=1)]
    first = await ended(house, seen, "job-1", CLIMB, steps)
    assert [each.layers for each in first.history] == [1, 2, 2, 2]
    for after in range(ROUNDS):
        again = await ended(house, seen, f"again-{after}", CLIMB | {"from": {"job": "job-1", "round": after}}, steps)
        assert (again.history, again.parameters) == (first.history, first.parameters)
