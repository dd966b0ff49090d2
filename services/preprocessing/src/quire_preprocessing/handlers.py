"""Preprocessing's handlers: a job's document in, its preparation or the reason why not out, and then its baseline."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from quire_bus.router import Router
from quire_contracts.family import FamilyPlanned, GatherFamily
from quire_contracts.job import AbandonJob
from quire_contracts.preparation import BaselineFailed, FindBaseline, JobPrepared, PreparationFailed, PrepareJob
from quire_preprocessing.cache.fleet_baselines import BUCKET as BASELINES
from quire_preprocessing.cache.fleet_baselines import BrokerBaselines, StoredBaseline
from quire_preprocessing.cache.fleet_programs import BUCKET, BrokerPrograms, StoredProgram
from quire_preprocessing.cache.frames import Frames
from quire_preprocessing.cache.programs import Programs
from quire_preprocessing.classical.baseline import Budget
from quire_preprocessing.classical.baselines import Baselines
from quire_preprocessing.draft import Bounds
from quire_preprocessing.families.planner import Planner
from quire_preprocessing.finding import Finder, sought
from quire_preprocessing.preparing import Preparer, refusal
from quire_preprocessing.refusal import Refused
from quire_quantum.sandbox import Sandbox, SandboxError
from quire_resilience.errors import Transient
from quire_service import Deps, Parts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from quire_bus.delivery import Delivery
    from quire_bus.envelope import Meta
    from quire_contracts.value import Fault
    from quire_preprocessing.cache.programs import Run
    from quire_preprocessing.settings import Settings
    from quire_quantum.parse import Parsed

T = TypeVar("T")


async def build(deps: Deps[Settings]) -> Parts:
    """Consume what is to be prepared; programs are parsed in children that end with the service."""
    settings = deps.settings
    sandbox = deps.lifetime.enter_context(Sandbox(settings.parsers))
    run = _threads(deps, settings.threads, "preprocessing")

    def parse(source: str) -> Parsed:
        try:
            return sandbox.take_apart(source)
        except SandboxError as error:
            raise Transient("the parser's process does not start", code="parser-unavailable") from error

    fleet = BrokerPrograms(deps.bus.bucket(BUCKET, StoredProgram), deps.bus.blobs, run)
    cache_bytes = settings.cache_mib * 2**20
    baselines = Baselines(
        deps.clock,
        _threads(deps, settings.baseline_threads, "baselines"),
        BrokerBaselines(deps.bus.bucket(BASELINES, StoredBaseline)),
        budget_of(settings),
        exact_qubits=settings.exact_qubits,
        most_bytes=cache_bytes // 4,
        meter=deps.meter,
    )
    finder = Finder(baselines=baselines, tracer=deps.tracer, clock=deps.clock)
    planner = Planner(
        store=deps.bus.blobs,
        run=run,
        bounds=bounds_of(settings),
        tracer=deps.tracer,
        clock=deps.clock,
    )
    preparer = Preparer(
        programs=Programs(parse, fleet, run, most_bytes=cache_bytes, meter=deps.meter),
        frames=Frames(deps.clock, most_bytes=cache_bytes // 4, meter=deps.meter),
        store=deps.bus.blobs,
        run=run,
        at_once=asyncio.Semaphore(settings.threads),
        bounds=bounds_of(settings),
        planner=planner,
        tracer=deps.tracer,
        clock=deps.clock,
    )
    router = Router("preprocessing")

    @router.consume(
        PrepareJob, workers=settings.workers, ahead=settings.ahead, inbox="light", failed=preparation_failed
    )
    async def do_prepare_job(command: PrepareJob, delivery: Delivery[PrepareJob]) -> None:
        outcome: JobPrepared | FamilyPlanned | PreparationFailed
        try:
            outcome = await preparer.prepare(command, await deps.bus.blobs.get(command.document))
            deps.log.debug("job prepared", job_id=command.job_id)
        except Refused as refused:
            outcome = refusal(command, refused)
            deps.log.info("job refused", job_id=command.job_id, code=refused.code)
        await delivery.commit(outcome, *sought(command, outcome))

    @router.consume(FindBaseline, workers=settings.workers, ahead=settings.ahead, failed=finding_failed)
    async def do_find_baseline(command: FindBaseline, delivery: Delivery[FindBaseline]) -> None:
        await delivery.commit(await finder.find(command, await deps.bus.blobs.get(command.document)))

    @router.consume(GatherFamily, failed=gathering_failed)
    async def do_gather_family(command: GatherFamily, delivery: Delivery[GatherFamily]) -> None:
        await delivery.commit(await planner.gather(command))

    return Parts(routers=(router,))


def _threads(deps: Deps[Settings], most: int, name: str) -> Run:
    """Threads that end with the service, and what runs work in them."""
    executor = ThreadPoolExecutor(most, thread_name_prefix=name)
    deps.lifetime.callback(executor.shutdown, wait=False, cancel_futures=True)

    def run(work: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(executor, work)

    return run


def bounds_of(settings: Settings) -> Bounds:
    """The sizes that are refused, as set from outside."""
    return Bounds(
        max_variables=settings.max_variables,
        max_angles=settings.max_angles,
        max_sampled_terms=settings.max_sampled_terms,
        max_total_shots=settings.max_total_shots,
        exact_qubits=settings.exact_qubits,
        screened_qubits=settings.screened_qubits,
    )


def budget_of(settings: Settings) -> Budget:
    """What the methods of a baseline may do, as set from outside."""
    return Budget(seconds=settings.baseline_seconds, exact_variables=settings.exact_variables)


def preparation_failed(command: PrepareJob, _: Meta, fault: Fault) -> Sequence[PreparationFailed]:
    """The event for a job whose preparation was given up for a reason that is not its document's."""
    return [PreparationFailed(job_id=command.job_id, tenant=command.tenant, fault=fault)]


def finding_failed(command: FindBaseline, _: Meta, fault: Fault) -> Sequence[BaselineFailed]:
    """The event for a job that has to do without a classical answer."""
    return [BaselineFailed(job_id=command.job_id, tenant=command.tenant, fault=fault)]


def gathering_failed(command: GatherFamily, _: Meta, fault: Fault) -> Sequence[AbandonJob]:
    """The word for a family of which no answer can be made: its job must still end."""
    return [AbandonJob(job_id=command.job_id, tenant=command.tenant, fault=fault)]
