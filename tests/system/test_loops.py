"""Loops that go on from an earlier job, that mind their money, and that are pre-screened before they reach a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from houses import gateway, opened

from quire.client import Client
from quire.errors import JobRejectedError
from quire_emulator.process import EmulatorProcess
from quire_testing.clouds import ARNS, NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quire.answer import JobView

CONFIG = f"""
[[devices]]
name = "Garnet"
arn = "{ARNS["garnet"]}"
provider = "IQM"
layout = "grid"
qubits = 20
task_price = 0.3
shot_price = 0.00145
noise = {{ one_qubit = 0.001, two_qubit = 0.01, readout = 0.02 }}
"""
TASK_USD, SHOT_USD = 0.3, 0.00145
RING = [[node, (node + 1) % 6, 1.0] for node in range(6)]


def loop(*, layers: int = 1, rounds: int = 8, shots: int = 512, **fields: Any) -> dict[str, Any]:
    optimizer = {"name": "spsa", "rounds": rounds}
    return {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": RING},
        "seed": 11,
        "shots": shots,
        "targets": ["simulation"],
        "algorithm": {"name": "qaoa", "layers": layers, "sweep": 9, "optimizer": optimizer},
    } | fields


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """A cloud with one device that costs money."""
    with EmulatorProcess(tmp_path_factory.mktemp("cloud"), config=CONFIG, seed=3) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def client(cloud: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a whole Quire that reaches the cloud."""
    reaching = gateway(
        aws_devices=f'{{"garnet": "{ARNS["garnet"]}"}}',
        aws_endpoint_url=f"{cloud.url}/braket",
        aws_s3_endpoint_url=f"{cloud.url}/s3",
        aws_results_bucket="amazon-braket-emulated",
    )
    patient = {"QUIRE_CONTROL_PLANE_APPRAISAL_SECONDS": "30"}  # a gateway imports the device's library for its answer
    with (
        opened(tmp_path_factory.mktemp("quire"), NOBODY | reaching | patient) as running,
        Client(running.http) as connected,
    ):
        yield connected


@pytest.fixture(scope="module")
def whole(client: Client) -> JobView:
    """A loop of eight rounds on the simulator, from its pre-screen to its end."""
    view = client.submit(loop()).wait(60)
    assert view.state == "completed", view
    return view


def came_to(view: JobView) -> dict[str, Any]:
    """A loop's answer; not what it took to get there, of which a rerun has only its own part."""
    answer = msgspec.to_builtins(view.result)
    return {name: answer[name] for name in ("best", "history", "parameters", "quality", "stopped")}


def paid(cloud: EmulatorProcess) -> int:
    return cloud.report().applied


@pytest.mark.parametrize("after", [0, 5, 8])
def test_a_rerun_from_a_round_ends_bit_for_bit_as_the_uninterrupted_run(
    client: Client, whole: JobView, after: int
) -> None:
    again = client.submit(loop(**{"from": {"job": whole.job_id, "round": after}})).wait(60)
    assert again.state == "completed", again
    assert came_to(again) == came_to(whole)
    assert [each.phase for each in again.executions] == ["round"] * (8 - after) + ["final"]
    assert again.continues is not None
    assert (again.continues.job, again.continues.round, again.continues.resumes) == (whole.job_id, after, True)


def test_a_rerun_with_more_rounds_and_fewer_shots_goes_on_after_what_was_done(client: Client, whole: JobView) -> None:
    longer = loop(rounds=10, shots=64, **{"from": {"job": whole.job_id, "round": 6}})
    view = client.submit(longer).wait(60)
    assert view.result.history[:6] == whole.result.history[:6]
    assert [each.round for each in view.result.history] == list(range(1, 11))
    assert {each.shots for each in view.executions} == {64}
    again = client.submit(longer).wait(60)
    assert came_to(again) == came_to(view)


def test_a_replayed_rerun_begins_where_the_first_one_did(client: Client, whole: JobView) -> None:
    first = client.submit(loop(**{"from": {"job": whole.job_id, "round": 6}}))
    assert first.wait(60).state == "completed"
    replayed = first.replay().wait(60)
    assert came_to(replayed) == came_to(whole)


