"""RunTask becomes ExecuteBatch or SimulateBatch."""

from __future__ import annotations

from datetime import timedelta

from opentelemetry import trace

from quire_batching.assignment import KIND, Assignment
from quire_batching.cutting import cut_matrix, piece, whole
from quire_batching.gathering import Gathering, Waiting
from quire_batching.grouping import cut
from quire_batching.settings import Settings
from quire_bus.blobs import Blobs
from quire_bus.delivery import Delivery
from quire_bus.envelope import Meta
from quire_bus.router import Router
from quire_bus.tracing import headers_of
from quire_contracts.batch import Slice
from quire_contracts.task import RunTask, TaskFailed
from quire_contracts.value import Fault, Matrix
from quire_service import Deps, Parts


async def build(deps: Deps[Settings]) -> Parts:
    """The router of RunTask over this replica's windows."""
    settings, router = deps.settings, Router(service="batching")
    reserve = timedelta(seconds=settings.deadline_reserve_seconds)
    records = deps.bus.records(KIND, Assignment)
    gathering = Gathering(settings.policy, reserve, records, deps.clock, deps.tracer)

    # No inbox: the assignment record absorbs repetitions, also those that come as a message of another id.
    @router.consume(RunTask, workers=settings.workers, once=False, failed=task_failed)
    async def do_run_task(message: RunTask, delivery: Delivery[RunTask]) -> None:
        task, span = message.task, trace.get_current_span()
        parent, context = headers_of(span)[0], span.get_span_context()
        rows = cut(task.parameters.rows, task.shots, settings.limits)
        if len(rows) > 1:
            await gathering.send(delivery, await pieces(delivery, rows, parent, deps.bus.blobs), context)
        elif delivery.meta.attempt == 1 or not await gathering.is_assigned(task):
            await gathering.join(Waiting(task, whole(task, delivery.meta.time, parent), delivery, context))

    return Parts(routers=(router,))


async def pieces(delivery: Delivery[RunTask], rows: tuple[range, ...], parent: str | None, blobs: Blobs) -> list[Slice]:
    """The slices of a task that is too large for one batch, their parameters stored; `parent` is their span.

    Raises:
        Permanent: if the parameters are missing or not of their shape.
    """
    task = delivery.message.task
    matrix = task.parameters
    cuts = cut_matrix(matrix, await blobs.get(matrix.data), rows)
    refs = [await blobs.put(data, matrix.data.media_type) for data in cuts]
    return [
        piece(task, Matrix(len(part), matrix.columns, ref), part.start, delivery.meta.time, parent)
        for part, ref in zip(rows, refs, strict=True)
    ]


def task_failed(message: RunTask, meta: Meta, fault: Fault) -> tuple[TaskFailed, ...]:
    """What the control plane hears of a task that no batch can hold."""
    del meta
    task = message.task
    return (TaskFailed(task.job_id, task.tenant, task.task_id, task.attempt, task.target, fault),)
