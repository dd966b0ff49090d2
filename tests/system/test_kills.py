"""Services and the broker killed with -9 in the middle of a job: it ends with the result it would have had."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import nats
import pytest
from houses import pids
from mirror import angles_of, answers, program
from outcome import essence

from quire.client import Client
from quire.embedded import Embedded
from quire.errors import CannotConnectError
from quire_contracts.batch import BatchExecuted
from quire_contracts.job import JobCompleted
from quire_contracts.task import TaskScored
from quire_testing import Probe
from quire_testing.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nats.aio.client import Client as Nats

SERVICES = (
    "control_plane",
    "batching",
    "quantum_gateway",
    "aggregation",
    "preprocessing",
    "gpu_simulation",
    "ledger",
    "api",
)
"""The four that every round needs come first, so that the loop cannot end before the others are killed too."""

QUBITS, SHOTS = 12, 50
HEADERS = {"ce-specversion": "1.0", "ce-source": "/test", "ce-type": "io.quire.job.submit.v1"}
WAVES = {
    "aggregation": ("quire.evt.shared.batch.executed.v1.*", "simulation", 20),
    "quantum_gateway": ("quire.cmd.shared.batch.execute.v1.*", "qiskit:aer", 20),
    "gpu_simulation": ("quire.cmd.shared.batch.simulate.v1.*", "simulation", 200),
    "batching": ("quire.cmd.*.task.run.v1.*", "simulation", 20),
}
"""The service to kill, the message that it works on then, where its jobs run, and how many circuits each job has."""

JOBS_OF_A_WAVE = 3

SECONDS_AFTER_THE_LAST_KILL = 15
SECONDS_FOR_A_ROUND = 30


@pytest.fixture(scope="module")
def quire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A Quire with one process for each service."""
    with Embedded(data_dir=tmp_path_factory.mktemp("quire"), processes=True) as running:
        yield running


@pytest.fixture
def slow_job(loop_job: dict[str, object]) -> dict[str, object]:
    """The loop on a ring of twelve nodes with many shots: a round takes long enough to be hit."""
    ring = [[node, (node + 1) % 12, 1.0] for node in range(12)]
    return {**loop_job, "shots": 20_000, "problem": {"type": "maxcut", "edges": ring}}


def later_round(client: Client, job_id: str, reached: int) -> int:
    """The job's round as soon as it is a later one than `reached`."""
    end = time.monotonic() + SECONDS_FOR_A_ROUND
    while time.monotonic() < end:
        with contextlib.suppress(CannotConnectError):  # the api was killed just now
            now = len(client.job(job_id).status().rounds)
            if now > reached:
                return now
        time.sleep(0.02)
    pytest.fail(f"round {reached} did not end within {SECONDS_FOR_A_ROUND} s")


def test_each_service_killed_in_turn(quire: Embedded, slow_job: dict[str, object]) -> None:
    """Each kill waits until the loop has moved on since the last one, so that all of them hit the same job."""
    with Client(quire.http) as client:
        clean = client.submit(slow_job).wait(100)
        assert clean.state == "completed", clean
        job, reached, last_kill, killed = client.submit(slow_job), 0, 0.0, []
        for service in SERVICES:
            reached = later_round(client, job.id, reached)
            victims = pids(quire, f"quire_{service}")
            assert victims, service
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            last_kill = time.monotonic()
            killed.append((service, reached))
        ended = job.wait(60)
        took = time.monotonic() - last_kill
    assert essence(ended) == essence(clean)
    assert took < SECONDS_AFTER_THE_LAST_KILL
    assert killed[-1][1] < 20, killed


def test_the_broker_killed_mid_job(quire: Embedded, slow_job: dict[str, object]) -> None:
    with Client(quire.http) as client:
        clean = client.submit(slow_job).wait(100)
        before = {service: pids(quire, f"quire_{service}") for service in SERVICES}
        job = client.submit(slow_job)
        later_round(client, job.id, 4)
        (broker,) = pids(quire, "nats-server")
        os.kill(broker, signal.SIGKILL)
        ended = job.wait(60)
        assert essence(ended) == essence(clean)
        assert {service: pids(quire, f"quire_{service}") for service in SERVICES} == before


@pytest.fixture
async def log(quire: Embedded) -> AsyncIterator[Nats]:
    """A connection to its broker."""
    client = await nats.connect(quire.nats)
    yield client
    await client.close()


@pytest.fixture
async def life(quire: Embedded) -> AsyncIterator[Probe]:
    """What is said of the jobs, their tasks and their batches."""
    whole = ("job.completed", "task.scored", "batch.executed")
    probe = Probe(quire.nats, [f"quire.evt.*.{each}.v1.*" for each in whole])
    await probe.start()
    yield probe
    await probe.stop()


async def killed(quire: Embedded, log: Nats, service: str, at: str, work: object) -> None:
    """Begin some work and kill a service as soon as the log has the message that it works on."""
    came: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def hear(message: object) -> None:
        if not came.done():
            for pid in pids(quire, f"quire_{service}"):
                os.kill(pid, signal.SIGKILL)
            came.set_result(None)

    subscription = await log.subscribe(at, cb=hear)
    await log.flush()
    await work
    await asyncio.wait_for(came, 30)
    await subscription.unsubscribe()


async def test_no_task_is_lost_and_no_result_is_there_twice(quire: Embedded, log: Nats, life: Probe) -> None:
    """Each service is killed in the middle of its own wave of jobs, one after the other; the recoveries overlap."""
    expected: dict[str, list[dict[str, int]]] = {}

    async def wave(service: str, target: str, sets: int) -> None:
        for number in range(JOBS_OF_A_WAVE):
            mine = answers(QUBITS, sets, seed=len(expected))
            document = {
                "kind": "sample",
                "program": program(QUBITS),
                "parameters": [angles_of(QUBITS, answer, index) for index, answer in enumerate(mine)],
                "shots": SHOTS,
                "targets": [target],
            }
            job = str(uuid.uuid4())
            expected[job] = [{answer: SHOTS} for answer in mine]
            subject = f"quire.cmd.team-{number}.job.submit.v1.{job}"
            body, headers = msgspec.json.encode(document), {**HEADERS, "ce-id": job}
            await log.jetstream().publish(subject, body, headers=headers)

    for service, (at, target, sets) in WAVES.items():
        before = pids(quire, f"quire_{service}")
        assert before, service
        await killed(quire, log, service, at, wave(service, target, sets))

        async def gone(service: str = service, before: tuple[int, ...] = tuple(before)) -> bool:
            return not set(before) & set(pids(quire, f"quire_{service}"))

        await eventually(gone)  # the kernel takes its time to end a large process

    def ended() -> dict[str, list[dict[str, int]]]:
        mine = [each for each in life.of(JobCompleted) if each.job_id in expected]
        return {each.job_id: list(each.result.counts) for each in mine}

    await eventually(lambda: len(ended()) == len(expected), within=60)
    assert ended() == expected
    results = [each.member for batch in life.of(BatchExecuted) for each in batch.results]
    for said in (life.of(JobCompleted), life.of(TaskScored), results):
        assert Counter(each.job_id for each in said if each.job_id in expected) == dict.fromkeys(expected, 1)
