"""What operators and users can do about work at a provider: stop it, hold it back, run it again; nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from houses import ibm_gateway, opened

from quire.client import Client
from quire_emulator.process import EmulatorProcess
from quire_testing import eventually
from quire_testing.clouds import IBM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quire.answer import JobView
    from quire.client import Job

BELL = {
    "kind": "sample",
    "program": 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;',
    "shots": 50,
    "seed": 3,
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """A cloud with a quick device and one that nobody outwaits."""
    with EmulatorProcess(tmp_path_factory.mktemp("cloud"), config=IBM, seed=3) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def client(cloud: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a whole Quire that reaches the cloud."""
    reaching = ibm_gateway(cloud, "ibm_manila", "ibm_slow")
    with opened(tmp_path_factory.mktemp("quire"), reaching) as running, Client(running.http) as connected:
        yield connected


def jobs_of(cloud: EmulatorProcess, status: str) -> int:
    return sum(job["status"].lower() == status for job in cloud.control("GET", "jobs"))


def paid(cloud: EmulatorProcess) -> int:
    return cloud.report().applied


async def test_a_cancelled_job_is_cancelled_at_its_provider(cloud: EmulatorProcess, client: Client) -> None:
    job = client.submit({**BELL, "targets": ["ibm:ibm_slow"]})
    await eventually(lambda: jobs_of(cloud, "queued"), within=30)
    job.cancel("not wanted")
    await eventually(lambda: jobs_of(cloud, "cancelled"), within=30)
    assert job.wait(10).state == "cancelled"
    assert jobs_of(cloud, "queued") == 0


async def test_what_a_switch_stops_waits_and_goes_on_and_what_may_go_elsewhere_does(
    cloud: EmulatorProcess, client: Client
) -> None:
    client.turn("provider", "ibm", "off", reason="the bill", by="ann")
    view = await eventually(lambda: elsewhere(client), within=30)
    before = paid(cloud)
    held = client.submit({**BELL, "targets": ["ibm:ibm_manila"]})
    assert view.degraded
    assert "switched off" in view.reason
    await eventually(lambda: waits(held), within=30)
    assert paid(cloud) == before
    client.turn("provider", "ibm", "on", reason="paid", by="ann")
    assert {execution.target for execution in held.result(30).executions} == {"ibm:ibm_manila"}
    assert paid(cloud) == before + 1
    (switch,) = (switch for switch in client.switches() if (switch.scope, switch.name) == ("provider", "ibm"))
    assert (switch.state, switch.by) == ("on", "ann")


def elsewhere(client: Client) -> JobView | None:
    """A job that may run at two places, once it ran at the second one."""
    view = client.submit({**BELL, "targets": ["ibm:ibm_manila", "qiskit:aer"]}).result(30)
    return view if {execution.target for execution in view.executions} == {"qiskit:aer"} else None


def waits(job: Job) -> bool:
    """Whether a job was held back last."""
    decisions = job.status().decisions
    return bool(decisions) and decisions[-1].action == "wait"


def waiting(client: Client) -> Job | None:
    """A new job, if it is not over soon."""
    job = client.submit(BELL)
    return None if job.status(wait=2.0).is_over else job


async def test_a_tenants_switch_holds_its_work_and_nobody_elses(client: Client) -> None:
    client.turn("tenant", "acme", "off", reason="asked for", by="ann")
    with Client(client.transport.url, tenant="acme") as acme:
        held = await eventually(lambda: waiting(acme), within=30)
        assert client.submit(BELL).result(30).state == "completed"
        assert not held.status().is_over
        client.turn("tenant", "acme", "on", reason="asked for", by="ann")
        assert held.result(30).state == "completed"


def test_a_replay_runs_anew_and_gives_the_same(cloud: EmulatorProcess, client: Client) -> None:
    for targets, runs in ((["simulation"], 0), (["ibm:ibm_manila"], 1)):
        first = client.submit({**BELL, "targets": targets})
        counts = first.result(30).counts
        before = paid(cloud)
        view = first.replay().result(30)
        assert view.replay_of == first.id
        assert [execution.target for execution in view.executions] == targets
        assert not view.executions[0].provider_metadata.get("cached")
        assert paid(cloud) == before + runs
        if targets == ["simulation"]:
            assert view.counts == counts
    moved = first.replay("qiskit:aer").result(30)
    assert [execution.target for execution in moved.executions] == ["qiskit:aer"]
