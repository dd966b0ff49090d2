"""What the simulation plane consumes and what it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from quire_bus.delivery import Delivery
from quire_bus.router import Router
from quire_contracts.batch import SimulateBatch
from quire_gpu_simulation.aer_executor import TARGET
from quire_gpu_simulation.settings import Settings
from quire_gpu_simulation.simulators import executor_of, open_simulators
from quire_plane import Lanes, Plane, Turns, batch_failed, warm, with_wait
from quire_quantum.executor import Executor, Outcome, Work
from quire_service import Deps, Parts


async def build(deps: Deps[Settings]) -> Parts:
    """The plane's consumer, its executors and their lanes."""
    bus, settings = deps.bus, deps.settings
    lanes = Lanes(settings.lanes, deps.clock)
    ideal, executors = open_simulators(settings, deps.clock, deps.meter)
    deps.lifetime.callback(ideal.close)
    deps.lifetime.push_async_callback(lanes.close)
    plane = Plane(blobs=bus.blobs, publisher=bus.publisher, clock=deps.clock, tracer=deps.tracer)
    return Parts(
        routers=(router(plane, executors, lanes, workers=settings.workers),),
        background={"warming": partial(warm, {TARGET: ideal}, lanes)},
    )


def router(plane: Plane, executors: Mapping[str, Executor], lanes: Lanes, *, workers: int) -> Router:
    """The plane's one handler. A simulation is free and needs no journal: one that died is run again."""
    made, turns = Router("gpu-simulation"), Turns()

    async def perform(target: str, work: Work) -> Outcome:
        outcome, waited = await lanes.run(target, partial(executor_of(target, executors).execute, work))
        return with_wait(outcome, waited)

    @made.consume(SimulateBatch, workers=workers, failed=batch_failed)
    async def do_simulate_batch(message: SimulateBatch, delivery: Delivery[SimulateBatch]) -> None:
        async with turns.of(message.batch.batch_id):
            if not await delivery.is_marked():
                done = await plane.run(message.batch, delivery.meta, partial(perform, message.batch.target))
                await delivery.commit(done)

    return made
