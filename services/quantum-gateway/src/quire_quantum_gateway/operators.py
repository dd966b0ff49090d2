"""What people do about parked submissions: list them, adopt a job that they found at the provider, or abandon them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from quire_contracts.batch import ExecuteBatch
from quire_contracts.intake import SHARED_TENANT
from quire_contracts.query import FindParked, ParkedList, ParkedSubmission, SettleSubmission, SubmissionSettled
from quire_contracts.value import Fault
from quire_quantum_gateway.events import Abandoned, Adopted, Called
from quire_quantum_gateway.journal import IllegalStep
from quire_quantum_gateway.submissions import Ticket
from quire_quantum_gateway.tokens import request_sha256, token_of
from quire_resilience.errors import Permanent, Transient

if TYPE_CHECKING:
    from quire_bus.buckets import Bucket
    from quire_bus.bus import Bus
    from quire_bus.delivery import Logged
    from quire_bus.router import Router
    from quire_contracts.batch import Batch
    from quire_contracts.value import Value
    from quire_quantum_gateway.journal import Submission
    from quire_quantum_gateway.providers.port import Found
    from quire_quantum_gateway.submissions import Submissions

BUCKET: Final = "submissions"
_PARKED: Final = "parked."
ABANDONED: Final = Fault(
    kind="unknown",
    code="submission-abandoned",
    reason="an operator gave the submission up: nobody knows whether the provider ran it",
    next_step="Submit the job again if its answer is still wanted.",
    retryable=False,
)


class Log(Protocol):
    """What is needed of the log of messages."""

    async def last(self, message: type[Value], tenant: str, key: str) -> Logged | None:
        """See `quire_bus.bus.Bus.last`."""
        ...


class Publisher(Protocol):
    """What a batch is delivered again with."""

    async def publish(self, message: Value, *, id_: str | None = None) -> object:
        """See `quire_bus.publisher.Publisher.publish`."""
        ...


@dataclass(frozen=True, slots=True)
class Shelf:
    """The parked submissions of all gateways, so that nobody has to read the whole journal to find them."""

    bucket: Bucket[ParkedSubmission]

    async def has(self, batch_id: str) -> bool:
        """Whether one is on it."""
        return await self.bucket.get(_PARKED + batch_id) is not None

    async def put(self, submission: Submission) -> None:
        """Put one on it; again changes nothing."""
        parked = ParkedSubmission(
            batch_id=submission.batch_id,
            target=submission.target,
            token=submission.token,
            since=submission.called_at or submission.steps[-1].at,
            reserved_usd=submission.reserved_usd,
        )
        await self.bucket.put(_PARKED + submission.batch_id, parked)

    async def all(self) -> list[ParkedSubmission]:
        """All that are on it, earliest first."""
        found = [await self.bucket.get(key) for key in await self.bucket.keys(_PARKED)]
        return sorted((each.value for each in found if each is not None), key=lambda parked: parked.since)

    async def drop(self, batch_id: str) -> None:
        """Take one off it."""
        await self.bucket.delete(_PARKED + batch_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operators:
    """What one gateway answers them."""

    journal: Submissions
    shelf: Shelf
    log: Log
    publisher: Publisher

    async def parked(self, question: FindParked) -> ParkedList:  # noqa: ARG002 - it has no fields
        """The submissions that wait for an operator; those that found their way meanwhile leave the shelf."""
        waiting = []
        for each in await self.shelf.all():
            submission = await self.journal.get(each.batch_id)
            if submission is not None and submission.state == "parked":
                waiting.append(each)
            else:
                await self.shelf.drop(each.batch_id)
        return ParkedList(tuple(waiting))

    async def settle(self, word: SettleSubmission) -> SubmissionSettled:
        """Adopt the job that an operator names, or abandon a submission of which the operator names none.

        Raises:
            Permanent: there is no such submission, or it is not parked.
        """
        by = f"by {word.by or 'an operator'}"
        event = Adopted(word.provider_job_id, f"adopted {by}") if word.provider_job_id else Abandoned(ABANDONED, by)
        try:
            submission = await self.journal.note(word.batch_id, event)
        except IllegalStep as error:
            raise Permanent(
                "not-parked", "the submission is not parked", next_step="Look at the journal's newest state."
            ) from error
        if submission is None:
            raise Permanent("no-such-submission", "there is no such submission", next_step="Check the batch's id.")
        await self.shelf.drop(word.batch_id)
        if not word.provider_job_id:
            return SubmissionSettled(word.batch_id, "abandoned")
        await self.deliver_again(word.batch_id)
        return SubmissionSettled(word.batch_id, "adopted")

    async def deliver_again(self, batch_id: str) -> bool:
        """Have a batch run again whose job is known, for its answer; whether it is still on the log."""
        batch, submission = await self._batch(batch_id), await self.journal.get(batch_id)
        if batch is None or submission is None:
            return False
        await self.publisher.publish(ExecuteBatch(batch), id_=f"{batch_id}-again-{submission.epoch}")
        return True

    async def restore(self, batch_id: str, found: Found) -> bool:
        """Write the journal of a batch anew, from the log and from its job, and have its answer fetched."""
        batch = await self._batch(batch_id)
        if batch is None or token_of(batch_id, request_sha256(batch)) != found.token:
            return False
        try:
            ticket = await self.journal.open(batch, "tag")
            if not isinstance(ticket, Ticket) or ticket.submission.calls:
                return False
            await self.journal.intend(ticket, Called(ticket.epoch))
            await self.journal.intend(ticket, Adopted(found.job_id, "the journal was lost"))
        except (IllegalStep, Permanent, Transient):
            return False  # somebody else is at it
        return await self.deliver_again(batch_id)

    async def _batch(self, batch_id: str) -> Batch | None:
        logged = await self.log.last(ExecuteBatch, SHARED_TENANT, batch_id)
        return logged.message.batch if logged is not None and isinstance(logged.message, ExecuteBatch) else None


def operators_of(bus: Bus, journal: Submissions) -> Operators:
    """The operators' side of a gateway on this bus."""
    shelf = Shelf(bus.bucket(BUCKET, ParkedSubmission))
    return Operators(journal=journal, shelf=shelf, log=bus, publisher=bus.publisher)


def answering(made: Router, operators: Operators) -> None:
    """Answer operators' questions on a router."""
    made.answer("parked", FindParked)(operators.parked)
    made.answer("settle", SettleSubmission)(operators.settle)
