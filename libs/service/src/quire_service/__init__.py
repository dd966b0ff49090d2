"""What each process needs besides its idea: settings, telemetry, logs, health, and one way to start and stop.

Every service has the same bones. For a service named `control-plane` (package `quire_control_plane`)::

    src/quire_control_plane/
        __main__.py     the composition root, nothing else
        settings.py     class Settings(ServiceSettings): fields with defaults, units in names
        handlers.py     async def build(deps: Deps[Settings]) -> Parts
        <idea>.py       pure modules: no async, no clock, no broker

`__main__.py`, whole::

    from importlib.metadata import version

    from quire_control_plane.handlers import build
    from quire_control_plane.settings import Settings
    from quire_service import Service, run

    SERVICE = Service(name="control-plane", version=version("quire-control-plane"), settings=Settings, build=build)


    def main() -> None:
        run(SERVICE)


    if __name__ == "__main__":
        main()

`settings.py`: every field is read from `QUIRE_<SERVICE>_<FIELD>` (here `QUIRE_CONTROL_PLANE_WINDOW_SECONDS`), or from
the file that `QUIRE_<SERVICE>_<FIELD>_FILE` names. The fields of `ServiceSettings` itself are also read from
`QUIRE_<FIELD>`, for all services at once (`QUIRE_NATS_URL`). `Settings(window_seconds=0.1)` in a test reads no
environment at all::

    from quire_service import Field, Secret, ServiceSettings

    class Settings(ServiceSettings):
        window_seconds: float = Field(default=0.05, gt=0, le=60, description="How long a batch waits for company.")
        database_password: Secret | None = None

`handlers.py` builds everything from what it is handed and connects nothing at import::

    async def build(deps: Deps[Settings]) -> Parts:
        router = Router("control-plane")

        @router.consume(SubmitJob)
        async def do_submit_job(message: SubmitJob, delivery: Delivery[SubmitJob]) -> None:
            ...

        async def close_windows(stopping: asyncio.Event) -> None:    # a background task
            while not stopping.is_set():
                ...

        engine = create_async_engine(deps.settings.database_url)
        deps.lifetime.push_async_callback(engine.dispose)            # closed after the handlers, before the bus
        return Parts(routers=(router,), background={"windows": close_windows}, checks={"database": ping})

- `deps.settings` the service's own settings, frozen; `deps.bus` (`publisher`, `records`, `blobs`), connected;
  `deps.clock` (`now()`, `monotonic()`, `sleep()`); `deps.tracer` and `deps.meter` are this service's, never global;
  `deps.log` a structlog logger whose lines already carry service, version and the ids of the message in hand;
  `deps.instance` who this replica is; `deps.lifetime` an `AsyncExitStack` for what build opens.
- `Parts.background`: each task gets an event that is set when the service stops; it then finishes what it holds and
  returns within `settings.graceful_seconds`. A task that ends before that, or raises, ends the service (exit code 70).
- `Parts.checks`: async functions that raise with a reason when the service could not do its work; `/readyz` runs them,
  each within 2 s, beside the broker's own end-to-end check.
- HTTP: `async with http_server(app, host=..., port=...) as port: await stopping.wait()` inside a background task.

Start: settings, logs, telemetry, health, bus, `build`, background tasks, handlers. Stop, in bounded time: not ready, no
new messages, running handlers, background tasks, `lifetime`, bus, telemetry. Exit codes are in `quire_service.exits`.
A test, or `all-in-one`, hosts any number of services in one event loop::

    async with hosted(SERVICE, Settings(nats_url=server.url)) as running:
        ...
"""

from quire_resilience.clock import Clock, SystemClock
from quire_service.composition import Background, Check, Deps, Parts, Service
from quire_service.exits import Exit
from quire_service.hosting import Ended, Running, ServiceFailed, hosted
from quire_service.http import http_server
from quire_service.run import run
from quire_service.settings import Field, Secret, ServiceSettings, SettingsError, load_settings

__all__ = [
    "Background",
    "Check",
    "Clock",
    "Deps",
    "Ended",
    "Exit",
    "Field",
    "Parts",
    "Running",
    "Secret",
    "Service",
    "ServiceFailed",
    "ServiceSettings",
    "SettingsError",
    "SystemClock",
    "hosted",
    "http_server",
    "load_settings",
    "run",
]
