"""How jobs with children end when it is not by their answers: deadlines, cancellations and budgets, and once more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from houses import ibm_gateway, opened
from outcome import essence

from quire.client import Client
from quire_contracts.record import TERMINAL
from quire_contracts.result import MinimizeResult, OptimizeResult, SweepResult
from quire_emulator.entries import Applied, Moved
from quire_emulator.process import EmulatorProcess
from quire_emulator.rules import Rule
from quire_testing import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quire.answer import JobView

PROGRAM = "OPENQASM 3.0; qubit[1] q; bit[1] c; c = measure q;"
FAR = "ibm:ibm_manila"
SECONDS = 6.0
"""Until a deadline."""

SHORT = {"name": "qaoa", "layers": 1, "sweep": 4, "optimizer": {"name": "spsa", "rounds": 2}}
PATH = [[node, node + 1, 1.0] for node in range(9)]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """A cloud whose queues are as long as a test says."""
    with EmulatorProcess(tmp_path_factory.mktemp("cloud"), seed=5) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def house(cloud: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a house that reaches that cloud, and has been there; from now on nobody sees the end of its queue."""
    with (
        opened(tmp_path_factory.mktemp("house"), ibm_gateway(cloud, "ibm_manila")) as quire,
        Client(quire.http) as client,
    ):
        assert client.submit(sample(FAR)).wait(90).state == "completed"
        cloud.arm(Rule(kind="waits", delay=600.0, id="queue"))
        yield client


def sample(target: str) -> dict[str, Any]:
    return {"kind": "sample", "program": PROGRAM, "shots": 20, "targets": [target]}


def sweep(**more: object) -> dict[str, Any]:
    """Two variants that are done at once, and two that wait in the cloud's queue."""
    places = {"near": "simulation", "near too": "simulation", "far": FAR, "far too": FAR}
    variants = [{"label": label, "patch": {"targets": [place]}} for label, place in places.items()]
    return {"kind": "sweep", "seed": 3, "base": sample("simulation"), "variants": variants, **more}


def partition(**more: object) -> dict[str, Any]:
    """A path of ten in parts of four."""
    return {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": PATH},
        "partition": {"max_variables": 4},
        "algorithm": SHORT,
        "shots": 64,
        "seed": 3,
        **more,
    }


def minimisation(**more: object) -> dict[str, Any]:
    algorithm = {"name": "vqe", "sweep": 1, "initial": [0.4] * 4, "optimizer": {"name": "spsa", "rounds": 6},
                 "ansatz": {"name": "hardware-efficient", "layers": 1, "rotations": ["ry"]}}  # fmt: skip
    return {"kind": "minimize", "hamiltonian": {"ZZ": 1.0, "XI": 0.5}, "precision": 0.1, "seed": 3,
            "algorithm": algorithm, **more}  # fmt: skip


def applied(cloud: EmulatorProcess) -> list[str]:
    """The jobs that the cloud has made, in order."""
    return [each.job for each in cloud.entries() if isinstance(each, Applied)]


def statuses(cloud: EmulatorProcess) -> dict[str, str]:
    """What became of the cloud's jobs."""
    return {each.job: each.status for each in cloud.entries() if isinstance(each, Moved)}


def nothing_is_sent_any_more(house: Client, cloud: EmulatorProcess) -> None:
    made = applied(cloud)
    assert house.submit(sample("simulation")).wait(60).state == "completed", "what was said before it is done before it"
    assert applied(cloud) == made


@pytest.fixture(scope="module")
def late(house: Client, cloud: EmulatorProcess) -> dict[str, JobView]:
    """Jobs with a deadline, all at once, as they ended."""
    jobs = {
        "partial": sweep(allow_partial=True),
        "whole": sweep(),
        "parts": partition(targets=[FAR]),
        "minimisation": minimisation(targets=[FAR]),
    }
    submitted = {name: house.submit({**document, "deadline_seconds": SECONDS}) for name, document in jobs.items()}
    views = {name: job.wait(60) for name, job in submitted.items()}
    nothing_is_sent_any_more(house, cloud)
    return views


def test_whatever_has_a_deadline_ends_by_then_and_so_do_its_children(house: Client, late: dict[str, JobView]) -> None:
    for name, view in late.items():
        assert view.accepted_at is not None
        assert view.updated_at is not None
        assert view.updated_at - view.accepted_at <= timedelta(seconds=SECONDS), name
        assert {house.job(child.job_id).wait(60).state for child in view.children} <= TERMINAL


def test_a_sweep_that_may_be_partial_ends_with_what_it_has(late: dict[str, JobView]) -> None:
    view = late["partial"]
    assert isinstance(view.result, SweepResult)
    assert (view.state, view.degraded) == ("completed", True)
    assert [point.state for point in view.result.points] == ["completed", "completed", "failed", "failed"]
    assert all(f"variant {name} is failed: the job's deadline" in view.reason for name in ("far", "far too"))
    assert view.result.summary is not None
    assert view.result.summary.states == {"completed": 2, "failed": 2}
    assert view.shots == 40


