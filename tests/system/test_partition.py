"""Jobs with children through the whole house: a graph too wide for a device, a sweep, a killed control plane."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nats
import networkx as nx
import numpy as np
import pytest
from houses import pids
from nats.js.api import ConsumerConfig, DeliverPolicy
from outcome import essence
from scipy.optimize import Bounds, LinearConstraint, milp

from quire.embedded import Embedded
from quire_testing import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nats.aio.msg import Msg

    from quire.client import Client

ROOT = Path(__file__).parents[2]
OPTIMUM = 61
"""Of the unweighted club; `best_cut` proves it."""


@pytest.fixture(scope="module")
def quire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A Quire with one process for each service."""
    with Embedded(data_dir=tmp_path_factory.mktemp("quire"), processes=True) as running:
        yield running


@pytest.fixture(scope="module")
def ring() -> dict[str, Any]:
    """A ring of ten in parts of four, solved quickly."""
    short = {"name": "qaoa", "layers": 1, "sweep": 4, "optimizer": {"name": "spsa", "rounds": 4}}
    edges = [[node, (node + 1) % 10, 1.0] for node in range(10)]
    return {
        "kind": "optimize",
        "seed": 7,
        "shots": 500,
        "problem": {"type": "maxcut", "edges": edges},
        "partition": {"max_variables": 4},
        "algorithm": short,
    }


def best_cut(edges: list[list[int]], nodes: int) -> int:
    """The weight of a maximum cut, proven by HiGHS: a variable for each node, and one for each edge that is cut."""
    count = len(edges)
    rows = np.zeros((2 * count, nodes + count))
    for k, (i, j, _) in enumerate(edges):
        rows[2 * k, [i, j, nodes + k]] = (-1, -1, 1)  # cut <= x_i + x_j
        rows[2 * k + 1, [i, j, nodes + k]] = (1, 1, 1)  # cut <= 2 - x_i - x_j
    most = LinearConstraint(rows, ub=np.tile((0, 2), count))
    gains = np.concatenate((np.zeros(nodes), [-float(w) for _, _, w in edges]))
    whole = np.concatenate((np.ones(nodes), np.zeros(count)))
    found = milp(gains, constraints=most, integrality=whole, bounds=Bounds(0, 1))
    assert found.success, found.message
    return round(-found.fun)


def cut(edges: list[list[int]], assignment: tuple[int, ...]) -> float:
    return sum(w for i, j, w in edges if assignment[i] != assignment[j])


def test_the_example_is_zacharys_club_and_its_best_cut_is_proven(examples: dict[str, Any]) -> None:
    edges = examples["karate_club.json"]["problem"]["edges"]
    assert {frozenset(edge[:2]) for edge in edges} == {frozenset(edge) for edge in nx.karate_club_graph().edges}
    assert best_cut(edges, 34) == OPTIMUM


def test_the_karate_club_in_parts_of_twelve_is_cut_as_well_as_it_can_be(
    client: Client, examples: dict[str, Any]
) -> None:
    document = examples["karate_club.json"]
    edges = document["problem"]["edges"]
    view = client.submit(document).wait(110)
    assert (view.state, view.degraded) == ("completed", False), view
    parts = [child for child in view.children if child.role == "part"]
    children = [client.job(child.job_id).status() for child in view.children]
    listed = {job.job_id for job in client.jobs(limit=100)}
    best, report = view.result.best, view.result.partition
    assert best.value == cut(edges, best.assignment)
    assert best.value >= 0.98 * OPTIMUM
    assert [stage.value <= OPTIMUM for stage in (report.joined, report.merged, report.polished)] == [True] * 3
    assert report.joined.value <= report.merged.value <= report.polished.value == best.value
    assert sorted(variable for part in report.parts for variable in part.variables) == list(range(34))
    assert max(len(part.variables) for part in report.parts) <= 12
    assert {part.source for part in report.parts} == {"quantum"}
    assert len(parts) == len(report.parts) > 2
    assert view.shots == sum(child.shots for child in children) > 0
    assert {child.parent.job_id for child in children} == {view.job_id}
    assert {child.trace_id for child in children} == {view.trace_id}
    assert view.job_id in listed
    assert not listed & {child.job_id for child in children}, "a list of jobs is one of what was submitted"


