"""Stopping a batch at its provider, once nobody wants any of its tasks: the journal is told, and tells who runs it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from quire_bus.delivery import Delivery
from quire_contracts.batch import CancelBatch, ExecuteBatch
from quire_contracts.intake import SHARED_TENANT
from quire_quantum_gateway.catalog import Catalog, find
from quire_quantum_gateway.events import CancelAsked, Intended
from quire_quantum_gateway.journal import IllegalStep, transition
from quire_quantum_gateway.tokens import request_sha256
from quire_resilience.errors import Transient

if TYPE_CHECKING:
    from quire_bus.records import Records
    from quire_bus.router import Router
    from quire_contracts.batch import Batch, Slice
    from quire_contracts.record import JobRecord
    from quire_quantum_gateway.operators import Log
    from quire_quantum_gateway.submissions import Submissions

WORKERS: Final = 8
_NOTE: Final = "cancelled: nobody wants any of its tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelling:
    """What a gateway does about tasks that are not wanted any more.

    jobs: the canonical records, which alone say what is wanted: a task that is pending at this attempt.
    """

    catalog: Catalog
    journal: Submissions
    log: Log
    jobs: Records[JobRecord]

    async def cancel(self, command: CancelBatch) -> bool:
        """Ask for the batch's submission to be cancelled if no task of it is wanted; whether it was asked for.

        What the provider has already is left to run where the last of the tasks says so.

        A batch that no gateway has begun is not begun then. What dies with its process is left to run: it costs
        nothing. Asking again changes nothing.

        Raises:
            Transient: a replica of the broker does not show yet that the task is not wanted.
            Conflict: a gateway begins it at this moment.
            Permanent: no enabled provider has the target.
        """
        logged = await self.log.last(ExecuteBatch, SHARED_TENANT, command.batch_id)
        if logged is None or not isinstance(logged.message, ExecuteBatch):
            return False
        batch = logged.message.batch
        provider, backend = find(self.catalog, batch.target)
        if provider.identity_mode(backend) == "forgetful":
            return False
        wanted = await asyncio.gather(*map(self._is_wanted, batch.members))
        mine = [
            each
            for member, each in zip(batch.members, wanted, strict=True)
            if (member.tenant, member.task_id) == (command.tenant, command.task_id)
        ]
        if any(mine):
            raise Transient("the job's record still shows the task as wanted", code="stale", retry_after=0.5)
        if any(wanted):
            return False
        if await self.journal.get(batch.batch_id) is None:
            await self._begin(batch)
        with suppress(IllegalStep):  # it has ended
            await self.journal.note(batch.batch_id, CancelAsked(_NOTE, command.late))
        return True

    async def _is_wanted(self, member: Slice) -> bool:
        stored = await self.jobs.get(member.tenant, member.job_id)
        if stored is None:
            return True
        pending = stored.value.pending
        return any((each.task.task_id, each.task.attempt) == (member.task_id, member.attempt) for each in pending)

    async def _begin(self, batch: Batch) -> None:
        """Write the intent, so that there is something to ask a cancellation of; nobody else's is taken over."""
        intended = Intended(
            batch.batch_id, batch.target, request_sha256(batch), deadline_at=batch.deadline_at, late=batch.late
        )
        journal = self.journal
        submission = transition(None, intended, journal.clock.now())
        await journal.records.put(journal.records.write(SHARED_TENANT, batch.batch_id, submission, 0))


def cancelling(made: Router, deed: Cancelling) -> None:
    """Consume CancelBatch on a router."""

    @made.consume(CancelBatch, workers=WORKERS, inbox="none")
    async def do_cancel_batch(message: CancelBatch, delivery: Delivery[CancelBatch]) -> None:  # noqa: ARG001 - no answer
        await deed.cancel(message)
