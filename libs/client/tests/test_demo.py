"""The demonstration says plainly what was found, and how that compares."""

import json

import pytest
from fake_quire import Answer, stored, view
from typer.testing import CliRunner

from quire.cli import app
from quire.demo import demo_document

BEST = [0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1]


def execution(target, shots, sets):
    return {
        "target": target,
        "provider": target.partition(":")[0],
        "backend": target,
        "region": "local",
        "calibration_id": "",
        "circuit_sha256": "0" * 64,
        "shots": shots,
        "parameter_sets": sets,
        "started_at": "2026-01-01T00:00:00Z",
        "queue_seconds": 0.0,
        "compile_seconds": 0.5,
        "execute_seconds": 0.25,
    }


def answer(value, *, optimal, source="quantum"):
    baseline = {"method": "exact enumeration", "value": 17.0, "assignment": BEST, "exact": True, "worst": 0.0}
    quality = {
        "approximation_ratio": value / 17,
        "optimal": optimal,
        "success_probability": 0.05,
        "mean_objective": 14.5,
    }
    history = [{"round": 1, "objective": 14.0, "best": 14.2, "std_error": 0.1, "target": "qiskit:aer"}]
    best = {"value": value, "assignment": BEST}
    result = {
        "kind": "optimize",
        "best": best,
        "history": history,
        "baseline": baseline,
        "quality": quality,
        "source": source,
    }
    timing = {"stage": "execute", "resource": "cpu", "started_at": "2026-01-01T00:00:00Z", "seconds": 1.25}
    runs = [execution("simulation", 1024, 64), execution("qiskit:aer", 1024, 3), execution("qiskit:aer", 1024, 3)]
    more = {"result": result, "executions": runs, "timings": [timing], "trace_id": "ab" * 16, "baseline_seconds": 0.25}
    return view(kind="optimize", quality=quality, baseline=baseline, **more)


@pytest.fixture
def demo(fake):
    def run(found, *arguments):
        fake.say("POST", "/v1/jobs", Answer(202, {"job_id": "j1", "tenant": "default", "state": "queued"}))
        fake.say("GET", "/v1/jobs/j1", Answer(body=found))
        advanced = stored(1, "loop.advanced", rounds=20, round=answer(17, optimal=True)["result"]["history"][0])
        fake.say(
            "GET", "/v1/jobs/j1/events", Answer(body=advanced + stored(2, "job.completed"), type="text/event-stream")
        )
        return CliRunner(env={"COLUMNS": "120"}).invoke(app, ["demo", "--url", fake.url, *arguments])

    return run


def test_the_optimum_is_told_with_everything_beside_it(demo):
    ended = demo(answer(17.0, optimal=True))
    assert ended.exit_code == 0
    for words in (
        "17 of 20 ties",
        "17 by exact enumeration in 0.250 s",
        "1.0000",
        "The optimum was found: a cut of 17, proven by the classical baseline.",
        "Bischeri, Castellani, Ginori",
        "quire trace " + "ab" * 16,
    ):
        assert words in " ".join(ended.stdout.split())
    rows = {
        line.split("│")[1].strip(): line.split("│")[2:-1] for line in ended.stdout.splitlines() if line.startswith("│")
    }
    assert [cell.strip() for cell in rows["simulation"]] == ["simulation", "1", "64", "65536", "0.500", "0.250"]
    assert [cell.strip() for cell in rows["qiskit:aer"]] == ["qiskit:aer", "2", "6", "6144", "1.000", "0.500"]
    assert "round  1/20  objective 14.0000  best 14.2000  on qiskit:aer" in ended.stderr


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (answer(16.0, optimal=False), "The optimum was NOT found: 16, where 17 is possible."),
        (answer(16.0, optimal=None), "Whether 16 is the optimum is not known"),
        (answer(17.0, optimal=True, source="classical"), "is the classical baseline's, not the quantum loop's"),
    ],
)
def test_what_was_not_found_is_told_as_plainly(demo, found, words):
    assert words in " ".join(demo(found).stdout.split())


def test_another_seed_is_another_job_and_json_is_one_value(fake, demo):
    ended = demo(answer(17.0, optimal=True), "--seed", "7", "--json")
    assert json.loads(ended.stdout)["quality"]["optimal"] is True
    assert json.loads(fake.of("POST", "/v1/jobs")[0].body)["seed"] == 7
    assert demo_document()["seed"] == 1434


def test_a_demo_that_fails_says_so_by_its_exit_code(demo):
    assert demo(view("failed", reason="all targets are away")).exit_code == 1
