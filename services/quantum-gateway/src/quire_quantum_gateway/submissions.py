"""The journal on the log: reads a batch's submission, writes each of its steps by compare-and-swap."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from quire_bus.errors import fault_of
from quire_contracts.batch import BatchExecuted
from quire_contracts.intake import SHARED_TENANT
from quire_plane.slices import permanent_from
from quire_quantum_gateway.journal import (
    Accepted,
    Event,
    Intended,
    Lost,
    Refused,
    Retrieved,
    Submission,
    next_action,
    request_sha256,
    transition,
)
from quire_resilience.errors import Permanent, QuireError

if TYPE_CHECKING:
    from quire_bus.records import Records
    from quire_contracts.batch import Batch
    from quire_contracts.value import BlobRef
    from quire_resilience.clock import Clock

ANSWER_TYPE: Final = "application/vnd.quire.batch-executed+json"


class Blobs(Protocol):
    """What the journal needs of the content store."""

    async def get(self, ref: BlobRef) -> bytes:
        """See `quire_bus.blobs.Blobs.get`."""
        ...

    async def put(self, data: bytes, media_type: str) -> BlobRef:
        """See `quire_bus.blobs.Blobs.put`."""
        ...


@dataclass(slots=True)
class Ticket:
    """One gateway's hold on a submission: its newest value, and the revision that the next step replaces."""

    submission: Submission
    revision: int


@dataclass(frozen=True, slots=True)
class Submissions:
    """The journal of one gateway."""

    records: Records[Submission]
    blobs: Blobs
    clock: Clock

    async def open(self, batch: Batch) -> Ticket | BatchExecuted:
        """Write the intent to run a batch, or give its answer if it has run before.

        Raises:
            Permanent: it has failed before, or its id belongs to another request.
            Conflict: another gateway writes at this moment; reading again decides.
        """
        stored = await self.records.get(SHARED_TENANT, batch.batch_id)
        current = stored.value if stored is not None else None
        request = request_sha256(batch)
        if current is not None and current.request_sha256 != request:
            raise _reused()
        action = next_action(current)
        if action == "answer" and current is not None and current.answer is not None:
            return msgspec.json.decode(await self.blobs.get(current.answer), type=BatchExecuted)
        if action == "fail" and current is not None and current.fault is not None:
            raise permanent_from(current.fault)
        submission = transition(current, Intended(batch.batch_id, batch.target, request), self.clock.now())
        return Ticket(submission, await self._write(submission, stored.revision if stored is not None else 0))

    async def accepted(self, ticket: Ticket, provider_job_id: str) -> None:
        """Write that the provider has the work, before it is waited for."""
        await self._step(ticket, Accepted(ticket.submission.epoch, provider_job_id))

    async def retrieved(self, ticket: Ticket, executed: BatchExecuted) -> None:
        """Store the answer, before it is said."""
        answer = await self.blobs.put(msgspec.json.encode(executed), ANSWER_TYPE)
        await self._step(ticket, Retrieved(ticket.submission.epoch, answer))

    async def ended_badly(self, ticket: Ticket, error: Exception) -> None:
        """Write what an error means: a failure where its class is known, else that nobody knows.

        Never raises: a journal that cannot be written must not hide why the run ended. The next gateway then finds the
        step before, which is true as well.
        """
        epoch = ticket.submission.epoch
        known = isinstance(error, QuireError)
        event = Refused(epoch, fault_of(error)) if known else Lost(epoch, type(error).__name__)
        with suppress(QuireError):
            await self._step(ticket, event)

    async def _step(self, ticket: Ticket, event: Event) -> None:
        submission = transition(ticket.submission, event, self.clock.now())
        ticket.revision = await self._write(submission, ticket.revision)
        ticket.submission = submission

    async def _write(self, submission: Submission, revision: int) -> int:
        return await self.records.put(self.records.write(SHARED_TENANT, submission.batch_id, submission, revision))


def _reused() -> Permanent:
    return Permanent(
        "batch-id-reused",
        "the batch's id was used for another request",
        next_step="Submit the job again; if it fails again, report its id.",
    )
