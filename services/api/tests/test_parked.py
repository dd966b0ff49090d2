"""Parked submissions at the door: what waits for an operator, and the operator's word."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quire_bus.router import Router
from quire_contracts.query import FindParked, ParkedList, ParkedSubmission, SettleSubmission, SubmissionSettled
from quire_resilience.errors import Permanent

PARKED = ParkedSubmission(
    batch_id="b1", target="ibm:fez", token="b1-x", since=datetime(2026, 3, 1, 12, tzinfo=UTC), reserved_usd=1.25
)


@pytest.fixture
async def words(make_bus):
    """What operators said to a gateway that has one parked submission."""
    said, gateway, router = [], await make_bus("quantum-gateway"), Router("quantum-gateway")

    @router.answer("parked", FindParked)
    async def answer_parked(_):
        return ParkedList((PARKED,))

    @router.answer("settle", SettleSubmission)
    async def answer_settle(word):
        said.append(word)
        if word.batch_id != "b1":
            code = "no-such-submission" if word.batch_id == "b9" else "not-parked"
            raise Permanent(code, "not so", next_step="Look again.")
        return SubmissionSettled(word.batch_id, "adopted" if word.provider_job_id else "abandoned")

    gateway.include(router)
    await gateway.start()
    return said


async def test_what_waits_for_an_operator_is_listed(house, words):
    assert (await house.client.get("/v1/parked")).json() == {
        "submissions": [
            {
                "batch_id": "b1",
                "target": "ibm:fez",
                "token": "b1-x",
                "since": "2026-03-01T12:00:00Z",
                "reserved_usd": 1.25,
                "jobs": [],
            }
        ]
    }


async def test_an_operators_word_reaches_the_gateway(house, words):
    adopted = await house.client.post("/v1/parked/b1/adopt", params={"provider_job_id": "arn:aws:x/7", "by": "ann"})
    assert (adopted.status_code, adopted.json()) == (200, {"batch_id": "b1", "state": "adopted"})
    abandoned = await house.client.post("/v1/parked/b1/abandon")
    assert (abandoned.status_code, abandoned.json()["state"]) == (200, "abandoned")
    assert words == [SettleSubmission("b1", "arn:aws:x/7", "ann"), SettleSubmission("b1")]


async def test_a_word_on_what_does_not_wait_is_refused(house, words):
    assert (await house.client.post("/v1/parked/b9/abandon")).status_code == 404
    refused = await house.client.post("/v1/parked/b2/abandon")
    assert (refused.status_code, refused.json()["code"], refused.json()["next_step"]) == (
        409,
        "not-parked",
        "Look again.",
    )
    assert (await house.client.post("/v1/parked/b1/adopt")).status_code == 400
    assert (await house.client.post("/v1/parked/a.b/abandon")).status_code in (400, 404)


async def test_without_a_gateway_nobody_knows(house):
    assert (await house.client.get("/v1/parked")).status_code == 503
