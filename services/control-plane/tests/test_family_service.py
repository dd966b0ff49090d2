"""A parent and its children on a real broker: made, told of and ended in whole commits, with everything said twice."""

from __future__ import annotations

import json

from control_plane_cases import answer, prepared
from control_plane_house import record_of, tell

from quire_contracts.family import ChildEnded, ChildPlan, FamilyGathered, FamilyPlanned, GatherFamily
from quire_contracts.job import CancelJob, JobAccepted, JobCancelled, JobCompleted, SubmitJob
from quire_contracts.preparation import PrepareJob
from quire_contracts.result import SweepResult
from quire_contracts.task import RunTask
from quire_contracts.value import inline_blob
from quire_testing import eventually

CHILD = {"kind": "sample", "program": "OPENQASM 3.0;", "shots": 100}
SWEEP = {"kind": "sweep", "seed": 5, "base": CHILD, "variants": [{"label": "a"}, {"label": "b"}]}


def plan() -> FamilyPlanned:
    document = inline_blob(json.dumps(CHILD).encode(), "application/json")
    children = tuple(ChildPlan(name=f"variant-{k}", role="variant", document=document) for k in range(2))
    return FamilyPlanned(job_id="job-1", tenant="acme", children=children)


async def begun(house, probe):
    """A sweep whose two children are waiting to be prepared, and what was said so far."""
    seen = await probe("quire.>")
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=json.dumps(SWEEP).encode()))
    await seen.wait(PrepareJob)
    await tell(house, plan())
    await seen.wait(PrepareJob, 3)
    return seen


async def test_a_sweep_from_submission_to_completion_with_everything_said_twice(house, probe) -> None:
    seen = await begun(house, probe)
    for command in seen.of(PrepareJob)[1:]:
        await tell(house, prepared(await record_of(house, command.job_id)))
    for task in (await seen.wait(RunTask, 2))[:2]:
        await tell(house, answer(task.task))
    (gather,) = await seen.wait(GatherFamily)
    assert [child.state for child in gather.children] == ["completed", "completed"]
    for child in gather.children:
        assert b'"00"' in await house.blobs.get(child.result)
    await tell(house, FamilyGathered(job_id="job-1", tenant="acme", step=0, result=SweepResult(points=())))
    parents = [one for one in await seen.wait(JobCompleted, 3) if one.job_id == "job-1"]
    assert [one.shots for one in parents] == [400]
    assert len(seen.of(JobCompleted)) == 3
    assert len(seen.of(ChildEnded)) == 2
    assert len(seen.of(GatherFamily)) == 1
    assert sorted(one.parent or "" for one in seen.of(JobAccepted) if not one.repeated) == ["", "job-1", "job-1"]


async def test_a_cancelled_parents_children_are_cancelled_too(house, probe) -> None:
    seen = await begun(house, probe)
    await tell(house, CancelJob(job_id="job-1", tenant="acme", reason="enough"))
    ended = {one.job_id for one in await seen.wait(JobCancelled, 3)}
    children = (await record_of(house)).family.children
    assert ended == {"job-1", *(child.job_id for child in children)}
    assert {child.state for child in children} == {"cancelled"}

    async def all_over() -> bool:
        return all([(await record_of(house, child.job_id)).is_over for child in children])

    await eventually(all_over)
