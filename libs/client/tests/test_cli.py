"""The command line's contract: data on stdout, words on stderr, and the exit codes that scripts rely on."""

import json
import os
import signal
import subprocess
import sys
from urllib.parse import parse_qsl

import pytest
from fake_quire import Answer, stored, view
from typer.testing import CliRunner

from quire.cli import app

ACCEPTED = Answer(202, {"job_id": "j1", "tenant": "default", "state": "queued", "links": {}})
DONE = Answer(body=view(result={"kind": "sample", "counts": [{"00": 6, "11": 4}]}, shots=10, trace_id="ab" * 16))
LIFE = Answer(
    body=stored(1, "job.accepted", name="Bell") + stored(2, "job.completed"),
    type="text/event-stream",
)
REPORTED = [
    *("job_id", "state", "degraded", "reason", "needs_review", "result", "baseline", "quality", "verdict"),
    *("children", "decisions", "appraisals", "executions", "timings", "cost", "trace_id", "late"),
]


@pytest.fixture
def quire(fake):
    """Run a command against the fake Quire."""

    def run(*arguments, stdin=None):
        return CliRunner(env={"QUIRE_URL": fake.url, "COLUMNS": "200"}).invoke(app, list(arguments), input=stdin)

    return run


@pytest.fixture
def bell(examples):
    return str(examples / "bell.json")


def complete(fake):
    fake.say("POST", "/v1/jobs", ACCEPTED)
    fake.say("GET", "/v1/jobs/j1", DONE)
    fake.say("GET", "/v1/jobs/j1/events", LIFE)


def test_run_prints_one_json_object_with_exactly_the_promised_fields(fake, quire, bell):
    complete(fake)
    ended = quire("run", bell, "--json")
    assert ended.exit_code == 0
    report = json.loads(ended.stdout)
    assert list(report) == REPORTED
    assert report["result"]["counts"] == [{"00": 6, "11": 4}]
    assert report["cost"] == {"usd": 0.0, "shots": 10}
    assert "accepted Bell" in ended.stderr


def test_run_shows_a_table(fake, quire, bell):
    complete(fake)
    ended = quire("run", bell)
    assert ended.exit_code == 0
    assert "60.0%" in ended.stdout
    assert "completed" in ended.stdout


def test_run_takes_yaml_and_standard_input(fake, quire, examples):
    complete(fake)
    assert quire("run", str(examples / "qubo.yaml")).exit_code == 0
    assert quire("run", "-", stdin=(examples / "bell.json").read_text()).exit_code == 0
    sent = [json.loads(asked.body)["kind"] for asked in fake.of("POST", "/v1/jobs")]
    assert sent == ["optimize", "sample"]


def test_a_failed_job_is_1_and_still_prints_its_report(fake, quire, bell):
    fault = {"kind": "offline", "code": "gone", "reason": "it is away", "next_step": "try another", "retryable": True}
    fake.say("POST", "/v1/jobs", ACCEPTED)
    fake.say("GET", "/v1/jobs/j1", Answer(body=view("failed", fault=fault, reason="it is away")))
    ended = quire("run", bell, "--json")
    assert ended.exit_code == 1
    assert json.loads(ended.stdout)["state"] == "failed"
    assert "job j1 failed: it is away" in ended.stderr
    assert "try another" in ended.stderr


def test_wrong_usage_is_2(quire):
    assert quire("run").exit_code == 2
    assert quire("fly").exit_code == 2
    assert quire("up", "--http-port", "99999").exit_code == 2


