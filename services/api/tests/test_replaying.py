"""Replays at the door: what is asked of the control plane, and what is shown of the new job."""

from __future__ import annotations

import pytest

from quire_contracts.job import ReplayJob
from quire_contracts.record import Replay


async def test_a_replay_is_a_new_job_that_is_shown_before_anybody_took_it(house, probe):
    log = await probe("quire.cmd.>")
    await house.complete(await house.take("j1"))
    answer = await house.client.post("/v1/jobs/j1/replay?tenant=acme&target=qiskit:aer")
    made = answer.json()
    assert (answer.status_code, made["state"], made["replay_of"]) == (202, "queued", "j1")
    assert answer.headers["location"] == f"/v1/jobs/{made['job_id']}?tenant=acme"
    (command,) = await log.wait(ReplayJob)
    assert command == ReplayJob(job_id=made["job_id"], tenant="acme", replay_of="j1", target="qiskit:aer")
    assert (await house.client.get(answer.headers["location"])).json()["state"] == "queued"


async def test_the_same_key_gives_the_same_replay_and_another_one_another(house):
    await house.take("j1")
    keys = ("a", "a", "b", None)
    made = [
        (
            await house.client.post("/v1/jobs/j1/replay?tenant=acme", headers={"idempotency-key": key} if key else {})
        ).json()
        for key in keys
    ]
    first, again, other, unnamed = (each["job_id"] for each in made)
    assert first == again
    assert len({first, other, unnamed, "j1"}) == 4


async def test_a_job_shows_what_it_repeats(house):
    await house.take("j2", replay=Replay(of="j1"))
    assert (await house.client.get("/v1/jobs/j2?tenant=acme")).json()["replay_of"] == "j1"


@pytest.mark.parametrize(("path", "status"), [("j9/replay", 404), ("j1/replay?target=no%20target", 400)])
async def test_what_cannot_run_again_is_refused(house, path, status):
    assert (await house.client.post(f"/v1/jobs/{path}")).status_code == status


async def test_a_rejected_job_has_nothing_to_run_again(house, probe):
    await house.take("j1", state="rejected")
    answer = await house.client.post("/v1/jobs/j1/replay?tenant=acme")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing-to-replay")
    assert await house.bus.last(ReplayJob, "acme", "j1") is None
