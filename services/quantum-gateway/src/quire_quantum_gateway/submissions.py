"""The journal on the log: reads a batch's submission, writes each of its steps by compare-and-swap."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from quire_bus.errors import Conflict
from quire_contracts.batch import BatchExecuted
from quire_contracts.intake import SHARED_TENANT
from quire_plane.slices import permanent_from
from quire_quantum_gateway.events import (
    FACTS,
    Abandoned,
    Adopted,
    CancelAsked,
    Doubled,
    Event,
    Intended,
    Retrieved,
    TakenOver,
)
from quire_quantum_gateway.journal import IllegalStep, Submission, transition
from quire_quantum_gateway.recovery import Answer, Begin, Fail, Moment, Rules, Seen, next_action
from quire_quantum_gateway.tokens import request_sha256
from quire_resilience.errors import Permanent, Transient

if TYPE_CHECKING:
    from quire_bus.records import Records
    from quire_contracts.batch import Batch
    from quire_contracts.value import BlobRef
    from quire_quantum_gateway.providers.port import IdentityMode
    from quire_resilience.clock import Clock

ANSWER_TYPE: Final = "application/vnd.quire.batch-executed+json"
_TRIES: Final = 8


class Superseded(Transient):
    """Another gateway has taken the submission over: what this one would do next is not its business any more."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"another gateway has taken over batch {batch_id}", code="taken-over")


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
    """One gateway's hold on a submission.

    submission, revision: the newest value it knows, which its next step replaces.
    epoch: under which it holds it.   seen: what it has seen at the provider.
    """

    submission: Submission
    revision: int
    epoch: int
    seen: Seen

    @property
    def is_mine(self) -> bool:
        """Whether nobody is known to have taken it over."""
        return self.epoch == self.submission.epoch


@dataclass(frozen=True, slots=True)
class Submissions:
    """The journal of one gateway."""

    records: Records[Submission]
    blobs: Blobs
    clock: Clock
    rules: Rules = field(default_factory=Rules)

    async def open(self, batch: Batch, mode: IdentityMode = "forgetful") -> Ticket | BatchExecuted:
        """Take a batch's submission on, or give its answer if it has run before.

        Raises:
            Permanent: it has failed before, it is parked, or its id belongs to another request.
            Conflict: another gateway writes at this moment; reading again decides.
        """
        stored = await self.records.get(SHARED_TENANT, batch.batch_id)
        current = stored.value if stored is not None else None
        request = request_sha256(batch)
        if current is not None and current.request_sha256 != request:
            raise _reused()
        action = next_action(current, mode, None, self.moment, self.rules)
        if isinstance(action, Answer) and current is not None:
            return await self.answer(current)
        if isinstance(action, Fail) and current is not None and current.fault is not None:
            raise permanent_from(current.fault)
        intended = Intended(batch.batch_id, batch.target, request, deadline_at=batch.deadline_at, late=batch.late)
        event = intended if isinstance(action, Begin) else TakenOver()
        submission = transition(current, event, self.clock.now())
        revision = await self._write(submission, stored.revision if stored is not None else 0)
        return Ticket(submission, revision, submission.epoch, Seen(self.clock.monotonic()))

    @property
    def moment(self) -> Moment:
        """The time, by this gateway's clocks."""
        return Moment(self.clock.now(), self.clock.monotonic())

    async def answer(self, submission: Submission) -> BatchExecuted:
        """The stored answer of a submission that was retrieved."""
        if submission.answer is None:
            raise IllegalStep(f"{submission.batch_id} has no answer")
        return msgspec.json.decode(await self.blobs.get(submission.answer), type=BatchExecuted)

    async def store(self, ticket: Ticket, executed: BatchExecuted) -> None:
        """Store the answer, before it is said."""
        answer = await self.blobs.put(msgspec.json.encode(executed), ANSWER_TYPE)
        await self.happened(ticket, Retrieved(ticket.epoch, answer))

    async def intend(self, ticket: Ticket, event: Event) -> None:
        """Write what is about to be done: only if nothing has changed since it was decided.

        Raises:
            Conflict: the journal has changed. The ticket knows its newest value then; decide again.
            Superseded: somebody has taken over.
        """
        try:
            await self._step(ticket, event)
        except Conflict:
            await self.refresh(ticket)
            raise

    async def happened(self, ticket: Ticket, event: Event) -> None:
        """Write what has happened, on the newest value, whoever wrote to it meanwhile, as long as the epoch holds.

        Raises:
            Superseded: somebody has taken over.
            IllegalStep: the newest state does not allow it.
        """
        for _ in range(_TRIES):
            try:
                return await self._step(ticket, event)
            except Conflict:
                await self.refresh(ticket)
        raise Conflict(f"the submission of {ticket.submission.batch_id} changes all the time")

    async def refresh(self, ticket: Ticket) -> Submission:
        """Read the newest value into the ticket."""
        stored = await self.records.get(SHARED_TENANT, ticket.submission.batch_id)
        if stored is not None and stored.revision >= ticket.revision:  # a replica may answer with an older one
            ticket.submission, ticket.revision = stored.value, stored.revision
        return ticket.submission

    async def note(self, batch_id: str, event: Adopted | Abandoned | CancelAsked | Doubled) -> Submission | None:
        """Write a fact on a submission that this process does not hold; its newest value, None if there is none.

        Raises:
            IllegalStep: the state does not allow it.
        """
        for _ in range(_TRIES):
            stored = await self.records.get(SHARED_TENANT, batch_id)
            if stored is None:
                return None
            submission = transition(stored.value, event, self.clock.now())
            try:
                await self._write(submission, stored.revision)
            except Conflict:
                continue
            return submission
        raise Conflict(f"the submission of {batch_id} changes all the time")

    async def get(self, batch_id: str) -> Submission | None:
        """The newest value, None if there is none."""
        stored = await self.records.get(SHARED_TENANT, batch_id)
        return stored.value if stored is not None else None

    async def _step(self, ticket: Ticket, event: Event) -> None:
        if not ticket.is_mine and not isinstance(event, FACTS):
            raise Superseded(ticket.submission.batch_id)
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
