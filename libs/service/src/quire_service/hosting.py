"""One service's life inside an event loop that may host several: started and stopped in order, in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from opentelemetry.metrics import Meter
from opentelemetry.trace import Tracer

from quire_bus.bus import Bus, BusSettings, Connecting
from quire_bus.connection import connect
from quire_bus.envelope import Meta
from quire_resilience.backoff import Backoff
from quire_resilience.clock import Clock, SystemClock
from quire_resilience.errors import Transient
from quire_service import logs
from quire_service.background import Watched
from quire_service.composition import Deps, Parts, Service, SettingsT
from quire_service.exits import Exit
from quire_service.health import Health
from quire_service.http import http_server
from quire_service.metrics import metering
from quire_service.telemetry import resource_of, tracing

SLACK_SECONDS = 6.0
"""What a stop may take beyond `graceful_seconds`: cancelled tasks, closing what was opened, flushing spans."""

CONNECT_SECONDS = 5.0
"""One attempt to connect; there are as many as fit into `start_seconds`."""

_START = Backoff(base=0.1, cap=5.0)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a service ended: the exit code of a process that runs it alone, and one sentence."""

    exit: Exit
    reason: str


class ServiceFailed(Exception):
    """A hosted service ended before it was asked to."""

    def __init__(self, service: str, ended: Ended) -> None:
        super().__init__(f"{service} ended: {ended.reason} ({ended.exit.name.lower()}, {int(ended.exit)})")
        self.ended = ended


class _NotReady(Exception):
    """The broker did not become ready within the time for a start."""


