"""A classical answer while the quantum one is in flight: taken at a deadline, given to who waits; late ones stay."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import nats
import pytest
from houses import ibm_gateway, opened

from quire.client import Client, Job
from quire_emulator.entries import Applied, Moved
from quire_emulator.process import EmulatorProcess
from quire_emulator.rules import Rule
from quire_testing import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quire.answer import JobView
    from quire.embedded import Embedded

RULES = '[[rule]]\nname = "all"\ntargets = ["ibm:ibm_manila"]\n'
DEADLINE, QUEUE = 10.0, 14.0


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """A cloud whose queues are as long as a test says."""
    with EmulatorProcess(tmp_path_factory.mktemp("cloud"), seed=5) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def remote_house(cloud: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A house whose only target is of that cloud, and is open: what it takes to open it is no part of any queue."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "rules.toml").write_text(RULES)
    environ = {"QUIRE_CONTROL_PLANE_RULES_FILE": str(folder / "rules.toml"), **ibm_gateway(cloud, "ibm_manila")}
    with opened(folder / "quire", environ) as quire:
        with Client(quire.http) as client:
            assert client.submit(optimisation(0)).wait(90).state == "completed"
        yield quire


@pytest.fixture
def remote_client(remote_house: Embedded, cloud: EmulatorProcess) -> Iterator[Client]:
    """A client of that house; the cloud's faults end with the test."""
    with Client(remote_house.http) as connected:
        yield connected
    cloud.disarm()


def optimisation(seed: int, **more: object) -> dict[str, object]:
    """A cut of a ring of four: two tasks, a round and the last sampling."""
    ring = [[node, (node + 1) % 4, 1.0] for node in range(4)]
    algorithm = {"name": "qaoa", "layers": 1, "sweep": 1, "optimizer": {"name": "spsa", "rounds": 1}}
    problem = {"type": "maxcut", "edges": ring}
    return {"kind": "optimize", "problem": problem, "algorithm": algorithm, "shots": 64, "seed": seed, **more}


async def ask(url: str, job: Job, seconds: float) -> dict[str, Any]:
    """The question on the bus, as a team's own program asks it."""
    client = await nats.connect(url)
    try:
        question = {"tenant": job.tenant, "job_id": job.id, "seconds": seconds}
        reply = await client.request("quire.query.api.answer", json.dumps(question).encode(), timeout=seconds + 10)
    finally:
        await client.close()
    assert not (reply.headers or {}).get("quire-fault"), reply.data
    return json.loads(reply.data)


async def test_a_deadline_before_the_providers_queue_ends_with_the_classical_answer_and_keeps_the_late_one(
    remote_client: Client, remote_house: Embedded, cloud: EmulatorProcess
) -> None:
    cloud.arm(Rule(kind="waits", delay=QUEUE, id="queue"))
    before = len(applied(cloud))
    job = remote_client.submit(optimisation(1, deadline_seconds=DEADLINE))
    await eventually(lambda: standing(job) == "provisional", within=DEADLINE)
    asked = await ask(remote_house.nats, job, 0.5)
    assert (asked["standing"], asked["source"], asked["result"]["best"]["value"]) == ("provisional", "classical", 4.0)
    await eventually(lambda: applied(cloud)[before:], within=DEADLINE)  # what is not there at the end is not sent

    view = job.wait(60)
    assert view.result is not None
    assert (view.state, view.degraded, view.result.source) == ("completed", True, "classical")
    assert "deadline" in view.reason
    assert "ibm:ibm_manila" in view.reason
    assert view.accepted_at is not None
    assert view.updated_at is not None
    assert view.updated_at - view.accepted_at < timedelta(seconds=DEADLINE)
    assert view.decisions[-1].action == "classical"
    assert view.decisions[-1].figures["waited_seconds"] > 0

    await eventually(lambda: bool(job.status().late), within=60)
    after = job.status()
    (late,) = after.late
    assert (late.target, late.shots > 0) == ("ibm:ibm_manila", True)
    assert late.arrived_at > late.ended_at
    assert (after.result, after.updated_at, after.shots) == (view.result, view.updated_at, view.shots)
    (made,) = applied(cloud)[before:]
    assert [each.status for each in cloud.entries() if isinstance(each, Moved) and each.job == made.job] == [
        "RUNNING",
        "COMPLETED",
    ]


async def test_who_waits_gets_the_provisional_answer_then_the_final_one_on_both_ways(
    remote_client: Client, remote_house: Embedded, cloud: EmulatorProcess
) -> None:
    cloud.arm(Rule(kind="waits", delay=3.0, id="queue"))
    async with httpx.AsyncClient(base_url=remote_house.http, timeout=90) as http:
        await both_ways(remote_client, remote_house, http)


async def both_ways(remote_client: Client, remote_house: Embedded, http: httpx.AsyncClient) -> None:
    submitted = await http.post("/v1/jobs?wait=500ms", json=optimisation(2))
    assert submitted.status_code == 202
    job = remote_client.job(submitted.json()["job_id"])
    await eventually(lambda: standing(job) == "provisional", within=30)
    early = job.wait_for_answer(0.2)
    assert (early.best_answer.standing, early.best_answer.source, early.is_over) == ("provisional", "classical", False)

    final = await ask(remote_house.nats, job, 60)
    assert (final["standing"], final["source"], final["degraded"]) == ("final", "quantum", False)
    shown = await http.get(f"/v1/jobs/{job.id}", headers={"Prefer": "wait=60"})
    assert shown.headers["Preference-Applied"] == "wait=60"
    assert shown.json()["answer"]["standing"] == "final"
    assert shown.json()["result"] == final["result"]
    bad = await http.get(f"/v1/jobs/{job.id}?wait=soon")
    assert (bad.status_code, bad.json()["problems"][0]["pointer"]) == (400, "/query/wait")


def standing(job: Job) -> str:
    """How the job's answer stands now."""
    view: JobView = job.status()
    return view.best_answer.standing


def applied(cloud: EmulatorProcess) -> list[Applied]:
    """The jobs that the cloud has made, in order."""
    return [each for each in cloud.entries() if isinstance(each, Applied)]
