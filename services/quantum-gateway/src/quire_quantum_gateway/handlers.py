"""What the gateway consumes and what it is made of."""

from __future__ import annotations

from functools import partial

from quire_bus.delivery import Delivery
from quire_bus.router import Router
from quire_contracts.batch import ExecuteBatch
from quire_plane import Lanes, Plane, batch_failed, warm
from quire_plane.coalescing import Coalescing
from quire_plane.fleet_results import BUCKET, FleetResults, KeptResult
from quire_plane.result_memory import ResultMemory
from quire_quantum_gateway import calibrations
from quire_quantum_gateway.catalog import open_catalog, warmable
from quire_quantum_gateway.gateway import Gateway
from quire_quantum_gateway.journal import KIND, Submission
from quire_quantum_gateway.settings import Settings
from quire_quantum_gateway.submissions import Submissions
from quire_service import Deps, Parts


async def build(deps: Deps[Settings]) -> Parts:
    """The gateway's consumer, its providers, its journal and its threads."""
    bus, clock, settings = deps.bus, deps.clock, deps.settings
    lanes = Lanes(settings.threads_per_target, clock)
    deps.lifetime.push_async_callback(lanes.close)
    catalog = open_catalog(settings, clock, deps.meter)
    memory = ResultMemory(clock, max_bytes=settings.results_mib * 1024 * 1024, max_age=settings.results_seconds)
    fleet = FleetResults(
        bus.bucket(BUCKET, KeptResult), bus.blobs, threshold_seconds=settings.fleet_results_from_seconds
    )
    gateway = Gateway(
        catalog=catalog,
        plane=Plane(
            blobs=bus.blobs,
            publisher=bus.publisher,
            clock=clock,
            tracer=deps.tracer,
            coalescing=Coalescing(memory, deps.meter, fleet),
        ),
        lanes=lanes,
        journal=Submissions(bus.records(KIND, Submission), bus.blobs, clock),
    )
    return Parts(
        routers=(router(gateway, workers=settings.workers),),
        background={
            "warming": partial(warm, warmable(catalog, settings.warm_targets), lanes),
            "calibrations": partial(calibrations.watch, catalog, lanes, clock, settings.calibration_seconds),
        },
    )


def router(gateway: Gateway, *, workers: int) -> Router:
    """The gateway's one handler."""
    made = Router("quantum-gateway")

    @made.consume(ExecuteBatch, workers=workers, failed=batch_failed)
    async def do_execute_batch(message: ExecuteBatch, delivery: Delivery[ExecuteBatch]) -> None:
        await delivery.commit(await gateway.run(message.batch, delivery.meta))

    return made
