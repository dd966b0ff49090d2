"""The routes of parked submissions: nobody can say whether a provider has the work, so an operator must."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from quire_api import openapi
from quire_api.door import Door, Request, server_span
from quire_api.problems import Refusal, not_found
from quire_bus.errors import QueryFailed
from quire_contracts.query import FindParked, ParkedList, SettleSubmission, SubmissionSettled

_GATEWAY = "quantum-gateway"

Batch = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The batch's id.")]
By = Annotated[str, QueryParameter(max_length=128, description="Who says so; it is kept in the journal.")]
ProviderJob = Annotated[
    str, QueryParameter(min_length=1, max_length=2_048, description="The job's own id at its provider.")
]


@get("/v1/parked", responses=openapi.refusals(503))
async def list_parked(door: NamedDependency[Door]) -> ParkedList:
    """List the submissions that wait for an operator, the earliest first.

    Look each up at its provider, by its token where the provider shows it; then adopt its job, or abandon it.
    """
    async with door.promptly():
        return await door.bus.ask(_GATEWAY, "parked", FindParked(), ParkedList)


@post("/v1/parked/{batch_id:str}/adopt", status_code=200, responses=openapi.refusals(404, 409, 503))
async def adopt_parked(
    request: Request, door: NamedDependency[Door], batch_id: Batch, provider_job_id: ProviderJob, by: By = ""
) -> SubmissionSettled:
    """Go on with a job that was found at the provider: its answer is fetched and stated."""
    door.admit(request)
    with server_span(door, request, "/v1/parked/{batch_id}/adopt"):
        return await _settle(door, SettleSubmission(batch_id=batch_id, provider_job_id=provider_job_id, by=by))


@post("/v1/parked/{batch_id:str}/abandon", status_code=200, responses=openapi.refusals(404, 409, 503))
async def abandon_parked(
    request: Request, door: NamedDependency[Door], batch_id: Batch, by: By = ""
) -> SubmissionSettled:
    """Say that nothing will come of a submission; should its job turn up later, it is cancelled."""
    door.admit(request)
    with server_span(door, request, "/v1/parked/{batch_id}/abandon"):
        return await _settle(door, SettleSubmission(batch_id=batch_id, by=by))


async def _settle(door: Door, word: SettleSubmission) -> SubmissionSettled:
    try:
        async with door.promptly():
            return await door.bus.ask(_GATEWAY, "settle", word, SubmissionSettled)
    except QueryFailed as error:
        if error.code == "no-such-submission":
            raise not_found(f"submission of batch {word.batch_id}") from None
        if error.code == "not-parked":
            raise Refusal(409, error.code, "It does not wait for an operator", error.reason, error.next_step) from None
        raise


ROUTES = (list_parked, adopt_parked, abandon_parked)
