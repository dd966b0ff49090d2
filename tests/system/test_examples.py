"""The committed documents through the whole house, each with its known answer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from outcome import essence

if TYPE_CHECKING:
    from quire.client import Client
    from quire.embedded import Embedded

ROOT = Path(__file__).parents[2]
H2_EXACT_HARTREE = -1.137306
"""Ground-state energy of H2 in STO-3G at 0.735 angstrom, nuclear repulsion included."""


def test_bell_gives_only_equal_bits(client: Client, examples: dict[str, dict[str, object]]) -> None:
    view = client.submit(examples["bell.json"]).wait(60)
    assert view.state == "completed", view
    (counts,) = view.result.counts
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 1000
    assert 400 < counts["00"] < 600


def test_the_h2_energy_is_within_chemical_accuracy(client: Client, examples: dict[str, dict[str, object]]) -> None:
    view = client.submit(examples["h2-energy.json"]).wait(60)
    assert view.state == "completed", view
    lowest = min(row[0] for row in view.result.values)
    assert lowest == pytest.approx(H2_EXACT_HARTREE, abs=1.6e-3)


def test_a_sweep_runs_in_one_pass_on_the_simulator(client: Client, examples: dict[str, dict[str, object]]) -> None:
    document = examples["sweep.json"]
    view = client.submit(document).wait(60)
    assert view.state == "completed", view
    assert {item.target for item in view.executions} == {"simulation"}
    assert sum(item.parameter_sets for item in view.executions) == len(document["parameters"])


@pytest.mark.parametrize("name", ["bell.json", "sweep.json"])
def test_the_same_seed_gives_the_same_answer(client: Client, examples: dict[str, dict[str, object]], name: str) -> None:
    first, second = (client.submit(examples[name]).wait(60) for _ in range(2))
    assert first.job_id != second.job_id
    assert essence(first) == essence(second)


def test_the_demo_finds_the_optimum_with_both_adapters_and_the_simulator(quire: Embedded) -> None:
    command = [sys.executable, "-m", "quire", "demo", "--url", quire.http, "--json"]
    runs = [subprocess.run(command, capture_output=True, check=False, cwd=ROOT, timeout=110) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr.decode()
    first, second = (json.loads(run.stdout) for run in runs)
    assert first["baseline"]["exact"]
    assert first["result"]["best"]["value"] == first["baseline"]["value"]
    assert {item["target"] for item in first["executions"]} == {"simulation", "qiskit:aer", "braket:local"}
    assert first["result"]["best"] == second["result"]["best"]
    assert first["result"]["history"] == second["result"]["history"]


def test_twelve_lines_of_plain_nats_get_a_jobs_life_and_answer(quire: Embedded) -> None:
    program = [sys.executable, str(ROOT / "examples" / "publish_with_nats.py"), str(ROOT / "examples" / "bell.json")]
    run = subprocess.run([*program, quire.nats], capture_output=True, check=True, timeout=60, text=True)
    types = [line.split(" ", 1)[0] for line in run.stdout.splitlines()]
    assert types[0] == "io.quire.job.accepted.v1"
    assert types[-1] == "io.quire.job.completed.v1"
    answer = json.loads(run.stdout.splitlines()[-1].split(" ", 1)[1])
    assert set(answer["result"]["counts"][0]) == {"00", "11"}


def test_a_wrong_body_is_rejected_with_pointer_reason_and_hint_within_a_second(
    quire: Embedded, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wrong = tmp_path_factory.mktemp("wrong") / "job.json"
    wrong.write_text('{"kind": "sample", "program": "OPENQASM 3.0; qubit q;", "shots": "many"}')
    program = [sys.executable, str(ROOT / "examples" / "publish_with_nats.py"), str(wrong), quire.nats]
    subprocess.run(program, capture_output=True, check=True, timeout=60)
    start = time.monotonic()
    run = subprocess.run(program, capture_output=True, check=True, timeout=60, text=True)
    took = time.monotonic() - start
    type_, body = run.stdout.splitlines()[0].split(" ", 1)
    assert type_ == "io.quire.job.rejected.v1"
    (problem,) = json.loads(body)["problems"]
    assert problem["pointer"] == "/shots"
    assert problem["reason"]
    assert problem["hint"]
    assert took < 3, "interpreter start included"
