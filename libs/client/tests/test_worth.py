"""What was expected before work was sent, and where a loop goes on from, at the command line and in Python."""

from __future__ import annotations

import json

import pytest
from fake_quire import Answer, view
from typer.testing import CliRunner

from quire.cli import app
from quire.documents import continued
from quire.errors import InvalidDocumentError

GARNET = {
    "target": "aws:garnet",
    "parameter_sets": 11,
    "device": True,
    "paid": True,
    "usd": 1.895,
    "qubits": 12,
    "two_qubit_gates": 78,
    "depth": 40,
    "fidelity": 0.31,
    "queued": 4,
    "possible_gain": 0.05,
    "worth": 0.0155,
}
MANILA = {"target": "ibm:manila", "parameter_sets": 11, "device": True, "two_qubit_gates": 90, "compiled": True}
FIRST = {
    "at": "2026-11-22T01:00:00Z",
    "task_id": "t1",
    "target": "aws:garnet",
    "fallbacks": [],
    "rules": ["all"],
    "reasons": ["the job names its targets: its own order decides"],
    "figures": {"qubits": 12.0, "depth_at_least": 40.0, "run_seconds": 2.5},
}
THEN = {**FIRST, "target": "simulation", "origin": "aws:garnet", "action": "simulator", "reasons": [], "figures": {}}
TAKEN = {"job": "j0", "parameters": [0.1], "round": 7, "structure_sha256": "a" * 64}
SEEN = view(kind="optimize", appraisals=[GARNET, MANILA], continues=TAKEN)
DECIDED = view(kind="sample", decisions=[FIRST, THEN])
LOOP = b'{"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}}'


def run(fake, *arguments):
    return CliRunner(env={"QUIRE_URL": fake.url, "COLUMNS": "200"}).invoke(app, arguments)


def test_a_job_shows_what_targets_would_have_made_of_its_work_and_where_it_goes_on_from(fake) -> None:
    fake.say("GET", "/v1/jobs/j1", Answer(body=SEEN))
    shown = run(fake, "job", "j1").output
    (garnet,) = [line for line in shown.splitlines() if "aws:garnet" in line]
    for part in (">= 78", ">= 40", "0.310", "1.90", "<= 5.00%", "1.55%"):
        assert part in garnet
    (manila,) = [line for line in shown.splitlines() if "ibm:manila" in line]
    assert "free" in manila
    assert ">=" not in manila
    assert "goes on from its round 7 of job j0" in shown
    printed = json.loads(run(fake, "job", "j1", "--json").stdout)
    assert printed["appraisals"][0]["worth"] == 0.0155


def test_a_job_shows_where_its_work_was_sent_why_and_what_was_known_of_it_before(fake) -> None:
    fake.say("GET", "/v1/jobs/j1", Answer(body=DECIDED))
    lines = run(fake, "job", "j1").output.splitlines()
    (first,) = [line for line in lines if "its own order decides" in line]
    for part in ("aws:garnet", "first", "qubits 12", "depth >= 40", "run seconds 2.5"):
        assert part in first
    (moved,) = [line for line in lines if "aws:garnet -> simulation" in line]
    assert "simulator" in moved
    assert "all" in moved


def test_what_was_said_before_has_its_time_in_the_table(fake) -> None:
    said = view(kind="optimize", appraisals=[GARNET | {"said_at": "2026-11-22T01:02:03Z"}])
    fake.say("GET", "/v1/jobs/j1", Answer(body=said))
    assert "aws:garnet (said 01:02:03)" in run(fake, "job", "j1").output


@pytest.mark.parametrize(
    ("said", "asked"), [("j0", {"job": "j0"}), ("j0:7", {"job": "j0", "round": 7}), ("j0:0", {"job": "j0", "round": 0})]
)
def test_from_writes_the_earlier_job_into_the_document(fake, tmp_path, said, asked) -> None:
    (tmp_path / "loop.json").write_bytes(LOOP)
    fake.say("POST", "/v1/jobs", Answer(202, {"job_id": "j1", "tenant": "default", "state": "queued"}))
    submitted = run(fake, "submit", str(tmp_path / "loop.json"), "--from", said)
    assert submitted.exit_code == 0, submitted.output
    (sent,) = fake.of("POST", "/v1/jobs")
    document = json.loads(sent.body)
    assert document.pop("from") == asked
    assert document == json.loads(LOOP)


def test_from_what_is_no_round_or_into_what_is_no_document_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InvalidDocumentError) as refused:
        continued(LOOP, "j0:last")
    assert "'last' is not the number of a round" in refused.value.problems[0].reason
    with pytest.raises(InvalidDocumentError):
        continued(b"[1]", "j0")
