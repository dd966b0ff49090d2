"""A job that runs again is the same job under another id: its document, seed, shots and place."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import msgspec
import pytest
import pytest_asyncio
from control_plane_cases import TRACEPARENT, admitted, answer, at, execution, prepared, run_task

from quire_bus.envelope import Outgoing
from quire_contracts.intake import encode_document, parse_document
from quire_contracts.job import JobAccepted, JobRejected, ReplayJob, SubmitJob
from quire_contracts.preparation import PrepareJob
from quire_contracts.record import Decision, JobRecord, evolve
from quire_contracts.task import RunTask
from quire_control_plane.__main__ import SERVICE
from quire_control_plane.decide import decide
from quire_control_plane.submission.replaying import replay
from quire_resilience.errors import Permanent
from quire_testing import eventually


def again(body, first=None, *, target=None, **changes):
    """The first job's record, the replay's, and what is said."""
    first = evolve(first or admitted(body).record, **changes)
    document = encode_document(parse_document(body))
    command = ReplayJob(job_id="job-2", tenant="acme", replay_of="job-1", target=target)
    change = replay(command, first, document, TRACEPARENT, at(100, "replay"))
    return SimpleNamespace(first=first, record=change.record, says=[say.message for say in change.says])


def test_a_replay_has_the_first_ones_seed_also_where_nobody_named_one(sample_body):
    unnamed = sample_body.replace(b', "seed": 5', b"")
    for body, seeded in ((sample_body, True), (unnamed, False)):
        found = again(body)
        assert (found.record.seed, found.record.seeded) == (found.first.seed, seeded)
        assert (found.record.content_sha256, found.record.document) == (
            found.first.content_sha256,
            found.first.document,
        )
        assert (found.record.replay.of, found.record.job_id, found.record.state) == ("job-1", "job-2", "queued")
        accepted, prepare = found.says
        assert (accepted.job_id, accepted.replay_of) == ("job-2", "job-1")
        assert (prepare.seed, prepare.document) == (found.first.seed, found.first.document)


def test_it_runs_where_the_first_one_ran_or_where_it_is_told_to(sample_body):
    task = run_task(decide(admitted(sample_body).record, prepared(admitted(sample_body).record), at(1)))
    ran = tuple(
        msgspec.structs.replace(execution(task), target=each) for each in ("aws:forte", "simulation", "aws:forte")
    )
    assert again(sample_body, executions=ran).record.targets == ("aws:forte", "simulation")
    assert again(sample_body, executions=ran, target="ibm:x").record.targets == ("ibm:x",)
    assert again(sample_body, targets=("qiskit:aer",)).record.targets == ("qiskit:aer",)


def test_it_has_as_long_as_the_first_one_had(sample_body):
    body = json.dumps({**json.loads(sample_body), "deadline_seconds": 60}).encode()
    found = again(body)
    assert found.record.deadline_at == found.first.deadline_at + timedelta(seconds=100)
    assert len(found.says) == 3


def test_its_task_is_run_in_any_case_with_the_shots_that_were_run(sample_body):
    lowered = Decision(at=at().now, task_id="t", target="x", fallbacks=(), rules=(), reasons=(), shots=40)
    for decisions, shots in (((), 100), ((lowered,), 40)):
        record = again(sample_body, decisions=decisions).record
        task = run_task(decide(record, prepared(record), at(101)))
        assert (task.fresh, task.shots) == (True, shots)
    first = admitted(sample_body).record
    assert run_task(decide(first, prepared(first), at(1))).fresh is False


def test_a_document_that_is_not_accepted_any_more_is_said_to_be_so(sample_body):
    command = ReplayJob(job_id="job-2", tenant="acme", replay_of="job-1")
    with pytest.raises(Permanent, match="invalid-document"):
        replay(command, admitted(sample_body).record, b'{"kind": "old"}', None, at())


@pytest_asyncio.fixture
async def house(serve):
    return await serve(SERVICE)


async def tell(bus, message):
    """Say a message twice, each time under an id of its own."""
    for attempt in range(2):
        await bus.publisher.publish(Outgoing(message, attempt=attempt))


async def test_on_a_broker_a_job_runs_again_once_and_gives_the_same_task(house, probe, sample_body):
    seen, jobs = await probe("quire.>"), house.records("job", JobRecord)
    await tell(house, SubmitJob(job_id="job-1", tenant="acme", body=sample_body))
    await seen.wait(PrepareJob)
    await tell(house, prepared((await jobs.get("acme", "job-1")).value))
    ((first,),) = [[each.task for each in await seen.wait(RunTask)]]
    await tell(house, answer(first))

    async def over():
        return (await jobs.get("acme", "job-1")).value.is_over

    await eventually(over)
    await tell(house, ReplayJob(job_id="job-2", tenant="acme", replay_of="job-1"))
    await seen.wait(PrepareJob, 2)
    await tell(house, prepared((await jobs.get("acme", "job-2")).value))
    second = (await seen.wait(RunTask, 2))[1].task
    same = ("seed", "structure", "parameters", "observables", "shots", "target", "phase", "qubits")
    assert [getattr(second, name) for name in same] == [getattr(first, name) for name in same]
    assert (second.job_id, second.seed is not None) == ("job-2", True)
    assert [each.replay_of for each in seen.of(JobAccepted)] == [None, None, "job-1"]


async def test_on_a_broker_what_cannot_run_again_is_rejected(house, probe):
    seen = await probe("quire.evt.acme.>")
    await house.publisher.publish(ReplayJob(job_id="job-2", tenant="acme", replay_of="nothing"))
    (rejected,) = await seen.wait(JobRejected)
    assert (rejected.job_id, rejected.code) == ("job-2", "nothing-to-replay")
