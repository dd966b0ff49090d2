"""What a replica recalls of its records: bounded, never older than what it knows, and never trusted without proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from control_plane_cases import answer, prepared

from quire_bus.envelope import Outgoing
from quire_contracts.job import JobCompleted, SubmitJob
from quire_contracts.preparation import PrepareJob
from quire_contracts.record import JobRecord, evolve
from quire_contracts.task import RunTask
from quire_control_plane.__main__ import SERVICE
from quire_control_plane.recall import Recall

if TYPE_CHECKING:
    from quire_bus.bus import Bus


@pytest_asyncio.fixture
async def house(serve):
    """The control plane's handlers on the test's broker."""
    return await serve(SERVICE)


@pytest_asyncio.fixture
async def record(house, probe, sample_body) -> JobRecord:
    """The record of a job whose preparation is asked for."""
    seen = await probe("quire.>")
    await house.publisher.publish(Outgoing(SubmitJob(job_id="job-1", tenant="acme", body=sample_body)))
    await seen.wait(PrepareJob)
    return (await stored(house))[0]


async def stored(bus: Bus) -> tuple[JobRecord, int]:
    found = await bus.records("job", JobRecord).get("acme", "job-1")
    assert found is not None
    return found.value, found.revision


def test_what_is_taken_is_forgotten_until_it_is_written_again(record):
    recall = Recall()
    recall.keep(record, 3)
    assert recall.take("acme", "job-1").revision == 3
    assert recall.take("acme", "job-1") is None


def test_an_older_revision_does_not_replace_a_newer_one(record):
    recall = Recall()
    recall.keep(record, 5)
    recall.keep(evolve(record, name="older"), 4)
    assert recall.take("acme", "job-1").value is record


def test_a_job_that_is_over_is_forgotten_and_so_is_the_least_recently_written(record):
    recall = Recall(most=2)
    for place, job in enumerate(("a", "b", "c")):
        recall.keep(evolve(record, job_id=job), place)
    assert recall.take("acme", "a") is None
    recall.keep(evolve(record, job_id="b", state="completed"), 9)
    assert recall.take("acme", "b") is None
    assert recall.take("acme", "c").revision == 2


@pytest.mark.parametrize("written_by_another", ["before the preparation", "before the answer"])
async def test_what_another_replica_wrote_is_neither_lost_nor_in_the_way(house, probe, record, written_by_another):
    seen = await probe("quire.>")
    jobs = house.records("job", JobRecord)

    async def write_as_another() -> None:
        value, revision = await stored(house)
        await jobs.put(jobs.write("acme", "job-1", evolve(value, name="by another"), revision))

    if written_by_another == "before the preparation":
        await write_as_another()
    await house.publisher.publish(Outgoing(prepared(record)))
    (run,) = await seen.wait(RunTask)
    if written_by_another == "before the answer":
        await write_as_another()
    await house.publisher.publish(Outgoing(answer(run.task, [-1.0], best=1.0)))
    await seen.wait(JobCompleted)
    value, _ = await stored(house)
    assert (value.name, value.state) == ("by another", "completed")
    assert len(seen.of(RunTask)) == 1


async def test_a_message_that_says_nothing_to_what_is_recalled_is_decided_on_the_newest_record(
    house, probe, record, sample_body
):
    """Another replica sent the task whose answer comes here."""
    seen = await probe("quire.>")
    await house.publisher.publish(Outgoing(prepared(record)))
    (run,) = await seen.wait(RunTask)
    value, revision = await stored(house)
    other = evolve(value.pending[0], task=evolve(run.task, task_id="sent-by-another"))
    jobs = house.records("job", JobRecord)
    await jobs.put(jobs.write("acme", "job-1", evolve(value, pending=(other,)), revision))
    await house.publisher.publish(Outgoing(answer(other.task, [-1.0], best=1.0)))
    await seen.wait(JobCompleted)
