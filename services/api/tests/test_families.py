"""Jobs with children as the door shows them."""

from __future__ import annotations

from quire_bus.router import Router
from quire_contracts.family import Child, Family, Parent
from quire_contracts.preparation import Baseline
from quire_contracts.query import FindJobs, JobList
from quire_contracts.value import inline_blob

BASELINE = Baseline(method="exact", value=3.0, assignment=(0, 1), exact=True)
CONTENT = inline_blob(b"{}", "application/json")


async def test_a_parent_shows_its_children_and_a_child_whose_it_is(house):
    child = Child(name="part-0", role="part", job_id="c1", state="completed", document=CONTENT, value=2.5, shots=100)
    family = Family(
        children=(child, Child(name="part-1", role="part", job_id="c2")), baseline=BASELINE, sense="max", unit="weight"
    )
    await house.take("j1", family=family, kind="optimize")
    await house.take("c1", parent=Parent("j1", "part-0"))
    parent = (await house.client.get("/v1/jobs/j1?tenant=acme")).json()
    assert [(each["name"], each["job_id"], each["state"], each["value"]) for each in parent["children"]] == [
        ("part-0", "c1", "completed", 2.5),
        ("part-1", "c2", "planned", None),
    ]
    assert parent["children"][0]["document"] is None, "what it was asked is read at its own id"
    assert parent["baseline"]["value"] == 3.0
    assert (parent["answer"]["standing"], parent["answer"]["result"]["best"]["value"]) == ("provisional", 3.0)
    shown = (await house.client.get("/v1/jobs/c1?tenant=acme")).json()
    assert shown["parent"] == {"job_id": "j1", "name": "part-0"}
    assert shown["children"] == []


async def test_the_children_of_a_job_are_listed_where_they_are_asked_for(house, make_bus):
    asked, router, bus = [], Router("ledger"), await make_bus("ledger")

    async def reply(question: FindJobs) -> JobList:
        asked.append(question)
        return JobList(jobs=())

    router.answer("jobs", FindJobs)(reply)
    bus.include(router)
    await bus.start()
    await house.client.get("/v1/jobs?tenant=acme")
    await house.client.get("/v1/jobs?tenant=acme&parent=j1")
    assert (await house.client.get("/v1/jobs?tenant=acme&parent=no%20id")).status_code == 400
    assert [(each.parent, each.children) for each in asked] == [(None, False), ("j1", False)]


async def test_a_sweep_is_taken_and_a_faulty_variant_named(house):
    sweep = {"kind": "sweep", "base": {"kind": "sample", "program": "OPENQASM 3.0;"}, "variants": [{}, {"x": 1.0}]}
    assert (await house.client.post("/v1/jobs", json=sweep)).status_code == 202
    sweep["variants"][1]["patch"] = {"shots": 0}
    refused = await house.client.post("/v1/jobs", json=sweep)
    assert refused.status_code == 422
    assert [problem["pointer"] for problem in refused.json()["problems"]] == ["/variants/1/patch/shots"]