def test_a_sweep_that_has_to_be_whole_says_which_variant_was_late(late: dict[str, JobView]) -> None:
    view = late["whole"]
    assert view.fault is not None
    assert (view.state, view.fault.code) == ("failed", "child-without-answer")
    assert "variant far" in view.fault.reason
    assert "deadline" in view.fault.reason


def test_a_partition_ends_with_the_best_that_its_parts_had(late: dict[str, JobView]) -> None:
    view = late["parts"]
    assert isinstance(view.result, OptimizeResult)
    assert (view.state, view.degraded) == ("completed", True)
    assert view.result.best.value == len(PATH), "of start points that were tried on the simulator, or classical answers"
    assert "part 1 of 3 is degraded: the job's deadline" in view.reason
    assert {child.state for child in view.children} == {"completed"}


def test_a_minimisation_ends_with_the_classical_energy(late: dict[str, JobView]) -> None:
    view = late["minimisation"]
    assert isinstance(view.result, MinimizeResult)
    assert (view.state, view.degraded, view.result.source) == ("completed", True, "classical")
    assert FAR in view.reason


async def test_a_cancelled_parent_takes_its_children_along(house: Client, cloud: EmulatorProcess) -> None:
    before = len(applied(cloud))
    job = house.submit(sweep())
    await eventually(lambda: applied(cloud)[before:], within=60)
    await eventually(lambda: [child.state for child in job.status().children[:2]] == ["completed"] * 2, within=60)
    job.cancel("enough")
    view = job.wait(60)
    assert (view.state, view.reason) == ("cancelled", "enough")
    children = [house.job(child.job_id).wait(60) for child in view.children]
    assert [child.state for child in children] == ["completed", "completed", "cancelled", "cancelled"]
    assert all(job.id in child.reason for child in children[2:])
    made = applied(cloud)[before:]
    await eventually(lambda: {statuses(cloud).get(each) for each in made} == {"CANCELLED"}, within=60)
    nothing_is_sent_any_more(house, cloud)


@pytest.mark.parametrize("document", [sweep(variants=[{"patch": {"shots": 10}}, {"label": "many"}]), partition()])
def test_a_family_runs_again_child_by_child(house: Client, document: dict[str, Any]) -> None:
    job = house.submit(document)
    first, again = job.wait(60), job.replay().wait(60)
    assert (first.state, first.degraded) == ("completed", False)
    assert answers(again) == answers(first)
    assert [(child.name, child.value, child.shots) for child in again.children] == [
        (child.name, child.value, child.shots) for child in first.children
    ]
    pairs = zip(first.children, again.children, strict=True)
    assert [house.job(new.job_id).status().replay_of for _, new in pairs] == [old.job_id for old in first.children]


def answers(view: JobView) -> dict[str, Any]:
    """What must be the same of a family, ids and times apart."""
    said = essence(view)["result"]
    assert isinstance(said, dict)
    if isinstance(view.result, SweepResult):
        return {"points": [(point.label, point.state, point.value, point.result) for point in view.result.points]}
    return {"best": said["best"], "verdict": said["verdict"]}


def test_a_minimisation_ends_with_its_shots_and_says_so(house: Client) -> None:
    whole = house.submit(minimisation()).wait(60)
    most = whole.shots - 1
    view = house.submit(minimisation(budget={"max_shots": most})).wait(60)
    assert isinstance(view.result, MinimizeResult)
    assert (view.state, view.degraded) == ("completed", True)
    assert f"the budget of {most} shots ends the loop" in view.reason
    assert 0 < view.shots <= most
    assert len(view.result.history) == 6


def test_a_partitions_budget_is_shared_out_and_never_overspent(house: Client) -> None:
    whole = house.submit(partition()).wait(60)
    view = house.submit(partition(budget={"max_shots": whole.shots // 2})).wait(60)
    assert view.state == "completed"
    assert 0 < view.shots <= whole.shots // 2
    assert [child.max_shots for child in whole.children] == [None] * len(whole.children)
    parts, merge = view.children[:-1], view.children[-1]
    assert all(child.max_shots is not None and child.shots <= child.max_shots for child in view.children)
    assert merge.max_shots == whole.shots // 2 - sum(part.shots for part in parts), "what they left is the merge's"


def test_of_a_problem_in_parts_the_verdict_speaks_of_all_that_ran(house: Client) -> None:
    view = house.submit(partition(seed=11)).wait(60)  # nothing of it is remembered
    assert isinstance(view.result, OptimizeResult)
    assert view.result.verdict is not None
    assert view.result.verdict.confidence is not None
    ran = sum(len(house.job(child.job_id).status().executions) for child in view.children)
    parts = {part.name: part for part in view.result.verdict.confidence.parts}
    assert parts["errors"].why == f"0 of {ran} runs failed (in {len(view.children)} jobs)"
    assert (parts["errors"].value, parts["health"].value) == (1.0, 1.0)
    assert f"mean chance of {len(view.children)} last samplings" in parts["samples"].why
    assert view.result.verdict.quantum_seconds > 0
