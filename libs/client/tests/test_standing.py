"""The best answer so far, from Python and the command line: marked, and with what came too late beside it."""

from __future__ import annotations

import json

import pytest
from fake_quire import Answer, view
from typer.testing import CliRunner

from quire.cli import app
from quire.client import Client

BEST = {"value": 3.0, "assignment": [0, 1]}
RESULT = {
    "kind": "optimize",
    "best": BEST,
    "history": [],
    "baseline": None,
    "quality": {},
    "source": "classical",
}
STANDS = {"job_id": "j1", "tenant": "default", "state": "submitted", "standing": "provisional", "source": "classical"}
RUNNING = view("submitted", kind="optimize", answer={**STANDS, "reason": "the classical baseline", "result": RESULT})
LATE = {
    "job_id": "j1",
    "tenant": "default",
    "task_id": "t1",
    "attempt": 1,
    "phase": "round",
    "round": 1,
    "target": "ibm:manila",
    "ended_at": "2026-01-01T00:00:00Z",
    "arrived_at": "2026-01-01T00:00:08Z",
    "best": {**BEST, "value": 4.0},
    "compared": "better than the classical answer",
    "shots": 64,
}
FINAL = {**STANDS, "state": "completed", "standing": "final", "degraded": True, "reason": "the deadline came"}
DONE = view(kind="optimize", degraded=True, reason="the deadline came", answer=FINAL, result=RESULT, late=[LATE])
NOTHING = view("queued", answer={**STANDS, "state": "queued", "standing": "none", "source": "", "reason": "queued"})


def run(fake, *arguments):
    return CliRunner(env={"QUIRE_URL": fake.url, "COLUMNS": "200"}).invoke(app, ["result", "j1", *arguments])


def test_a_provisional_answer_is_shown_and_marked(fake):
    fake.say("GET", "/v1/jobs/j1", Answer(body=RUNNING))
    shown = run(fake)
    assert shown.exit_code == 0
    assert "provisional, classical: the classical baseline" in shown.output
    assert "answer (classical)" in shown.output
    printed = json.loads(run(fake, "--json").stdout)
    assert printed["answer"] == {
        "standing": "provisional",
        "source": "classical",
        "degraded": False,
        "reason": "the classical baseline",
    }
    assert printed["result"]["best"]["value"] == 3.0


def test_a_final_answer_is_waited_for_and_what_came_too_late_stands_beside_it(fake):
    fake.say("GET", "/v1/jobs/j1", Answer(body=RUNNING), Answer(body=DONE))
    shown = run(fake, "--wait", "2s")
    assert shown.exit_code == 0
    assert "degraded: the deadline came" in shown.output
    assert "came too late; kept as evidence" in shown.output
    (row,) = [line for line in shown.output.splitlines() if "ibm:manila" in line]
    assert "8.0" in row
    assert "better than the classical answer" in row
    assert "wait=" in fake.asked[0].query
    printed = json.loads(run(fake, "--json").stdout)
    assert (printed["answer"]["standing"], printed["late"][0]["best"]["value"]) == ("final", 4.0)


def test_where_there_is_no_answer_yet_the_exit_code_says_so(fake):
    fake.say("GET", "/v1/jobs/j1", Answer(body=NOTHING))
    shown = run(fake)
    assert shown.exit_code == 6
    assert "quire: queued" in shown.output


@pytest.mark.parametrize("wait", ["soon", "-1", "nan"])
def test_a_wait_that_is_none_is_refused_before_anybody_is_asked(fake, wait):
    refused = run(fake, f"--wait={wait}")
    assert refused.exit_code == 3
    assert "500ms" in refused.output
    assert fake.asked == []


def test_the_python_client_gives_the_best_answer_in_time(fake):
    fake.say("GET", "/v1/jobs/j1", Answer(body=RUNNING))
    with Client(fake.url) as client:
        seen = client.job("j1").wait_for_answer(0.0)
        assert (seen.best_answer.standing, seen.best_answer.result.best.value) == ("provisional", 3.0)
        fake.answers["GET", "/v1/jobs/j1"] = [Answer(body=DONE)]
        final = client.job("j1").wait_for_answer(5.0).best_answer
        assert (final.standing, final.result.best.value, final.degraded) == ("final", 3.0, True)


def test_an_api_of_an_older_release_says_no_standing_and_its_answer_is_final_all_the_same(fake):
    fake.say("GET", "/v1/jobs/j1", Answer(body=view(kind="optimize", result=RESULT)))
    with Client(fake.url) as client:
        assert client.job("j1").status().best_answer.standing == "final"