async def test_a_control_plane_killed_at_a_childs_end_and_at_a_gathering_loses_and_doubles_no_child(
    quire: Embedded, client: Client, ring: dict[str, Any]
) -> None:
    clean = client.submit(ring).wait(110)
    async with killing(quire, {"child.ended": 1, "family.gather": 1}) as due:
        ended = await asyncio.to_thread(client.submit(ring).wait, 110)
    assert due == {"child.ended": 0, "family.gather": 0}
    assert ended.state == "completed", ended
    assert essence(ended)["result"]["best"] == essence(clean)["result"]["best"]
    assert [child.name for child in ended.children] == [child.name for child in clean.children]
    assert [child.value for child in ended.children] == [child.value for child in clean.children]
    assert ended.shots == clean.shots, "no child ran twice, and none was counted twice"


@asynccontextmanager
async def killing(quire: Embedded, due: dict[str, int]) -> AsyncIterator[dict[str, int]]:
    """Kill the control plane when it has said a message of these names, so many times of each."""
    connection = await nats.connect(quire.nats)

    async def hear(message: Msg) -> None:
        kind = (message.headers or {}).get("ce-type", "").removeprefix("io.quire.").rpartition(".")[0]
        if due.get(kind, 0) > 0 and (victims := pids(quire, "quire_control_plane")):
            due[kind] -= 1
            for pid in victims:
                os.kill(pid, signal.SIGKILL)

    try:
        for subject in ("quire.cmd.>", "quire.evt.>"):
            new = ConsumerConfig(deliver_policy=DeliverPolicy.NEW)
            await connection.jetstream().subscribe(subject, cb=hear, ordered_consumer=True, config=new)
        yield due
    finally:
        await connection.close()


async def test_a_cancelled_partition_leaves_no_child_behind(client: Client, ring: dict[str, Any]) -> None:
    endless = {**ring["algorithm"], "optimizer": {"name": "spsa", "rounds": 1_000}}
    job = client.submit({**ring, "algorithm": endless, "shots": 10_000})
    await eventually(lambda: job.status().children, within=60)
    job.cancel("enough")
    view = job.wait(60)
    assert view.state == "cancelled"
    assert {client.job(child.job_id).wait(60).state for child in view.children} == {"cancelled"}


def test_a_sweep_over_three_targets_is_one_table(quire: Embedded) -> None:
    asked = ("run", "--url", quire.http, "examples/three-targets.json", "--json")
    said = json.loads(command(*asked))
    points = said["result"]["points"]
    assert [point["state"] for point in points] == ["completed"] * 4
    assert points[3]["value"] == pytest.approx(-1.137306, abs=1e-6)
    for point in points[:3]:
        assert point["value"] == pytest.approx(points[3]["value"], abs=5 * point["std_error"])
        assert 0 < point["std_error"] < 0.02
    assert len(said["children"]) == 4
    person = command("job", said["job_id"], "--url", quire.http)
    assert "Braket's local simulator" in person
    assert "4 children, 4 of them over" in person
    assert "variants: 4 completed" in person


def command(*words: str) -> str:
    """What the command line prints."""
    run = [sys.executable, "-m", "quire", *words]
    return subprocess.run(run, capture_output=True, check=True, cwd=ROOT, timeout=110, text=True).stdout


def test_a_variant_that_cannot_run_is_named(client: Client) -> None:
    program = "OPENQASM 3.0; qubit[1] q; bit[1] c; c = measure q;"
    variants = [{"label": "good", "patch": {"program": program}}, {"label": "bad", "patch": {"program": "nonsense"}}]
    sweep = {"kind": "sweep", "base": {"kind": "sample", "shots": 10}, "variants": variants}
    strict = client.submit(sweep).wait(60)
    lenient = client.submit({**sweep, "allow_partial": True}).wait(60)
    assert strict.state == "failed"
    assert "variant bad is rejected" in strict.fault.reason
    assert (lenient.state, lenient.degraded) == ("completed", True)
    assert [point.state for point in lenient.result.points] == ["completed", "rejected"]
    assert lenient.result.points[0].result.counts == ({"0": 10},)
    assert "variant bad is rejected" in lenient.reason
