"""Jobs with children through the whole house: a graph too wide for a device, a sweep, a killed control plane."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pytest
from houses import pids
from outcome import essence
from scipy.optimize import Bounds, LinearConstraint, milp

from quire.client import Client
from quire.embedded import Embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
OPTIMUM = 61
"""Of the unweighted club; `best_cut` proves it."""


@pytest.fixture(scope="module")
def quire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A Quire with one process for each service."""
    with Embedded(data_dir=tmp_path_factory.mktemp("quire"), processes=True) as running:
        yield running


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
    quire: Embedded, examples: dict[str, Any]
) -> None:
    document = examples["karate_club.json"]
    edges = document["problem"]["edges"]
    with Client(quire.http) as client:
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


def test_a_control_plane_killed_in_the_middle_loses_and_doubles_no_child(
    quire: Embedded, examples: dict[str, Any]
) -> None:
    short = {"name": "qaoa", "layers": 1, "sweep": 8, "optimizer": {"name": "spsa", "rounds": 6}}
    document = {**examples["karate_club.json"], "algorithm": short, "shots": 2_000}
    with Client(quire.http) as client:
        clean = client.submit(document).wait(110)
        job = client.submit(document)
        for over in (0, 1, 3):
            wait_until_over(job, over)
            for pid in pids(quire, "quire_control_plane"):
                os.kill(pid, signal.SIGKILL)
        ended = job.wait(110)
    assert ended.state == "completed", ended
    assert essence(ended)["result"]["best"] == essence(clean)["result"]["best"]
    assert [child.name for child in ended.children] == [child.name for child in clean.children]
    assert [child.value for child in ended.children] == [child.value for child in clean.children]
    assert ended.shots == clean.shots, "no child ran twice, and none was counted twice"


def wait_until_over(job: Any, count: int) -> None:
    """Until the job has children, and so many of them are over."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        view = job.status()
        if view.is_over or (view.children and sum(child.state == "completed" for child in view.children) >= count):
            return
        time.sleep(0.02)
    pytest.fail(f"{count} children were not over within 60 s")


def test_a_cancelled_partition_leaves_no_child_behind(quire: Embedded, examples: dict[str, Any]) -> None:
    with Client(quire.http) as client:
        job = client.submit({**examples["karate_club.json"], "shots": 100_000})
        wait_until_over(job, 0)
        job.cancel("enough")
        view = job.wait(60)
        assert view.state == "cancelled"
        assert {client.job(child.job_id).wait(60).state for child in view.children} <= {"cancelled", "completed"}


def test_a_sweep_over_three_targets_is_one_table(quire: Embedded) -> None:
    run = [sys.executable, "-m", "quire", "run", "--url", quire.http, "examples/three-targets.json"]
    said = json.loads(subprocess.run([*run, "--json"], capture_output=True, check=True, cwd=ROOT, timeout=110).stdout)
    points = said["result"]["points"]
    assert [point["state"] for point in points] == ["completed"] * 4
    assert points[3]["value"] == pytest.approx(-1.137306, abs=1e-6)
    for point in points[:3]:
        assert point["value"] == pytest.approx(points[3]["value"], abs=5 * point["std_error"])
        assert 0 < point["std_error"] < 0.02
    assert len(said["children"]) == 4
    person = subprocess.run(run, capture_output=True, check=True, cwd=ROOT, timeout=110, text=True).stdout
    assert "Braket's local simulator" in person
    assert "4 children, 4 of them over" in person


def test_a_variant_that_cannot_run_is_named(quire: Embedded) -> None:
    program = "OPENQASM 3.0; qubit[1] q; bit[1] c; c = measure q;"
    variants = [{"label": "good", "patch": {"program": program}}, {"label": "bad", "patch": {"program": "nonsense"}}]
    sweep = {"kind": "sweep", "base": {"kind": "sample", "shots": 10}, "variants": variants}
    with Client(quire.http) as client:
        strict = client.submit(sweep).wait(60)
        lenient = client.submit({**sweep, "allow_partial": True}).wait(60)
    assert strict.state == "failed"
    assert "variant bad is rejected" in strict.fault.reason
    assert (lenient.state, lenient.degraded) == ("completed", True)
    assert [point.state for point in lenient.result.points] == ["completed", "rejected"]
    assert lenient.result.points[0].result.counts == ({"0": 10},)
    assert "variant bad is rejected" in lenient.reason
