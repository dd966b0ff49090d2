"""What every route reaches: the bus, the clock, the limits, and whether the door is closing."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from litestar import Request as AnyRequest
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.typing import FilteringBoundLogger

from quire_api.gate import Gate
from quire_api.intake import Intake
from quire_api.problems import Refusal
from quire_api.settings import Settings
from quire_bus.bus import Bus
from quire_bus.errors import Unknown
from quire_bus.records import Records
from quire_contracts.record import JobRecord
from quire_resilience.clock import Clock

Request = AnyRequest[Any, Any, Any]

_PROPAGATOR = TraceContextTextMapPropagator()


@dataclass(slots=True, kw_only=True)
class Door:
    """Handed to every route.

    stopping: set when the service stops; streams and waits then end.   waiting: how many of them there are.
    """

    settings: Settings
    bus: Bus
    clock: Clock
    tracer: Tracer
    log: FilteringBoundLogger
    gate: Gate
    intake: Intake
    new_id: Callable[[], str]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    @property
    def jobs(self) -> Records[JobRecord]:
        """The records of the jobs."""
        return self.bus.records("job", JobRecord)

    def admit(self, request: Request) -> None:
        """Let a write in, or say when to come again.

        Raises:
            Refusal: 429, with Retry-After.
        """
        client = request.client.host if request.client else ""
        seconds = self.gate.wait(client, self.clock.monotonic())
        if seconds:
            after = {"Retry-After": str(math.ceil(seconds))}
            raise Refusal(429, "too-many-requests", "This client writes too often", "", "Slow down.", headers=after)

    @property
    def is_full(self) -> bool:
        """Whether as many requests stay open as may."""
        return self.waiting >= self.settings.streams

    def has_room(self) -> None:
        """Refuse a request that would stay open when too many are.

        Raises:
            Refusal: 503, with Retry-After.
        """
        if self.is_full:
            after = {"Retry-After": "5"}
            title = "Too many streams are open"
            raise Refusal(503, "too-many-streams", title, "", "Ask without waiting, or later.", headers=after)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Count one request that stays open, as a stream or a wait."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    @contextlib.asynccontextmanager
    async def promptly(self) -> AsyncIterator[None]:
        """Whatever the broker is asked inside is answered in time, or not at all.

        Raises:
            Unknown: after `answer_seconds`; what was being written may have been written.
        """
        limit = self.settings.answer_seconds
        try:
            async with asyncio.timeout(limit):
                yield
        except TimeoutError:
            raise Unknown(f"no answer from the broker within {limit:g} s") from None

    async def body_of(self, request: Request) -> bytes:
        """The request's whole body, bounded in size by the application and in time by the settings.

        Raises:
            Refusal: 408, if it does not arrive in time.
        """
        limit = self.settings.body_seconds
        try:
            async with asyncio.timeout(limit):
                return await request.body()
        except TimeoutError:
            detail = f"the body did not arrive within {limit:g} s"
            raise Refusal(408, "too-slow", "The request took too long to arrive", detail) from None


@contextlib.contextmanager
def server_span(
    door: Door, request: Request, route: str, *, traceparent: str | None = None, tracestate: str | None = None
) -> Iterator[Span]:
    """The span of a write: child of the request's `traceparent`, else of the given one, else the root of a trace.

    Reads have none: clients that poll would drown the job's trace.
    """
    carrier = {name: value for name in ("traceparent", "tracestate") if (value := request.headers.get(name))}
    if "traceparent" not in carrier and traceparent:
        carrier = {"traceparent": traceparent, **({"tracestate": tracestate} if tracestate else {})}
    attributes = {
        "http.request.method": request.method,
        "http.route": route,
        "url.path": request.url.path,
        "url.scheme": request.url.scheme,
    }
    context = _PROPAGATOR.extract(carrier) if carrier else None
    name = f"{request.method} {route}"
    with door.tracer.start_as_current_span(
        name,
        context,
        kind=SpanKind.SERVER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Refusal as refusal:
            span.set_attribute("http.response.status_code", refusal.status)
            span.set_attribute("error.type", refusal.code)
            raise
        except Exception as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise


async def end_all(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they are over, however they end.

    Asked more than once: before Python 3.12 `asyncio.wait_for`, also that in libraries, can swallow a cancellation.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1.0)
    await asyncio.gather(*tasks, return_exceptions=True)


def trace_id_of(span: Span) -> str:
    """The trace's id in hexadecimal, or nothing where spans are inert."""
    context = span.get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""
