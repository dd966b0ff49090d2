"""What the gateway consumes and what it is made of."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from quire_bus.delivery import Delivery
from quire_bus.router import Router
from quire_contracts.batch import ExecuteBatch
from quire_contracts.record import JobRecord
from quire_plane import Lanes, Plane, batch_failed, warm
from quire_plane.coalescing import Coalescing
from quire_plane.fleet_results import BUCKET, FleetResults, KeptResult
from quire_plane.result_memory import ResultMemory
from quire_quantum_gateway import appraising
from quire_quantum_gateway.alarms import Alarms
from quire_quantum_gateway.appraising import Appraising
from quire_quantum_gateway.calibrations import Calibrations
from quire_quantum_gateway.cancelling import Cancelling, cancelling
from quire_quantum_gateway.catalog import Catalog, open_catalog, warmable
from quire_quantum_gateway.desk import Desk
from quire_quantum_gateway.drift import Drifts
from quire_quantum_gateway.failpoints import Failpoints, failpoints
from quire_quantum_gateway.findings import Findings
from quire_quantum_gateway.gateway import Gateway
from quire_quantum_gateway.guard import open_guard
from quire_quantum_gateway.journal import KIND, Submission
from quire_quantum_gateway.limits import Postponed
from quire_quantum_gateway.mitigating import Mitigating
from quire_quantum_gateway.operators import BUCKET as SUBMISSIONS
from quire_quantum_gateway.operators import answering, operators_of
from quire_quantum_gateway.places import Places
from quire_quantum_gateway.postponing import NO_PATIENCE, Patience
from quire_quantum_gateway.reconciler import Reconciler, Round
from quire_quantum_gateway.settings import Settings
from quire_quantum_gateway.submissions import Submissions
from quire_service import Deps, Parts
from quire_service.switches import watch


async def build(deps: Deps[Settings]) -> Parts:
    """The gateway's consumer, its providers, its journal and its threads."""
    return compose(deps, open_catalog(deps.settings, deps.clock, deps.meter), failpoints(deps.settings.failpoint))


def compose(deps: Deps[Settings], catalog: Catalog, points: Failpoints) -> Parts:
    """The gateway of these providers."""
    bus, clock, settings = deps.bus, deps.clock, deps.settings
    lanes = Lanes(settings.threads_per_target, clock)
    deps.lifetime.push_async_callback(lanes.close)
    memory = ResultMemory(clock, max_bytes=settings.results_mib * 1024 * 1024, max_age=settings.results_seconds)
    fleet = FleetResults(
        bus.bucket(BUCKET, KeptResult), bus.blobs, threshold_seconds=settings.fleet_results_from_seconds
    )
    guard = open_guard(deps, catalog, lanes)
    journal = Submissions(bus.records(KIND, Submission), bus.blobs, clock, settings.rules)
    operators = operators_of(bus, journal)
    alarms = Alarms(bus.publisher, operators.shelf, clock, deps.meter)
    desk = Desk(
        journal=journal,
        calls=guard.calls,
        clock=clock,
        alarms=alarms,
        findings=Findings(journal=journal, calls=guard.calls, alarms=alarms, again=operators.deliver_again),
        pace=settings.pace,
        failpoints=points,
        drifts=Drifts(settings.drift_rule),
    )
    calibrations = Calibrations(
        catalog=catalog,
        drifts=desk.drifts,
        lanes=lanes,
        publisher=bus.publisher,
        clock=clock,
        every_seconds=settings.calibration_seconds,
    )
    reconciler = Reconciler(
        catalog=catalog,
        desk=desk,
        lanes=lanes,
        operators=operators,
        rounds=bus.bucket(SUBMISSIONS, Round),
        instance=deps.instance,
        every=settings.reconcile_seconds,
        back=timedelta(hours=settings.reconcile_hours),
        cancel_orphans=settings.cancel_orphans,
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
        desk=desk,
        mitigating=Mitigating(catalog=catalog, calls=guard.calls, lanes=lanes, blobs=bus.blobs, clock=clock),
        places=Places(settings.batches_per_local_target, settings.batches_per_remote_target),
    )
    made = router(gateway, workers=settings.workers, patience=guard.patience)
    answering(made, operators)
    appraising.answering(made, Appraising(catalog=catalog, calls=guard.calls, blobs=bus.blobs, clock=clock))
    cancelling(made, Cancelling(catalog=catalog, journal=journal, log=bus, jobs=bus.records("job", JobRecord)))
    return Parts(
        routers=(made,),
        background={
            "warming": partial(warm, warmable(catalog, settings.warm_targets), lanes),
            "calibrations": calibrations.watch,
            "breakers": guard.fleet.watch,
            "switches": partial(watch, guard.switches, bus, clock),
            "reconciler": reconciler.watch,
        },
    )


def router(gateway: Gateway, *, workers: int, patience: Patience = NO_PATIENCE) -> Router:
    """The gateway's one handler. patience: how old a batch may become while its provider takes no calls."""
    made = Router("quantum-gateway")

    @made.consume(ExecuteBatch, workers=workers, failed=batch_failed)
    async def do_execute_batch(message: ExecuteBatch, delivery: Delivery[ExecuteBatch]) -> None:
        try:
            answer = await gateway.run(message.batch, delivery.meta)
        except Postponed as postponed:
            await delivery.commit(await gateway.later(message.batch, postponed, patience))
        else:
            await delivery.commit(answer)

    return made
