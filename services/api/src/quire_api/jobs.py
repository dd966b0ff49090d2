"""The routes of jobs: submit, list, read, follow, cancel."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, HeaderParameter, PathParameter, QueryParameter
from litestar.response import Stream

from quire_api import openapi, streaming
from quire_api.door import Door, Request, server_span, trace_id_of
from quire_api.problems import Refusal
from quire_api.reading import COUNTS_MEDIA_TYPE, ended_before, read_answer, read_job, record_of
from quire_api.submission import enclosed
from quire_api.submitting import accepted_type, only_key, submit
from quire_api.view import Accepted, Job, answered
from quire_api.waiting import asked_wait, once_over
from quire_contracts.job import CancelJob
from quire_contracts.query import FindJobs, JobList, JobSummary
from quire_contracts.record import TERMINAL, JobState
from quire_resilience.errors import QuireError

JobId = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,64}\Z", description="The job's id.")]
Tenant = Annotated[str, QueryParameter(pattern=r"^[a-z0-9-]{1,40}\Z", description="Whose job it is.")]


_WAIT: Final = (
    "How long to wait for the final answer, at most, as `2s`, `500ms` or seconds; then the best one so far is given. "
    "Or the header `Prefer: wait=2`."
)
Wait = Annotated[str | None, QueryParameter(max_length=64, description=_WAIT)]
_COUNTS: Final = "Whether packed counts are written out as objects, or left to be fetched packed by the result link."
_PARENT: Final = "The children of this job, which are left out else."
_REVIEW: Final = "Only the jobs whose answer a person is to look at."


class Jobs(msgspec.Struct, frozen=True):
    """Jobs of a tenant, newest first; `next` is the path of the page behind this one, if there may be one."""

    jobs: tuple[JobSummary, ...]
    next: str | None = None


@post(
    "/v1/jobs",
    status_code=202,
    operation_class=openapi.SubmitOperation,
    responses=openapi.refusals(400, 409, 413, 415, 422, 429, 503),
)
async def submit_job(request: Request, door: NamedDependency[Door], wait: Wait = None) -> Response[Accepted]:
    """Submit a job document.

    The answer comes when the submission is stored; `Location` names the job. With an `Idempotency-Key` a repetition is
    the same job, and other content under the same key is refused. With a `wait` the answer comes when the job is over
    (status 200), or after so long with the best `answer` so far (202): the job goes on.
    """
    door.admit(request)
    asked, preferred = asked_wait(request, wait)
    seconds = min(asked, door.settings.wait_seconds)
    if seconds > 0:
        door.has_room()
    media_type, key = accepted_type(request), only_key(request)
    content = enclosed(await door.body_of(request), media_type)
    origin = {"traceparent": content.traceparent, "tracestate": content.tracestate}
    with server_span(door, request, "/v1/jobs", **origin) as span:
        async with door.promptly():
            accepted = await submit(door, content, key, trace_id_of(span))
        span.set_attributes({"quire.job.id": accepted.job_id, "quire.tenant": accepted.tenant})
        span.set_attribute("http.response.status_code", 202)
    headers = {"Location": accepted.links.self}
    if seconds <= 0:
        return Response(accepted, headers=headers)
    if preferred:
        headers["Preference-Applied"] = f"wait={seconds:g}"
    with contextlib.suppress(QuireError):  # it is stored, whatever becomes of the wait
        job = await _once_over(door, accepted.tenant, accepted.job_id, seconds, packed=False)
        accepted = answered(accepted, job)
    return Response(accepted, status_code=200 if accepted.state in TERMINAL else 202, headers=headers)


@get("/v1/jobs", responses=openapi.refusals(503))
async def list_jobs(  # noqa: PLR0917 - the framework calls it by name
    door: NamedDependency[Door],
    tenant: Tenant = "default",
    in_state: Annotated[JobState | None, QueryParameter(name="state")] = None,
    project: FromQuery[str | None] = None,
    before: FromQuery[datetime | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    parent: Annotated[str | None, QueryParameter(pattern=r"^[A-Za-z0-9_-]{1,64}\Z", description=_PARENT)] = None,
    needs_review: Annotated[bool, QueryParameter(description=_REVIEW)] = False,  # noqa: FBT002 - as above
) -> Jobs:
    """List a tenant's jobs, newest first, from the ledger; `before` is the acceptance time from which to go on."""
    question = FindJobs(
        tenant=tenant,
        state=in_state,
        project=project,
        before=before,
        limit=limit,
        parent=parent,
        needs_review=needs_review,
    )
    found = (await door.bus.ask("ledger", "jobs", question, JobList, seconds=door.settings.ledger_seconds)).jobs
    if not found:
        return Jobs(())
    given = {
        "tenant": tenant,
        "state": in_state,
        "project": project,
        "limit": limit,
        "parent": parent,
        "needs_review": "true" if needs_review else None,
        "before": found[-1].accepted_at.isoformat(),
    }
    query = urlencode({name: value for name, value in given.items() if value is not None})
    return Jobs(found, f"/v1/jobs?{query}")


