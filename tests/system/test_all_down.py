"""The only target is away: work is accepted, prepared and waits, customers are answered, and it drains afterwards."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest
from houses import ibm_gateway, opened

from quire.client import Client, Job
from quire_emulator.process import EmulatorProcess
from quire_emulator.rules import Rule
from quire_testing import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quire.answer import JobView

RULES = """
[[rule]]
name = "all"
targets = ["ibm:ibm_manila"]
[[fallback]]
name = "customers are answered soon"
when = { priority = "customer-facing" }
settle_after_seconds = 2
[[fallback]]
name = "the others wait"
"""
BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
AWAY = Rule(kind="offline", id="away")


@pytest.fixture
def cloud(tmp_path: Any) -> Iterator[EmulatorProcess]:
    """A cloud whose backends are all away."""
    with EmulatorProcess(tmp_path / "cloud", seed=5) as emulator:
        emulator.arm(AWAY)
        yield emulator


@pytest.fixture
def client(cloud: EmulatorProcess, tmp_path: Any) -> Iterator[Client]:
    """A client of a house whose only target is of that cloud."""
    (tmp_path / "rules.toml").write_text(RULES)
    soon = {"breaker_open_seconds": 1, "breaker_longest_seconds": 1, "patience_down_seconds": 1}
    environ = {"QUIRE_CONTROL_PLANE_RULES_FILE": str(tmp_path / "rules.toml")}
    environ |= ibm_gateway(cloud, "ibm_manila", **soon)
    with opened(tmp_path / "quire", environ) as quire, Client(quire.http) as connected:
        yield connected


def sampling(client: Client, number: int, priority: str) -> Job:
    return client.submit({"kind": "sample", "program": BELL, "shots": 50 + number, "priority": priority})


def optimisation(client: Client, seed: int) -> Job:
    ring = [[node, (node + 1) % 4, 1.0] for node in range(4)]
    algorithm = {"name": "qaoa", "layers": 1, "optimizer": {"name": "spsa", "rounds": 2}}
    problem = {"type": "maxcut", "edges": ring}
    document = {"kind": "optimize", "problem": problem, "algorithm": algorithm, "shots": 64, "seed": seed}
    return client.submit({**document, "priority": "customer-facing"})


def sent_again(view: JobView) -> float:
    """When a job that had waited was sent."""
    return next(step.at for step in view.decisions if step.action == "again").timestamp()


async def test_work_waits_for_its_target_customers_do_not_and_everything_ends(
    client: Client, cloud: EmulatorProcess
) -> None:
    research = [sampling(client, number, "research") for number in range(8)]
    production = [sampling(client, number, "production") for number in range(6)]
    customers = [optimisation(client, seed) for seed in range(6)]

    for job in customers:
        view = job.wait(60)
        assert (view.state, view.degraded) == ("completed", True)
        assert view.result is not None
        assert view.result.source == "classical"
        assert "ibm:ibm_manila" in view.reason

    def all_wait() -> bool:
        views = [job.status() for job in (*research, *production)]
        return all(view.decisions and view.decisions[-1].action == "wait" for view in views)

    await eventually(all_wait, within=30)
    cloud.disarm()
    views = {name: [job.wait(90) for job in jobs] for name, jobs in {"p": production, "r": research}.items()}
    for view in (*views["p"], *views["r"]):
        assert (view.state, view.degraded) == ("completed", False), view.reason
        assert view.executions[0].target == "ibm:ibm_manila"
    assert fmean(map(sent_again, views["p"])) < fmean(map(sent_again, views["r"]))
