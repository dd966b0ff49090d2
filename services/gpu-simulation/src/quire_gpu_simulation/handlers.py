"""What the simulation plane consumes and what it is made of."""

from __future__ import annotations

from functools import partial

from quire_bus.delivery import Delivery
from quire_bus.router import Router
from quire_contracts.batch import SimulateBatch
from quire_contracts.value import Execution
from quire_gpu_simulation.aer_executor import TARGET
from quire_gpu_simulation.engine import BACKEND
from quire_gpu_simulation.settings import Settings
from quire_gpu_simulation.simulators import Simulators, open_simulators
from quire_plane import Lanes, Plane, Turns, batch_failed, warm, with_wait
from quire_plane.coalescing import Coalescing
from quire_plane.fleet_results import BUCKET, FleetResults, KeptResult
from quire_plane.mitigation import folding_alone, needless
from quire_plane.result_memory import ResultMemory
from quire_quantum.executor import Outcome, Work
from quire_service import Deps, Parts


async def build(deps: Deps[Settings]) -> Parts:
    """The plane's consumer, its executors and their lanes."""
    bus, settings = deps.bus, deps.settings
    lanes = Lanes(settings.lanes, deps.clock)
    simulators = open_simulators(settings, deps.clock, deps.meter)
    deps.lifetime.callback(simulators.ideal.close)
    deps.lifetime.push_async_callback(lanes.close)
    memory = ResultMemory(deps.clock, max_bytes=settings.results_mib * 1024 * 1024, max_age=settings.results_seconds)
    fleet = FleetResults(
        bus.bucket(BUCKET, KeptResult), bus.blobs, threshold_seconds=settings.fleet_results_from_seconds
    )
    plane = Plane(
        blobs=bus.blobs,
        publisher=bus.publisher,
        clock=deps.clock,
        tracer=deps.tracer,
        coalescing=Coalescing(memory, deps.meter, fleet),
    )
    return Parts(
        routers=(router(plane, simulators, lanes, workers=settings.workers, fleet=fleet),),
        background={"warming": partial(warm, simulators.warmable, lanes)},
    )


def router(
    plane: Plane, simulators: Simulators, lanes: Lanes, *, workers: int, fleet: FleetResults | None = None
) -> Router:
    """The plane's one handler. A simulation is free and needs no journal: one that died is run again.

    fleet: told when the engine was wrong, so that no process serves what it answered before.
    """
    made, turns = Router("gpu-simulation"), Turns()
    told = set[str]()

    async def tell(fleet: FleetResults, witness: Execution) -> None:
        for circuit in set(simulators.ideal.kept_off) - told:
            await fleet.revoke(BACKEND, circuit, witness)
            told.add(circuit)

    async def perform(target: str, work: Work) -> Outcome:
        outcome, waited = await lanes.run(target, partial(simulators.executor_of(target).execute, work))
        return with_wait(outcome, waited)

    @made.consume(SimulateBatch, workers=workers, inbox="light", failed=batch_failed)
    async def do_simulate_batch(message: SimulateBatch, delivery: Delivery[SimulateBatch]) -> None:
        async with turns.of(message.batch.batch_id):
            if not await delivery.is_marked():
                target = message.batch.target
                identity = simulators.identity_of(target)
                mitigate = needless if target == TARGET else folding_alone
                executed = await plane.run(message.batch, delivery.meta, partial(perform, target), identity, mitigate)
                if fleet is not None:
                    await tell(fleet, executed.execution)
                await delivery.commit(executed)

    return made
