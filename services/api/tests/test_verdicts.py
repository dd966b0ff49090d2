"""A verdict, and what waits for a person, as the door shows them."""

from __future__ import annotations

from datetime import UTC, datetime

from quire_bus.router import Router
from quire_contracts.preparation import Baseline
from quire_contracts.query import FindJobs, JobList, JobSummary
from quire_contracts.result import Best, OptimizeResult, Quality
from quire_contracts.verdict import Confidence, Part, Verdict

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
VERDICT = Verdict(
    call="classical better",
    reason="the classical answer is better by 2",
    certainty=1.0,
    value=7.0,
    classical=9.0,
    confidence=Confidence(0.75, (Part("samples", 0.75, "1 of 100 shots"),), "person", ("the gap is 0.2",)),
)


async def test_a_job_shows_its_verdict_and_why_a_person_is_to_look_at_it(house):
    known = Baseline(method="exact", value=9.0, assignment=(0, 1), exact=True)
    result = OptimizeResult(Best(7.0, (0, 1)), (), known, Quality(), verdict=VERDICT)
    await house.take("j1", state="completed", kind="optimize", result=result, needs_review="the gap is 0.2")
    job = (await house.client.get("/v1/jobs/j1?tenant=acme")).json()
    assert (job["state"], job["needs_review"]) == ("completed", "the gap is 0.2")
    assert job["verdict"] == job["result"]["verdict"]
    assert (job["verdict"]["call"], job["verdict"]["certainty"]) == ("classical better", 1.0)
    assert job["verdict"]["confidence"]["parts"] == [{"name": "samples", "value": 0.75, "why": "1 of 100 shots"}]


async def test_what_waits_for_a_person_is_listed_page_by_page(house, make_bus):
    asked, router, bus = [], Router("ledger"), await make_bus("ledger")
    found = JobSummary(
        *("j1", "acme", "optimize", "", "default", "research", "completed"),
        *(False, "", NOON, NOON, 100, 0.0),
        verdict="classical better",
        needs_review="the gap is 0.2",
    )

    async def reply(question: FindJobs) -> JobList:
        asked.append(question)
        return JobList(jobs=(found,))

    router.answer("jobs", FindJobs)(reply)
    bus.include(router)
    await bus.start()
    page = (await house.client.get("/v1/jobs?tenant=acme&needs_review=true")).json()
    assert [(job["verdict"], job["needs_review"]) for job in page["jobs"]] == [("classical better", "the gap is 0.2")]
    await house.client.get(page["next"])
    await house.client.get("/v1/jobs?tenant=acme")
    assert [(each.needs_review, each.before) for each in asked] == [(True, None), (True, NOON), (False, None)]
