"""A batch's way through the gateway: intent, submission, retrieval, answer, each written down before the next."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from quire_bus.errors import fault_of
from quire_contracts.batch import BatchExecuted
from quire_plane import Lanes, Plane, Turns, with_wait
from quire_quantum_gateway.catalog import Catalog, find
from quire_quantum_gateway.events import Accepted, Lost, Refused
from quire_quantum_gateway.submissions import Submissions, Ticket
from quire_resilience.errors import QuireError, Transient

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
                identity = await self._identity(batch.target)
                perform = partial(self._perform, batch, ticket, identity)
                executed = await self.plane.run(batch, cause, perform, identity)
            except Exception as error:
                await self._ended_badly(ticket, error)
                raise
            await self.journal.store(ticket, executed)
            return executed

    async def _identity(self, target: str) -> str | None:
        """What answers of the target may be shared by; opens its backend if nobody has."""
        provider, backend = find(self.catalog, target)
        identity = provider.identity(backend)
        if identity is None:
            await self.lanes.run(target, partial(provider.capabilities, backend))
            identity = provider.identity(backend)
        return identity

    async def _perform(self, batch: Batch, ticket: Ticket, identity: str | None, work: Work) -> Outcome:
        """Give the work to its provider, write down the job, and wait for it."""
        provider, backend = find(self.catalog, batch.target)
        token = ticket.submission.token
        job_id, waited = await self.lanes.run(batch.target, partial(provider.submit, backend, work, token))
        await self.journal.happened(ticket, Accepted(ticket.epoch, job_id))
        outcome, waited_again = await self.lanes.run(batch.target, partial(provider.retrieve, backend, work, job_id))
        if provider.identity(backend) != identity:
            raise Transient("the backend was calibrated while the batch ran", code="calibrated-meanwhile")
        return with_wait(outcome, waited + waited_again)

    async def _ended_badly(self, ticket: Ticket, error: Exception) -> None:
        """Write what an error means: a failure where its class is known, else that nobody knows.

        Never raises: a journal that cannot be written must not hide why the run ended. The next gateway then finds the
        step before, which is true as well.
        """
        known = isinstance(error, QuireError)
        event = Refused(ticket.epoch, fault_of(error)) if known else Lost(ticket.epoch, type(error).__name__)
        with suppress(QuireError):
            await self.journal.happened(ticket, event)
