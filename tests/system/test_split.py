"""One batch of many people's circuits, taken apart again: everyone gets their own answer and nobody else's."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
import nats
import pytest
from houses import opened
from mirror import angles_of, program

from quire_contracts.batch import BatchExecuted
from quire_contracts.job import JobCompleted
from quire_testing import Probe
from quire_testing.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nats.aio.client import Client

    from quire.embedded import Embedded

JOBS, TENANTS, QUBITS, SHOTS = 50, 10, 6, 100
HEADERS = {"ce-specversion": "1.0", "ce-source": "/test", "ce-type": "io.quire.job.submit.v1"}


@pytest.fixture(scope="module")
def quire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A Quire in one process whose windows are long enough that even a slow machine fills them."""
    with opened(tmp_path_factory.mktemp("quire"), {"QUIRE_BATCHING_RESEARCH_WINDOW_SECONDS": "1"}) as running:
        yield running


@pytest.fixture
async def log(quire: Embedded) -> AsyncIterator[Client]:
    """A connection to its broker."""
    client = await nats.connect(quire.nats)
    yield client
    await client.close()


@pytest.fixture
async def life(quire: Embedded) -> AsyncIterator[Probe]:
    """What is said of jobs' ends and of batches."""
    probe = Probe(quire.nats, ["quire.evt.*.job.completed.v1.*", "quire.evt.shared.batch.executed.v1.*"])
    await probe.start()
    yield probe
    await probe.stop()


async def publish(log: Client, tenant: str, document: dict[str, object]) -> str:
    """Submit a job as any publisher does."""
    job = str(uuid.uuid4())
    subject = f"quire.cmd.{tenant}.job.submit.v1.{job}"
    await log.jetstream().publish(subject, msgspec.json.encode(document), headers={**HEADERS, "ce-id": job})
    return job


def sampled(answer: str, seed: int) -> dict[str, object]:
    """A job whose every shot gives the answer."""
    text = program(QUBITS, angles_of(QUBITS, answer, seed))
    return {"kind": "sample", "program": text, "shots": SHOTS, "targets": ["simulation"]}


def estimated(answer: str, seed: int) -> dict[str, object]:
    """A job that asks for the exact value of each qubit of the answer, -1 where its bit is 1."""
    text = program(QUBITS, angles_of(QUBITS, answer, seed)).replace("c = measure q;", "")
    labels = ["I" * (QUBITS - 1 - qubit) + "Z" + "I" * qubit for qubit in reversed(range(QUBITS))]
    return {"kind": "estimate", "program": text, "observables": [{label: 1.0} for label in labels]}


def answer_of(completed: JobCompleted) -> str:
    """The answer that came back, from counts or from values."""
    result = msgspec.to_builtins(completed.result)
    if completed.kind == "sample":
        ((answer, shots),) = result["counts"][0].items()
        assert shots == SHOTS
        return answer
    (values,) = result["values"]
    assert [abs(value) for value in values] == pytest.approx([1.0] * QUBITS, abs=1e-9)
    return "".join("1" if value < 0 else "0" for value in values)


@pytest.mark.parametrize("document", [sampled, estimated])
async def test_fifty_jobs_of_ten_tenants_share_batches_and_each_has_its_own_answer(log, life, document) -> None:
    expected: dict[str, tuple[str, str]] = {}
    for index in range(JOBS):
        tenant, answer = f"{document.__name__}-{index % TENANTS}", format(index + 7, f"0{QUBITS}b")
        expected[await publish(log, tenant, document(answer, seed=index))] = (tenant, answer)

    def ended() -> list[JobCompleted]:
        return [each for each in life.of(JobCompleted) if each.job_id in expected]

    await eventually(lambda: len(ended()) >= JOBS, within=60)
    assert {each.job_id: (each.tenant, answer_of(each)) for each in ended()} == expected
    assert len(ended()) == JOBS

    batches = [each.results for each in life.of(BatchExecuted)]
    ran = [member.member.job_id for results in batches for member in results if member.member.job_id in expected]
    assert sorted(ran) == sorted(expected), "each ran once"
    mine = [results for results in batches if results[0].member.job_id in expected]
    assert len(mine) <= JOBS / 2
    assert max(len({each.member.tenant for each in results}) for results in mine) > 1
