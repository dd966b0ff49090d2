"""RunTask becomes ExecuteBatch or SimulateBatch."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from opentelemetry import trace

from quire_batching.assignment import KIND, Assignment
from quire_batching.cancelling import cancel
from quire_batching.cutting import cut_matrix, piece, whole
from quire_batching.figures import Figures
from quire_batching.gathering import ENDS, Gathering, Waiting
from quire_batching.grouping import cut
from quire_batching.reporting import BUCKET, report
from quire_batching.settings import Settings
from quire_bus.blobs import Blobs
from quire_bus.delivery import Delivery
from quire_bus.envelope import Meta
from quire_bus.router import Router
from quire_contracts.batch import Slice
from quire_contracts.load import LoadReport
from quire_contracts.task import CancelTask, RunTask, TaskFailed
from quire_contracts.value import Fault, Matrix
from quire_service import Deps, Parts
from quire_service.targets import targets_of

CANCELLERS: Final = 8


async def build(deps: Deps[Settings]) -> Parts:
    """The router of RunTask over this replica's queues, and the task that empties them."""
    bus, settings, router, policy = deps.bus, deps.settings, Router(service="batching"), deps.settings.policy
    figures = Figures(deps.meter)
    wake = asyncio.Event()
    targets = await deps.lifetime.enter_async_context(targets_of(bus, deps.clock, wake.set))
    records = bus.records(KIND, Assignment)
    gathering = Gathering(
        policy,
        records,
        deps.clock,
        deps.tracer,
        figures,
        reserve=timedelta(seconds=settings.deadline_reserve_seconds),
        mixed=settings.mix_classes,
        down=targets.down,
        wake=wake,
    )
    figures.watch(gathering.queues, gathering.house)
    for subject in ENDS:
        await deps.lifetime.enter_async_context(bus.overhear(subject, gathering.heard))

    # No inbox: the assignment record absorbs repetitions, also those that come as a message of another id.
    @router.consume(RunTask, workers=settings.workers, inbox="none", failed=task_failed)
    async def do_run_task(message: RunTask, delivery: Delivery[RunTask]) -> None:
        task, span = message.task, trace.get_current_span().get_span_context()
        parent = _traceparent(span)
        rows = cut(task.parameters.rows, task.shots, policy.limits_of(task.target))
        if delivery.meta.attempt == 1 or not await gathering.is_assigned(task):
            members = await pieces(delivery, rows, parent, bus.blobs)
            await gathering.join(Waiting(task, members, delivery, span))

    @router.consume(CancelTask, workers=CANCELLERS, inbox="none")
    async def do_cancel_task(_: CancelTask, delivery: Delivery[CancelTask]) -> None:
        await cancel(delivery, records, gathering.drop, deps.clock.now())

    async def tell(stopping: asyncio.Event) -> None:
        def failed(reason: str) -> None:
            deps.log.debug("the load could not be reported", reason=reason)

        bucket = bus.bucket(BUCKET, LoadReport)
        await report(gathering.queues, bucket, stopping, instance=deps.instance, clock=deps.clock, failed=failed)

    return Parts(routers=(router,), background={"sending": lambda _: gathering.run(bus.stopping), "reporting": tell})


async def pieces(delivery: Delivery[RunTask], rows: tuple[range, ...], parent: str | None, blobs: Blobs) -> list[Slice]:
    """The slices of a task: itself, or where it is too large for a batch its parts, their parameters stored.

    parent: the slices' span.

    Raises:
        Permanent: if the parameters of parts are missing or not of their shape.
    """
    task, queued_at = delivery.message.task, delivery.meta.time
    if len(rows) == 1:
        return [whole(task, queued_at, parent)]
    matrix = task.parameters
    cuts = cut_matrix(matrix, await blobs.get(matrix.data), rows)
    refs = [await blobs.put(data, matrix.data.media_type) for data in cuts]
    return [
        piece(task, Matrix(len(part), matrix.columns, ref), part.start, queued_at, parent)
        for part, ref in zip(rows, refs, strict=True)
    ]


def task_failed(message: RunTask, meta: Meta, fault: Fault) -> tuple[TaskFailed, ...]:
    """What the control plane hears of a task that no batch can hold."""
    del meta
    task = message.task
    return (TaskFailed(task.job_id, task.tenant, task.task_id, task.attempt, task.target, fault),)


def _traceparent(span: trace.SpanContext) -> str | None:
    """The W3C header of a span; made here because the general propagator costs more than all else that a task does."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if span.is_valid else None
