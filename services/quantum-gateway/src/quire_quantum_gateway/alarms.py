"""What an operator must hear of: parked submissions, jobs that are one too many, jobs that no batch knows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from quire_contracts.submission import BatchParked, DuplicateFound, OrphanFound
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from quire_contracts.value import Value
    from quire_quantum_gateway.journal import Submission
    from quire_quantum_gateway.providers.port import Found
    from quire_resilience.clock import Clock

_LOG: Final = logging.getLogger("quire.gateway")


class Publisher(Protocol):
    """What alarms are said with."""

    async def publish(self, message: Value) -> object:
        """See `quire_bus.publisher.Publisher.publish`."""
        ...


class Shelf(Protocol):
    """Where parked submissions are found again."""

    async def has(self, batch_id: str) -> bool:
        """See `operators.Shelf.has`."""
        ...

    async def put(self, submission: Submission) -> None:
        """See `operators.Shelf.put`."""
        ...


class Alarms:
    """Says each alarm as an event, counts it, and writes it to the log.

    What is counted has targets, never ids, as attributes. An event that cannot be stored is counted and logged all the
    same: an alarm never stands in the way of what it is about.
    """

    def __init__(self, publisher: Publisher, shelf: Shelf, clock: Clock, meter: Meter) -> None:
        """Count with instruments of this meter; what is parked is put on the shelf too, for operators to find."""
        self._publisher = publisher
        self._shelf = shelf
        self._clock = clock
        self._parked = meter.create_counter(
            "quire.gateway.parked", "{submission}", "Submissions that wait for an operator; target 0"
        )
        self._duplicates = meter.create_counter(
            "quire.gateway.duplicates", "{job}", "Jobs at providers that were one too many; target 0"
        )
        self._orphans = meter.create_counter(
            "quire.gateway.orphans", "{job}", "Jobs of ours at providers that no submission knows"
        )
        self._recovered = meter.create_counter(
            "quire.gateway.recovered", "{submission}", "Submissions in doubt whose job was found"
        )

    async def parked(self, submission: Submission) -> None:
        """A submission waits for an operator from now on; said once, and again by whoever finds that it was not."""
        try:
            if await self._shelf.has(submission.batch_id):
                return
        except QuireError as error:
            _LOG.warning("whether a submission is listed as parked is not known: %s", error)
        self._parked.add(1, {"quire.target": submission.target})
        _LOG.error("the submission of batch %s to %s is parked", submission.batch_id, submission.target)
        await self._say(
            BatchParked(
                batch_id=submission.batch_id,
                target=submission.target,
                token=submission.token,
                reserved_usd=submission.reserved_usd,
                since=submission.called_at or self._clock.now(),
            )
        )
        try:
            await self._shelf.put(submission)  # last, so that what is on the shelf was said
        except QuireError as error:
            _LOG.warning("a parked submission is not listed: %s", error)

    async def duplicate(self, submission: Submission, job_id: str) -> None:
        """A second job of one submission was found; it was asked to be cancelled."""
        self._duplicates.add(1, {"quire.target": submission.target})
        _LOG.error("batch %s has a job too many at %s: %s", submission.batch_id, submission.target, job_id)
        await self._say(
            DuplicateFound(
                batch_id=submission.batch_id,
                target=submission.target,
                provider_job_id=job_id,
                kept=submission.provider_job_id,
                at=self._clock.now(),
            )
        )

    async def orphan(self, target: str, found: Found, *, cancelled: bool) -> None:
        """A job with one of our tokens belongs to no submission that is known here."""
        self._orphans.add(1, {"quire.target": target})
        _LOG.error("%s has the job %s, which no submission knows", target, found.job_id)
        await self._say(
            OrphanFound(
                target=target,
                token=found.token,
                provider_job_id=found.job_id,
                created_at=found.created_at,
                cancelled=cancelled,
            )
        )

    def recovered(self, submission: Submission) -> None:
        """A submission in doubt has its job again."""
        self._recovered.add(1, {"quire.target": submission.target})
        _LOG.warning("batch %s has its job at %s again", submission.batch_id, submission.target)

    async def _say(self, event: Value) -> None:
        try:
            await self._publisher.publish(event)
        except QuireError as error:
            _LOG.warning("an alarm could not be stored: %s", error)