@get("/v1/jobs/{job_id:str}", responses=openapi.refusals(400, 404, 503))
async def show_job(  # noqa: PLR0917 - the framework calls it by name
    request: Request,
    door: NamedDependency[Door],
    job_id: JobId,
    tenant: Tenant = "default",
    wait: Wait = None,
    counts: Annotated[Literal["written", "packed"], QueryParameter(description=_COUNTS)] = "written",
) -> Response[Job]:
    """Show all that is known of a job: its final answer, or the best one so far, marked `provisional`.

    A wait ends when the job does. It goes on without whoever waited.
    """
    packed = counts == "packed"
    asked, preferred = asked_wait(request, wait)
    seconds = min(asked, door.settings.wait_seconds)
    headers = {"Preference-Applied": f"wait={seconds:g}"} if preferred else {}
    if seconds > 0 and not door.is_full:
        return Response(await _once_over(door, tenant, job_id, seconds, packed=packed), headers=headers)
    async with door.promptly():
        job = await read_job(door, tenant, job_id, packed=packed)
    if seconds > 0 and job.state not in TERMINAL:
        door.has_room()
    return Response(job, headers=headers)


@get("/v1/jobs/{job_id:str}/result", responses=openapi.refusals(404, 410))
async def show_result(
    request: Request, door: NamedDependency[Door], job_id: JobId, tenant: Tenant = "default"
) -> Response[bytes]:
    """Fetch a job's answer alone: JSON, or packed counts where they are too many to be written out.

    Who accepts `application/vnd.quire.counts` gets packed counts as they are, however few they are.
    """
    packed = COUNTS_MEDIA_TYPE in request.headers.get("accept", "")
    async with door.promptly():
        content, media_type = await read_answer(door, tenant, job_id, packed=packed)
    return Response(content, media_type=media_type, headers={"Vary": "Accept"})


@get("/v1/jobs/{job_id:str}/events", responses=openapi.refusals(404), media_type=streaming.MEDIA_TYPE)
async def follow_job(
    door: NamedDependency[Door],
    job_id: JobId,
    tenant: Tenant = "default",
    last_event_id: Annotated[int, HeaderParameter(name="Last-Event-ID", ge=0, required=False)] = 0,
    after: Annotated[int, QueryParameter(ge=0, description="The same, where headers cannot be set.")] = 0,
) -> Response[Any]:
    """Follow a job's life as server-sent events.

    Each stored event has its place on the log as id and its short type as name; `progress` events are live remarks. The
    stream ends with the job; who comes back behind the end is answered 204.
    """
    start = max(last_event_id, after)
    async with door.promptly():
        await read_job(door, tenant, job_id, packed=True)
        if start and await ended_before(door, tenant, job_id, start):
            return Response(None, status_code=204)
    door.has_room()
    headers = {"X-Accel-Buffering": "no"}
    return Stream(streaming.frames(door, tenant, job_id, start), media_type=streaming.MEDIA_TYPE, headers=headers)


@delete("/v1/jobs/{job_id:str}", status_code=202, responses=openapi.refusals(404, 409))
async def cancel_job(
    request: Request,
    door: NamedDependency[Door],
    job_id: JobId,
    tenant: Tenant = "default",
    reason: Annotated[str, QueryParameter(max_length=2_000)] = "",
) -> Accepted:
    """Ask for a job to be stopped; what already ran stays recorded. Asking again changes nothing."""
    door.admit(request)
    async with door.promptly():
        record = await record_of(door, tenant, job_id)
    root = record.traceparent if record else None
    with server_span(door, request, "/v1/jobs/{job_id}", traceparent=root) as span:
        span.set_attributes({"quire.job.id": job_id, "quire.tenant": tenant})
        async with door.promptly():
            job = await read_job(door, tenant, job_id, packed=True)
        if job.state in TERMINAL and job.state != "cancelled":
            title, detail = "The job has ended already", f"it is {job.state}"
            raise Refusal(409, "job-over", title, detail, job_id=job_id, state=job.state)
        if job.state != "cancelled":
            cancel = CancelJob(job_id=job_id, tenant=tenant, reason=reason)
            async with door.promptly():
                await door.bus.publisher.publish(cancel, id_=door.new_id())
        span.set_attribute("http.response.status_code", 202)
    return Accepted(job_id, tenant, job.state, job.links, trace_id=job.trace_id)


async def _once_over(door: Door, tenant: str, job_id: str, seconds: float, *, packed: bool) -> Job:
    """The job as soon as it is over, at the latest after so long."""

    async def read() -> Job:
        return await read_job(door, tenant, job_id, packed=packed)

    return await once_over(door, (tenant, job_id), seconds, read, lambda job: job.state in TERMINAL)


ROUTES = (submit_job, list_jobs, show_job, show_result, follow_job, cancel_job)
