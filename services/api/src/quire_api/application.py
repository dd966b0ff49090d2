"""The ASGI application: the routes, and one place where every error becomes a problem document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from litestar import Litestar, Request, Response, asgi
from litestar.di import Provide
from litestar.exceptions import HTTPException

from quire_api import backends, dead_letters, documents, jobs, openapi, parked, replaying, switches
from quire_api.door import Door
from quire_api.problems import INTERNAL, MEDIA_TYPE, ProblemDocument, refusal_of
from quire_contracts.limits import DOCUMENT_BYTES

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send

    from quire_service.health import Health

_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def application(door: Door, health: Health, version: str) -> Litestar:
    """The application of one door; `health` answers /livez, /readyz and /info on the same port."""

    def problem(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDocument]:
        refusal = refusal_of(error)
        if refusal is None:
            door.log.error("a request failed", method=request.method, path=request.url.path, exc_info=error)
            refusal = INTERNAL
        headers = {**refusal.headers, **_HEADERS}
        document = refusal.document(request.url.path)
        return Response(document, status_code=refusal.status, media_type=MEDIA_TYPE, headers=headers)

    @asgi(["/livez", "/readyz", "/info"], copy_scope=True)
    async def probes(scope: Scope, receive: Receive, send: Send) -> None:
        await health.app(scope, receive, cast("Any", send))

    return Litestar(
        [
            *jobs.ROUTES,
            *replaying.ROUTES,
            *backends.ROUTES,
            *switches.ROUTES,
            *dead_letters.ROUTES,
            *parked.ROUTES,
            *documents.ROUTES,
            probes,
        ],
        dependencies={"door": Provide(lambda: door, sync_to_thread=False)},
        exception_handlers={HTTPException: problem, Exception: problem},
        openapi_config=openapi.config(version),
        request_max_body_size=DOCUMENT_BYTES,
        response_headers=_HEADERS,
        logging_config=None,
        debug=False,
    )