def test_an_invalid_document_is_3_before_anything_is_sent(fake, quire, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("kind: optimize\nproblem: {type: maxcut, edges: [[0, 0, 1]]}\nshots: 10\n")
    for command in ("run", "submit"):
        ended = quire(command, str(path))
        assert ended.exit_code == 3
        assert "/problem/edges/0: variable 0 is coupled to itself" in ended.stderr
        assert "leave this edge out" in ended.stderr
        assert ended.stdout == ""
    assert fake.asked == []


def test_what_the_api_refuses_is_3_with_pointer_and_hint(fake, quire, bell):
    problem = {"pointer": "/program", "reason": "no such gate", "limit": "basic gates", "hint": "see the list"}
    fake.say("POST", "/v1/jobs", Answer(422, {"title": "Not valid", "problems": [problem]}))
    ended = quire("run", bell)
    assert ended.exit_code == 3
    assert "/program: no such gate (basic gates)" in ended.stderr
    assert "see the list" in ended.stderr


def test_a_missing_file_is_3(quire):
    assert quire("run", "/nowhere.json").exit_code == 3


def test_time_out_is_6_and_says_how_to_go_on(fake, quire, bell):
    fake.say("POST", "/v1/jobs", ACCEPTED)
    fake.say("GET", "/v1/jobs/j1", Answer(body=view("running")))
    ended = quire("run", bell, "--timeout", "0.1")
    assert ended.exit_code == 6
    assert "quire watch j1" in ended.stderr
    assert fake.of("DELETE", "/v1/jobs/j1") == []


def test_nobody_listening_is_7_and_says_what_to_do(bell):
    for command in (["run", bell], ["job", "j1"], ["watch", "j1"], ["cancel", "j1"], ["jobs"], ["dead"]):
        ended = CliRunner(env={"QUIRE_URL": "http://127.0.0.1:9"}).invoke(app, command)
        assert ended.exit_code == 7, command
        assert "nothing answers at http://127.0.0.1:9" in ended.stderr
        assert "quire up" in ended.stderr


def test_interrupting_is_130_and_the_job_goes_on(fake, bell):
    fake.say("POST", "/v1/jobs", ACCEPTED)
    fake.say("GET", "/v1/jobs/j1", Answer(body=view("running")))
    fake.say("GET", "/v1/jobs/j1/events", Answer(body=stored(1, "job.accepted", name="Bell"), type="text/event-stream"))
    command = [sys.executable, "-m", "quire", "run", bell, "--url", fake.url]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "accepted Bell" in child.stderr.readline()
    os.kill(child.pid, signal.SIGINT)
    stdout, stderr = child.communicate(timeout=30)
    assert child.returncode == 130
    assert stdout == ""
    assert f"quire watch j1 --url {fake.url}" in stderr
    assert fake.of("DELETE", "/v1/jobs/j1") == []


def test_submit_prints_the_id_alone(fake, quire, bell):
    fake.say("POST", "/v1/jobs", ACCEPTED)
    ended = quire("submit", bell, "--key", "mine")
    assert ended.stdout == "j1\n"
    assert f"quire watch j1 --url {fake.url}" in ended.stderr
    assert fake.asked[0].headers["idempotency-key"] == "mine"
    assert json.loads(quire("submit", bell, "--json").stdout) == {"job_id": "j1", "tenant": "default"}


def test_job_shows_it_as_it_is_whatever_it_is(fake, quire):
    fake.say("GET", "/v1/jobs/j1", Answer(body=view("failed")))
    assert quire("job", "j1").exit_code == 0
    assert json.loads(quire("job", "j1", "--json").stdout)["state"] == "failed"
    assert quire("job", "j2").exit_code == 3


def test_watch_prints_a_line_of_json_for_each_event_and_then_the_answer(fake, quire):
    complete(fake)
    lines = [json.loads(line) for line in quire("watch", "j1", "--json").stdout.splitlines()]
    assert [line.get("event") for line in lines] == ["job.accepted", "job.completed", None]
    assert list(lines[-1]) == REPORTED


def test_cancel_prints_the_state_it_led_to(fake, quire):
    fake.say("DELETE", "/v1/jobs/j1", Answer(202, {}))
    fake.say("GET", "/v1/jobs/j1", Answer(body=view("cancelled", reason="too dear")))
    assert quire("cancel", "j1", "--reason", "too dear").stdout == "cancelled\n"
    assert "reason=too+dear" in fake.asked[0].query


def test_dead_letters_are_listed_replayed_and_dropped(fake, quire):
    letter = {"sequence": 4, "service": "batching", "type": "io.quire.task.run.v1", "attempts": 5, "reason": "poison"}
    fake.say("GET", "/v1/dead-letters", Answer(body={"dead_letters": [letter]}))
    fake.say("POST", "/v1/dead-letters/4/replay", Answer(202, {"stream_sequence": 9}))
    fake.say("DELETE", "/v1/dead-letters/4", Answer(204))
    assert "poison" in quire("dead").stdout
    assert json.loads(quire("dead", "--json").stdout) == [letter]
    assert quire("dead", "replay", "4").exit_code == 0
    assert quire("dead", "drop", "4").exit_code == 0
    assert quire("dead", "drop", "5").exit_code == 3


def test_parked_submissions_are_listed_adopted_and_abandoned(fake, quire):
    parked = {
        "batch_id": "b1",
        "target": "ibm:fez",
        "token": "b1-x",
        "since": "2026-01-02T00:00:00Z",
        "reserved_usd": 1.5,
        "jobs": [],
    }
    fake.say("GET", "/v1/parked", Answer(body={"submissions": [parked]}))
    fake.say("POST", "/v1/parked/b1/adopt", Answer(body={"batch_id": "b1", "state": "adopted"}))
    fake.say("POST", "/v1/parked/b1/abandon", Answer(body={"batch_id": "b1", "state": "abandoned"}))
    assert "ibm:fez" in quire("parked").stdout
    assert json.loads(quire("parked", "--json").stdout) == [parked]
    assert quire("parked", "adopt", "b1", "job-7", "--by", "ann").exit_code == 0
    assert "provider_job_id=job-7" in fake.of("POST", "/v1/parked/b1/adopt")[0].query
    assert quire("parked", "abandon", "b1").exit_code == 0
    assert quire("parked", "abandon", "b2").exit_code == 3


def test_help_costs_no_import_of_what_it_does_not_need():
    code = """
import sys
from typer.testing import CliRunner
from quire.cli import app
assert CliRunner().invoke(app, ["--help"]).exit_code == 0
heavy = {"httpx", "msgspec", "yaml", "quire_contracts", "quire_all_in_one", "asyncio"} & set(sys.modules)
print(sorted(heavy))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_dead_letter_is_shown_whole(fake, quire):
    letter = {
        "sequence": 4,
        "kind": "permanent",
        "reason": "[red]",
        "headers": {"ce-id": "m1"},
        "body": '{"job_id": 7}',
    }
    fake.say("GET", "/v1/dead-letters/4", Answer(body=letter))
    fake.say("GET", "/v1/dead-letters", Answer(body={"dead_letters": []}))
    shown = quire("dead", "show", "4").stdout
    for words in ("permanent", "[red]", "ce-id: m1", '{"job_id": 7}'):
        assert words in shown
    assert json.loads(quire("dead", "show", "4", "--json").stdout) == letter
    assert "no dead letters" in quire("dead", "ls", "--service", "batching").stdout
    assert "service=batching" in fake.asked[-1].query


SWITCH = {"scope": "backend", "name": "aws:forte", "state": "off", "reason": "it drifts", "by": "ann"}


def test_a_switch_is_turned_with_its_reason_and_listed(fake, quire):
    kept = {**SWITCH, "at": "2026-03-01T12:00:00Z"}
    fake.say("POST", "/v1/switches", Answer(body=kept))
    fake.say("GET", "/v1/switches", Answer(body={"switches": [kept]}), Answer(body={"switches": []}))
    turned = quire("switch", "off", "backend", "aws:forte", "--reason", "it drifts", "--by", "ann")
    assert turned.stdout == "the backend aws:forte is switched off\n"
    assert dict(parse_qsl(fake.asked[0].query)) == SWITCH
    assert "it drifts" in quire("switch", "ls").stdout
    assert "every switch is on" in quire("switch", "ls").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("off", "all"),
        ("off", "all", "aws", "--reason", "x"),
        ("on", "provider", "--reason", "x"),
        ("on", "moon", "--reason", "x"),
    ],
)
def test_a_switch_that_is_none_is_wrong_usage(fake, quire, arguments):
    assert quire("switch", *arguments).exit_code == 2
    assert fake.asked == []


def test_a_replay_prints_the_new_jobs_id(fake, quire):
    fake.say("POST", "/v1/jobs/j1/replay", Answer(202, {"job_id": "j2", "tenant": "default"}))
    ended = quire("replay", "j1", "--target", "qiskit:aer")
    assert ended.stdout == "j2\n"
    assert "target=qiskit%3Aaer" in fake.asked[0].query
    assert "quire watch j2" in ended.stderr
    assert json.loads(quire("replay", "j1", "--json").stdout)["replay_of"] == "j1"
