"""A batch's way through the gateway: intent, submission, retrieval, answer, each written down before the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from quire_contracts.batch import BatchExecuted
from quire_plane import Lanes, Plane, Turns, with_wait
from quire_quantum_gateway.catalog import Catalog, find
from quire_quantum_gateway.submissions import Submissions, Ticket

if TYPE_CHECKING:
    from quire_bus.envelope import Meta
    from quire_contracts.batch import Batch
    from quire_quantum.executor import Outcome, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Runs batches at providers, keeping the journal; `lanes` brings each target its threads."""

    catalog: Catalog
    plane: Plane
    lanes: Lanes
    journal: Submissions
    turns: Turns = field(default_factory=Turns)

    async def run(self, batch: Batch, cause: Meta) -> BatchExecuted:
        """The event that answers a batch: run now, or read from the journal if it ran before.

        Raises:
            Permanent: nothing could run, now or before.
            Transient: the batch may run later.
        """
        async with self.turns.of(batch.batch_id):
            ticket = await self.journal.open(batch)
            if isinstance(ticket, BatchExecuted):
                return ticket
            try:
                executed = await self.plane.run(batch, cause, partial(self._perform, batch, ticket))
            except Exception as error:
                await self.journal.ended_badly(ticket, error)
                raise
            await self.journal.retrieved(ticket, executed)
            return executed

    async def _perform(self, batch: Batch, ticket: Ticket, work: Work) -> Outcome:
        """Give the work to its provider, write down the job, and wait for it."""
        provider, backend = find(self.catalog, batch.target)
        token = ticket.submission.token
        job_id, waited = await self.lanes.run(batch.target, partial(provider.submit, backend, work, token))
        await self.journal.accepted(ticket, job_id)
        outcome, waited_again = await self.lanes.run(batch.target, partial(provider.retrieve, job_id))
        return with_wait(outcome, waited + waited_again)
