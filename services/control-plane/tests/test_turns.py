"""Tenants take turns: who submits one job does not wait for all that another submitted before."""

from quire_contracts.job import JobAccepted, SubmitJob
from quire_control_plane.__main__ import SERVICE


async def test_one_tenants_hundred_jobs_do_not_stand_before_anothers_one(serve, bus, probe, sample_body) -> None:
    seen = await probe("quire.evt.>")
    for number in range(100):
        await bus.publisher.publish(SubmitJob(job_id=f"job-{number}", tenant="flood", body=sample_body))
    await bus.publisher.publish(SubmitJob(job_id="job-1", tenant="guest", body=sample_body))
    await serve(SERVICE, workers=1)
    accepted = [event.tenant for event in await seen.wait(JobAccepted, 101)]
    assert accepted.index("guest") < 50
