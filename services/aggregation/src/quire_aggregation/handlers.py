"""BatchExecuted and BatchFailed become TaskScored and TaskFailed, one for each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quire_aggregation.arrival import Arrival, arrivals_of, failures_of, task_failed
from quire_aggregation.fanin import KIND, FanIn
from quire_aggregation.question import UNASKED
from quire_aggregation.settings import Settings
from quire_aggregation.settling import Settled, Settling
from quire_bus.delivery import Delivery
from quire_bus.envelope import Meta, Outgoing
from quire_bus.router import Router
from quire_contracts.batch import BatchExecuted, BatchFailed
from quire_contracts.value import Fault, Target
from quire_service import Deps, Parts


async def build(deps: Deps[Settings]) -> Parts:
    """The router of both endings of a batch."""
    router = Router(service="aggregation")
    workers = deps.settings.workers
    settling = Settling(deps.bus.records(KIND, FanIn), deps.bus.blobs, deps.clock, deps.tracer)

    @router.consume(BatchExecuted, workers=workers, inbox="light", failed=answers_lost)
    async def on_batch_executed(message: BatchExecuted, delivery: Delivery[BatchExecuted]) -> None:
        question = await settling.question(message)
        settled = await settling.settle(arrivals_of(message), message.target, question)
        await delivery.commit(*_messages(settled), records=[each.record for each in settled if each.record])

    @router.consume(BatchFailed, workers=workers, inbox="light", failed=failures_lost)
    async def on_batch_failed(message: BatchFailed, delivery: Delivery[BatchFailed]) -> None:
        settled = await settling.settle(failures_of(message), message.target, UNASKED)
        await delivery.commit(*_messages(settled), records=[each.record for each in settled if each.record])

    return Parts(routers=(router,))


def answers_lost(message: BatchExecuted, meta: Meta, fault: Fault) -> tuple[Outgoing, ...]:
    """Every task of a batch whose answers cannot be used fails with the reason, whichever of them it is about."""
    del meta
    arrivals = arrivals_of(message)
    return _all_fail([replace(each, together=len(arrivals)) for each in arrivals], message.target, fault)


def failures_lost(message: BatchFailed, meta: Meta, fault: Fault) -> tuple[Outgoing, ...]:
    """Every task of a failed batch fails with the batch's own fault, whatever kept it from being said in order."""
    del meta, fault
    return _all_fail(failures_of(message), message.target, message.fault)


def _all_fail(arrivals: Sequence[Arrival], target: Target, fault: Fault) -> tuple[Outgoing, ...]:
    return tuple(
        Outgoing(
            task_failed(arrival.member, target, fault, arrival.after_seconds, arrival.together),
            traceparent=arrival.traceparent,
        )
        for arrival in arrivals
    )


def _messages(settled: Sequence[Settled]) -> list[Outgoing]:
    return [each.message for each in settled if each.message is not None]
