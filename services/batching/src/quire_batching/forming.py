"""The trace of a batch's forming: the batch's own, as long as its first member waited."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, Tracer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.batch import Batch, ExecuteBatch, SimulateBatch


def forming(
    tracer: Tracer, commands: Sequence[ExecuteBatch | SimulateBatch], spans: Sequence[SpanContext]
) -> AbstractContextManager[object]:
    """The root span of a batch's trace, linked to its members' spans; nothing where no batch is formed."""
    batches = [command.batch for command in commands]
    if not batches:
        return nullcontext()
    return tracer.start_as_current_span(
        "quire.batch.form",
        context=Context(),
        links=[Link(span) for span in spans if span.is_valid],
        start_time=_opened_nanoseconds(batches),
        attributes={
            "quire.batch.id": [batch.batch_id for batch in batches] if len(batches) > 1 else batches[0].batch_id,
            "quire.batch.size": sum(len(batch.members) for batch in batches),
            "quire.batch.flush_reason": batches[0].flush_reason,
            "quire.target": batches[0].target,
        },
    )


def _opened_nanoseconds(batches: Sequence[Batch]) -> int:
    queued = min(member.queued_at for batch in batches for member in batch.members)
    return int(queued.timestamp() * 1e9)