def test_a_warm_start_begins_at_the_best_angles_and_a_deeper_one_at_those_stretched(
    client: Client, whole: JobView
) -> None:
    documents = [loop(rounds=2, **{"from": {"job": whole.job_id}})]
    documents.append(loop(layers=2, rounds=2, **{"from": {"job": whole.job_id, "interpolate": True}}))
    gamma, beta = whole.result.parameters
    for document, angles in zip(documents, [(gamma, beta), (gamma, gamma, beta, beta)], strict=True):
        view = client.submit(document).wait(60)
        assert view.state == "completed", view
        assert view.continues is not None
        assert view.continues.parameters == pytest.approx(angles)
        assert [each.phase for each in view.executions] == ["round", "round", "final"]
        assert view.result.history[0].objective > 4.0, "random angles cut 3 of 6 ties"


@pytest.mark.parametrize(
    ("asked", "layers", "pointer", "reason"),
    [
        ({"job": "nobody"}, 1, "/from/job", "has no job nobody"),
        ({"round": 9}, 1, "/from/round", "ended before it could go on after round 9"),
        ({}, 2, "/from/job", "has 2 parameters, this one has 4"),
    ],
)
def test_what_cannot_be_gone_on_from_is_rejected_with_its_place(
    client: Client, whole: JobView, asked: dict[str, Any], layers: int, pointer: str, reason: str
) -> None:
    job = client.submit(loop(layers=layers, rounds=10, **{"from": {"job": whole.job_id} | asked}))
    with pytest.raises(JobRejectedError) as refused:
        job.result(30)
    (problem,) = refused.value.problems
    assert (problem.pointer, reason in problem.reason) == (pointer, True)


def test_another_tenants_job_is_nobodys(client: Client, whole: JobView) -> None:
    job = client.submit(loop(tenant="globex", **{"from": {"job": whole.job_id}}))
    with pytest.raises(JobRejectedError) as refused:
        job.result(30)
    assert "tenant globex has no job" in refused.value.problems[0].reason


def test_a_paid_loop_is_screened_for_nothing_appraised_before_and_ends_before_its_money_does(
    client: Client, cloud: EmulatorProcess
) -> None:
    """By the price list the first round, eleven sets of 50 shots as one task, costs 1.0975 USD, another one 0.5175."""
    before = paid(cloud)
    view = client.submit(loop(shots=50, targets=["aws:garnet"], budget={"max_usd": 2.0})).wait(120)
    assert view.state == "completed", view
    assert [run.target for run in view.executions if run.phase == "sweep"] == ["simulation"]
    assert [run.target for run in view.executions if run.phase == "round"] == ["aws:garnet"] * 2
    assert view.cost.usd == pytest.approx(2 * TASK_USD + (11 + 3) * 50 * SHOT_USD)
    assert paid(cloud) == before + 2
    assert view.degraded
    assert "the budget of" in view.reason
    (known,) = view.appraisals
    assert (known.target, known.device, known.paid) == ("aws:garnet", True, True)
    assert known.two_qubit_gates == 6
    assert known.fidelity == pytest.approx(0.99**6 * 0.98**6, rel=0.05)
    assert known.worth == 0.0, "the classical answer is proven optimal"
    assert view.decisions[0].rules[-1].startswith("start points for a device")


def test_what_the_budget_does_not_reach_is_not_sent(client: Client, cloud: EmulatorProcess) -> None:
    before = paid(cloud)
    bell = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
    document = {"kind": "sample", "program": bell, "shots": 1000, "targets": ["aws:garnet"], "budget": {"max_usd": 1.7}}
    view = client.submit(document).wait(30)
    assert (view.state, view.fault.code) == ("failed", "budget-exceeded")
    assert "1.75 USD" in view.fault.reason
    elsewhere = client.submit({**document, "targets": ["aws:garnet", "simulation"]}).wait(30)
    assert elsewhere.state == "completed"
    assert {run.target for run in elsewhere.executions} == {"simulation"}
    assert paid(cloud) == before
    assert client.submit({**document, "budget": {"max_usd": 1.8}}).wait(30).cost.usd == pytest.approx(1.75)


def test_the_mean_of_the_best_shots_is_what_the_loop_goes_by(
    client: Client, examples: dict[str, dict[str, Any]]
) -> None:
    """One layer of QAOA cuts 0.6924 of the ties of a graph like Petersen's on average (Farhi et al., 2014)."""
    view = client.submit(examples["best-shots.json"]).wait(60)
    assert (view.state, view.result.best.value) == ("completed", 12.0)
    assert 0.6924 * 15 + 0.5 < view.result.history[-1].best <= 12.0