class Running(Generic[SettingsT]):
    """A service that lives in a task and a context of its own, from construction on.

    connecting: how it reaches the broker; services that share a process may share a connection.
    health_port: where /livez, /readyz, /info and /metrics are served, or None while they are not.
    """

    def __init__(
        self,
        service: Service[SettingsT],
        settings: SettingsT,
        *,
        clock: Clock | None = None,
        connecting: Connecting = connect,
    ) -> None:
        self.name = service.name
        self.health_port: int | None = None
        self._service = service
        self._settings = settings
        self._clock: Clock = clock or SystemClock()
        self._connecting = connecting
        self._instance = settings.instance or f"{socket.gethostname()}-{os.getpid()}"
        self._log = logs.logger_for(service.name, service.version)
        self._health = Health(
            service=service.name,
            version=service.version,
            instance=self._instance,
            environment=settings.environment,
            clock=self._clock,
        )
        self._ended: Ended | None = None
        self._over = asyncio.Event()
        self._up = asyncio.Event()
        # A context of its own: what this service binds to its logs and traces stays out of its neighbours'.
        self._task = asyncio.create_task(self._live(), name=service.name, context=contextvars.copy_context())

    @property
    def state(self) -> str:
        """One of starting, running, stopping, stopped."""
        return self._health.state

    async def faults(self) -> dict[str, str]:
        """What `/readyz` says: the reasons, by check, why the service cannot work now; empty when it can."""
        return await self._health.faults()

    async def started(self) -> None:
        """Wait until the service consumes.

        Raises:
            ServiceFailed: it ended instead.
        """
        up = asyncio.create_task(self._up.wait())
        try:
            await asyncio.wait({up, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
        if not self._up.is_set():
            raise ServiceFailed(self.name, await self.ended())

    def end(self, code: Exit, reason: str) -> None:
        """Ask the service to stop; the first reason given is the one that counts. Returns at once."""
        if self._ended is not None:
            return
        self._ended = Ended(code, reason)
        self._over.set()
        if self.state == "starting":
            self._task.cancel()

    async def ended(self) -> Ended:
        """Wait until the service is over and everything it had is closed, and say why it ended."""
        await asyncio.wait({self._task})
        return self._ended or Ended(Exit.CRASH, "cancelled")

    async def _live(self) -> None:
        logs.name_process(self._service.name, self._service.version)
        try:
            async with AsyncExitStack() as stack:
                await self._serve(stack)
        except _NotReady as error:
            self.end(Exit.BROKER, str(error))
        except asyncio.CancelledError:
            if self._ended is None:
                raise
        except Exception as error:  # noqa: BLE001 - the last line of defence turns it into an exit code
            self._log.exception("crashed")
            self.end(Exit.CRASH, f"{type(error).__name__}: {error}")
        finally:
            self._health.state = "stopped"
            ended = self._ended or Ended(Exit.CRASH, "cancelled")
            self._log.info("stopped", reason=ended.reason, code=int(ended.exit))

    async def _serve(self, stack: AsyncExitStack) -> None:
        """Everything between start and stop; `stack` closes in reverse what was opened here."""
        begun = self._clock.monotonic()
        await self._open_health(stack)
        tracer, meter = await self._open_telemetry(stack)
        bus = await self._patiently(lambda: self._connect(stack, tracer))
        lifetime = await stack.enter_async_context(AsyncExitStack())
        parts = await self._build(bus, tracer, meter, lifetime)
        for router in parts.routers:
            bus.include(router)
        background = Watched(
            parts.background, service=self.name, log=self._log, fail=lambda reason: self.end(Exit.CRASH, reason)
        )
        try:
            await self._patiently(bus.start)
            await self._patiently(bus.check)  # one round trip: what was subscribed before it is at the broker by now
            self._health.watch({"broker": bus.check, **parts.checks})
            self._health.state = "running"
            self._up.set()
            self._log.info("ready", seconds=round(self._clock.monotonic() - begun, 3), health_port=self.health_port)
            await self._over.wait()
        finally:
            self._health.state = "stopping"
            self._log.info("stopping", reason=self._ended.reason if self._ended else "cancelled")
            deadline = self._clock.monotonic() + self._settings.graceful_seconds
            # Handlers first: they may wait for a background task's window, and background tasks may still publish.
            await bus.stop()
            await background.stop(max(1.0, deadline - self._clock.monotonic()))

    async def _open_health(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        if settings.health_port:
            server = http_server(
                self._health.app, host=settings.health_host, port=settings.health_port, graceful_seconds=1.0
            )
            self.health_port = await stack.enter_async_context(server)

    async def _open_telemetry(self, stack: AsyncExitStack) -> tuple[Tracer, Meter]:
        settings, version = self._settings, self._service.version
        resource = partial(
            resource_of,
            service=self.name,
            version=version,
            instance=self._instance,
            environment=settings.environment,
        )
        meter, self._health.metrics = await stack.enter_async_context(
            metering(resource, version, endpoint=settings.otlp_metrics_endpoint, page=self.health_port is not None)
        )
        tracer = await stack.enter_async_context(
            tracing(
                resource,
                version,
                endpoint=settings.otlp_endpoint,
                schedule_delay_ms=settings.otlp_schedule_delay_ms,
                clock=self._clock,
                per_second=None if settings.otlp_traces_sampler else settings.traces_per_second,
            )
        )
        return tracer, meter

    async def _connect(self, stack: AsyncExitStack, tracer: Tracer) -> Bus:
        settings = BusSettings(
            url=self._settings.nats_url,
            name=self.name,
            nkeys_seed=self._settings.nats_nkey_seed_file,
            tls_ca=self._settings.nats_tls_ca_file,
            connect_seconds=min(self._settings.start_seconds, CONNECT_SECONDS),
            graceful_seconds=self._settings.graceful_seconds,
        )
        connection = Bus.connect(
            settings,
            tracer=tracer,
            around=_ids_of,
            clock=self._clock,
            on_fatal=lambda reason: self.end(Exit.BROKER, reason),
            connecting=self._connecting,
        )
        return await stack.enter_async_context(connection)

    async def _build(self, bus: Bus, tracer: Tracer, meter: Meter, lifetime: AsyncExitStack) -> Parts:
        return await self._service.build(
            Deps(
                settings=self._settings,
                bus=bus,
                clock=self._clock,
                tracer=tracer,
                meter=meter,
                log=self._log,
                instance=self._instance,
                lifetime=lifetime,
            )
        )

    async def _patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """Repeat `action` while the broker, or what is provisioned on it, may still be coming up."""
        limit = self._settings.start_seconds
        reason, attempt = "no answer", 0
        try:
            async with asyncio.timeout(limit):
                while True:
                    attempt += 1
                    try:
                        return await action()
                    except Transient as error:
                        reason = error.reason
                    self._log.warning("waiting for the broker", reason=reason, attempt=attempt)
                    await asyncio.sleep(_START.delay(attempt, random.random))
        except TimeoutError:
            raise _NotReady(f"the broker was not ready within {limit:g} s: {reason}") from None


@contextlib.asynccontextmanager
async def hosted(
    service: Service[SettingsT], settings: SettingsT, *, clock: Clock | None = None
) -> AsyncIterator[Running[SettingsT]]:
    """Run `service` in this event loop, consuming, for as long as the block runs; then stop it gracefully.

    Watch `Running.ended` to learn of an end that the block did not ask for.

    Raises:
        ServiceFailed: it did not come up, with the exit code and the reason.
    """
    running = Running(service, settings, clock=clock)
    try:
        await running.started()
        yield running
    finally:
        running.end(Exit.OK, "no longer needed")
        await running.ended()


def _ids_of(meta: Meta) -> logs.ids:
    """The ids that every log line of one message's handler carries; a batch's key is a batch, any other's is a job."""
    if ".batch." in meta.type:
        return logs.ids(tenant=meta.tenant, batch_id=meta.key)
    return logs.ids(tenant=meta.tenant, job_id=meta.correlation_id)
