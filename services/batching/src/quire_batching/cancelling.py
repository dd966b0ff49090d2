"""Tasks that nobody wants any more: dropped where they wait; of those that left, their batches are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quire_batching.assignment import KEPT_SECONDS, Assignment, named
from quire_batching.grouping import is_simulated
from quire_contracts.batch import CancelBatch

if TYPE_CHECKING:
    from datetime import datetime

    from quire_bus.delivery import Delivery
    from quire_bus.records import Records
    from quire_contracts.task import CancelTask


async def cancel(
    delivery: Delivery[CancelTask], records: Records[Assignment], drop: Callable[[str, str], None], now: datetime
) -> None:
    """Answer a cancellation, in one commit.

    A task that no batch has yet gets an assignment to none: whichever replica holds it finds that when it forms the
    task's batch, and leaves it out; this one drops it at once. So does one that is still on its way here. The
    simulator's batches are left to run: they cost nothing and are short.

    drop: forgets a waiting task, by tenant and assignment id.

    Raises:
        Conflict: the task leaves at this moment; the next run finds its batches.
    """
    command = delivery.message
    id_ = named(command.task_id, command.attempt)
    stored = await records.get(command.tenant, id_)
    if stored is None:
        nowhere = Assignment(command.task_id, command.attempt, (), now)
        await delivery.commit(records=[records.write(command.tenant, id_, nowhere, 0, KEPT_SECONDS)])
        drop(command.tenant, id_)
    elif not is_simulated(command.target):
        told = (
            CancelBatch(
                batch_id=batch_id,
                task_id=command.task_id,
                job_id=command.job_id,
                tenant=command.tenant,
                late=command.late,
            )
            for batch_id in stored.value.batch_ids
        )
        await delivery.commit(*told)
