"""What the gateway consumes and what it is made of."""

from __future__ import annotations

from functools import partial

from quire_bus.delivery import Delivery
from quire_bus.router import Router
from quire_contracts.batch import ExecuteBatch
from quire_plane import Lanes, Plane, batch_failed, warm
from quire_quantum_gateway.catalog import open_catalog, warmable
from quire_quantum_gateway.gateway import Gateway
from quire_quantum_gateway.journal import KIND, Submission
from quire_quantum_gateway.settings import Settings
from quire_quantum_gateway.submissions import Submissions
from quire_service import Deps, Parts


async def build(deps: Deps[Settings]) -> Parts:
    """The gateway's consumer, its providers, its journal and its threads."""
    bus, clock = deps.bus, deps.clock
    lanes = Lanes(deps.settings.threads_per_target, clock)
    deps.lifetime.push_async_callback(lanes.close)
    gateway = Gateway(
        catalog=open_catalog(deps.settings, clock),
        plane=Plane(blobs=bus.blobs, publisher=bus.publisher, clock=clock, tracer=deps.tracer),
        lanes=lanes,
        journal=Submissions(bus.records(KIND, Submission), bus.blobs, clock),
    )
    return Parts(
        routers=(router(gateway, workers=deps.settings.workers),),
        background={"warming": partial(warm, warmable(gateway.catalog, deps.settings.warm_targets), lanes)},
    )


def router(gateway: Gateway, *, workers: int) -> Router:
    """The gateway's one handler."""
    made = Router("quantum-gateway")

    @made.consume(ExecuteBatch, workers=workers, failed=batch_failed)
    async def do_execute_batch(message: ExecuteBatch, delivery: Delivery[ExecuteBatch]) -> None:
        await delivery.commit(await gateway.run(message.batch, delivery.meta))

    return made
