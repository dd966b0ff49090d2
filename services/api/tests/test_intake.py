"""New jobs at a house that is too far behind: who is asked to come again, when, and what is stored of it."""

from __future__ import annotations

import json

import pytest
from api_house import BELL

from quire_api.intake import Intake, facts_of
from quire_contracts.intake import parse_document
from quire_contracts.job import SubmitJob
from quire_contracts.load import LOAD_KEYS, LoadReport, TargetLoad
from quire_policy import default_rules
from quire_resilience.clock import SystemClock
from quire_service.loads import loads_of
from quire_testing import eventually


def behind(seconds, *targets):
    """Reports of so many seconds of work at each target."""
    return {
        target: TargetLoad(
            target=target, waiting=50, in_flight=1, wait_seconds=seconds, batch_seconds=1.0, error_rate=0.0
        )
        for target in targets or ("simulation", "qiskit:aer", "braket:local")
    }


@pytest.fixture
def load(house):
    """`load(loads)`: the house is as busy as that, by the rules that ship."""

    def set_to(loads):
        house.door.intake = Intake(default_rules(), lambda: loads)

    return set_to


async def test_research_is_asked_to_come_again_and_told_why_and_when(house, load, probe):
    log = await probe("quire.>")
    load(behind(960.0))
    answer = await house.client.post("/v1/jobs", json=BELL)
    said = answer.json()
    assert (answer.status_code, said["code"]) == (429, "too-far-behind")
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.headers["Retry-After"] == "60"
    (problem,) = said["problems"]
    assert problem["pointer"] == "/priority"
    assert "simulation has 50 tasks waiting and 960 s to wait" in problem["reason"]
    assert problem["limit"] == "min_wait_seconds = 900, priority = research"
    assert problem["hint"]
    assert "in 60 s" in said["next_step"]
    urgent = await house.client.post("/v1/jobs", json={**BELL, "priority": "production"})
    assert urgent.status_code == 202
    (stored,) = await log.wait(SubmitJob)
    assert stored.job_id == urgent.json()["job_id"], "nothing is stored of what was turned away"


@pytest.mark.parametrize(
    ("loads", "document", "status"),
    [
        ({}, {}, 202),
        (behind(890.0), {}, 202),
        (behind(1000.0, "simulation"), {}, 429),
        (behind(1000.0, "qiskit:aer"), {}, 202),
        (behind(1000.0, "qiskit:aer"), {"targets": ["qiskit:aer", "simulation"]}, 202),
        (behind(1000.0, "qiskit:aer"), {"targets": ["qiskit:aer", "simulation"], "seed": 5}, 429),
        (behind(1000.0, "simulation"), {"seed": 5}, 429),
        (behind(1000.0, "simulation"), {"targets": ["simulation"]}, 429),
        (behind(1000.0, "simulation"), {"targets": ["simulation"], "priority": "validation"}, 202),
        (behind(1800.0, "simulation"), {"targets": ["simulation"], "priority": "validation"}, 429),
        (behind(3599.0), {"priority": "customer-facing"}, 202),
        (behind(3600.0), {"priority": "customer-facing"}, 429),
    ],
)
async def test_a_job_is_let_in_while_there_is_a_way_for_it(house, load, loads, document, status):
    load(loads)
    assert (await house.client.post("/v1/jobs", json={**BELL, **document})).status_code == status


async def test_a_job_that_is_in_already_is_shown_however_busy_the_house_is(house, load):
    document = {**BELL, "idempotency_key": "order-9"}
    first = await house.client.post("/v1/jobs", json=document)
    await house.take(first.json()["job_id"], document)
    load(behind(10_000.0))
    again = await house.client.post("/v1/jobs", json=document)
    assert (again.status_code, again.json()["repeated"]) == (202, True)
    assert (await house.client.post("/v1/jobs", json={**document, "idempotency_key": "order-10"})).status_code == 429


async def test_the_reports_of_batching_are_what_counts(house):
    async with loads_of(house.door.bus, SystemClock()) as loads:
        house.door.intake = Intake(default_rules(), loads.current)
        targets = tuple(behind(1000.0).values())
        report = LoadReport(instance="a", at=SystemClock().now(), targets=targets)

        async def refused():  # a report is a hint, which batching repeats: one said before anybody listens is lost
            await house.bus.bucket("backends", LoadReport).put(f"{LOAD_KEYS}a", report)
            return (await house.client.post("/v1/jobs", json=BELL)).status_code == 429

        await eventually(refused)


@pytest.mark.parametrize(
    ("document", "phase", "shots"),
    [
        ({"kind": "sample", "program": "x", "shots": 7}, "main", 7),
        ({"kind": "estimate", "program": "x", "observables": [{"Z": 1}]}, "main", None),
        ({"kind": "estimate", "program": "x", "observables": [{"Z": 1}], "precision": 0.1}, "main", 100),
        ({"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}}, "sweep", 1024),
        ({"kind": "minimize", "hamiltonian": {"Z": 1.0}}, "sweep", None),
        ({"kind": "minimize", "hamiltonian": {"Z": 1.0}, "precision": 0.1}, "sweep", 100),
    ],
)
def test_the_rules_see_of_a_job_what_its_document_says(document, phase, shots):
    facts = facts_of(parse_document(body_of({**document, "seed": 3, "deadline_seconds": 9, "project": "p"})))
    assert (facts.kind, facts.phase, facts.shots, facts.qubits) == (document["kind"], phase, shots, None)
    assert (facts.seeded, facts.seconds_left, facts.project, facts.priority) == (True, 9, "p", "research")


def body_of(document):
    return json.dumps(document).encode()
