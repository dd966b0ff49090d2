"""The route of replays: a job that ran runs again, as a new job with the same document and the same seed."""

from __future__ import annotations

from typing import Annotated, Final

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from quire_api import openapi
from quire_api.door import Door, Request, server_span, trace_id_of
from quire_api.jobs import JobId, Tenant
from quire_api.problems import Refusal, not_found
from quire_api.reading import record_of
from quire_api.submitting import only_key
from quire_api.view import Accepted, links_of
from quire_contracts.intake import job_id_for, parse_document
from quire_contracts.job import ReplayJob

_WHERE: Final = "Where it runs; by default where the first one ran."
Where = Annotated[str | None, QueryParameter(pattern=r"^[a-z0-9-]{1,32}(:[A-Za-z0-9_.-]{1,64})?\Z", description=_WHERE)]


@post("/v1/jobs/{job_id:str}/replay", status_code=202, responses=openapi.refusals(404, 409, 410, 429))
async def replay_job(
    request: Request, door: NamedDependency[Door], job_id: JobId, tenant: Tenant = "default", target: Where = None
) -> Response[Accepted]:
    """Run a job again: the same document, the same seed, at the same place or a named one, and nothing from memory.

    `Location` names the new job, whose `replay_of` is the first one. With an `Idempotency-Key` a repetition is the same
    job.
    """
    door.admit(request)
    key = only_key(request)
    with server_span(door, request, "/v1/jobs/{job_id}/replay") as span:
        async with door.promptly():
            first = await record_of(door, tenant, job_id)
            if first is None:
                raise not_found(f"job {job_id} of tenant {tenant}", "Check the id, and name the tenant with ?tenant=.")
            if first.state == "rejected":
                title, detail = "There is nothing to run again", "the job was rejected"
                raise Refusal(409, "nothing-to-replay", title, detail, job_id=job_id, state=first.state)
            door.intake.admit(parse_document(await door.bus.blobs.get(first.document)))
            new_id = job_id_for(tenant, f"replay {job_id} {key}") if key is not None else door.new_id()
            command = ReplayJob(job_id=new_id, tenant=tenant, replay_of=job_id, target=target)
            await door.bus.publisher.publish(command)
        span.set_attributes({"quire.job.id": new_id, "quire.tenant": tenant, "quire.replay_of": job_id})
        accepted = Accepted(
            new_id, tenant, "queued", links_of(tenant, new_id), trace_id=trace_id_of(span), replay_of=job_id
        )
    return Response(accepted, headers={"Location": accepted.links.self})


ROUTES = (replay_job,)
