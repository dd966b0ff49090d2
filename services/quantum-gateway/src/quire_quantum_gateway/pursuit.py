"""One submission's way at a remote provider: does what `recovery` says next, and writes down what came of it.

No thread is held while a job waits at its provider, and no doubt is ever handed back: from the first call on, trouble
with the broker or the provider is waited out here, under the delivery's heartbeats, until the journal knows.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from quire_bus.errors import Conflict, fault_of
from quire_plane import with_wait
from quire_plane.slices import permanent_from
from quire_quantum_gateway.calling import Calling, Unmade
from quire_quantum_gateway.events import Accepted, Adopted, Lost, Parked, Refused, TakenOver, Uncalled
from quire_quantum_gateway.journal import IllegalStep
from quire_quantum_gateway.limits import Postponed
from quire_quantum_gateway.providers.faults import error_of
from quire_quantum_gateway.providers.port import Unfetched
from quire_quantum_gateway.recovery import (
    Adopt,
    Call,
    Conclude,
    Fail,
    Park,
    Poll,
    Search,
    Seen,
    TakeOver,
    Wait,
    next_action,
)
from quire_quantum_gateway.submissions import Superseded
from quire_resilience.backoff import Backoff
from quire_resilience.errors import QuireError, Transient

if TYPE_CHECKING:
    from quire_contracts.value import Fault
    from quire_quantum.executor import Outcome, Work
    from quire_quantum_gateway.desk import Address, Desk
    from quire_quantum_gateway.events import Event
    from quire_quantum_gateway.submissions import Ticket

_LOG: Final = logging.getLogger("quire.gateway")
_TROUBLE: Final = Backoff(base=0.25, cap=10.0)


@dataclass(slots=True, kw_only=True)
class Pursuit:
    """One gateway's hold on one submission, from what the journal says to its outcome."""

    desk: Desk
    address: Address
    ticket: Ticket
    _owed: Event | None = None
    """What happened and is not written yet; it is, before anything else is decided."""

    _refused: QuireError | None = None
    _cancelled: bool = False
    _began: bool = False
    _stale: Fault | None = None
    _polls: int = 0
    _troubles: int = 0
    _waited: float = 0.0

    @property
    def _calling(self) -> Calling:
        return Calling(self.desk, self.address)

    @property
    def is_bound(self) -> bool:
        """Whether something may be at the provider, so that nobody but the journal may say how it ends."""
        submission = self.ticket.submission
        return (submission.calls > 0 or self._owed is not None) and submission.state != "failed"

    async def outcome(self, work: Work) -> Outcome:
        """The outcome of the submission's work; again after an error, as if nothing had happened.

        Raises:
            Permanent: it failed, or is parked; the journal says so.
            Transient: it was refused for now, and certainly is not at the provider.
            Superseded: another gateway has taken over.
        """
        while True:
            try:
                await self._pay()
                found = await self._next(work)
            except Conflict:
                continue  # the journal has changed, and the ticket knows it: decide anew
            except Superseded:
                raise
            except Transient as error:
                if not self.is_bound:
                    raise
                await self.trouble(error)
            else:
                if found is not None:
                    return found

    async def trouble(self, error: Transient) -> None:
        """Wait out what stands between the submission and its end."""
        self._troubles += 1
        _LOG.warning("batch %s waits: %s", self.ticket.submission.batch_id, error.reason)
        await self.desk.clock.sleep(max(error.retry_after or 0.0, _TROUBLE.ceiling(self._troubles)))

    async def _next(self, work: Work) -> Outcome | None:
        """Do the next thing; the outcome, if that was the last."""
        journal, ticket = self.desk.journal, self.ticket
        action = next_action(ticket.submission, self.address.mode, ticket.seen, journal.moment, journal.rules)
        match action:
            case Call():
                await self._call(work, action)
            case Poll():
                return await self._poll(work, self._unless_stale(action))
            case Search():
                await self._search()
            case Wait(seconds=seconds):
                await self._wait(seconds)
            case Adopt():
                await self._adopt(action)
            case TakeOver():
                await journal.intend(ticket, TakenOver())
                ticket.epoch, ticket.seen = ticket.submission.epoch, Seen(self.desk.clock.monotonic())
            case Conclude(fault=fault):
                await journal.intend(ticket, Refused(ticket.epoch, fault, cleared=True))
                raise self._refused or error_of(fault)
            case Park(fault=fault):
                await journal.intend(ticket, Parked(ticket.epoch, fault))
                raise permanent_from(fault)
            case Fail() if ticket.submission.fault is not None:
                raise permanent_from(ticket.submission.fault)
            case _:
                raise Superseded(ticket.submission.batch_id)  # somebody else has ended it
        return None

    async def _pay(self) -> None:
        """Write what has happened. What the journal does not take, somebody else knew better: decide anew."""
        if self._owed is None:
            return
        event, journal = self._owed, self.desk.journal
        self.desk.failpoints.reach("heard")
        try:
            await journal.refresh(self.ticket)
            await journal.happened(self.ticket, event)
        except (IllegalStep, Superseded) as error:
            self._owed = None
            if isinstance(event, Accepted):
                await self.desk.findings.found(
                    self.address, self.ticket.submission, event.provider_job_id, "a late answer"
                )
            if isinstance(error, Superseded):
                raise
            return
        self._owed = None
        if isinstance(event, Accepted):
            self.desk.failpoints.reach("submitted")
        if self.ticket.submission.state == "failed" and self._refused is not None:
            raise self._refused

    async def _call(self, work: Work, action: Call) -> None:
        """Make the call, and owe the journal what came of it."""
        try:
            heard = await self._calling.make(self.ticket, work, cleared=action.cleared)
        except Unmade as unmade:
            self._owed = Uncalled(self.ticket.epoch)
            raise unmade.error from None
        self._owed, self._refused, self._waited = heard.event, heard.refused, heard.waited
        if not isinstance(heard.event, Accepted | Uncalled):
            self.ticket.seen = self.ticket.seen.called(self.desk.clock.monotonic())
        if heard.postponed is not None:
            await self._pay()
            raise heard.postponed  # out of here; or to be waited out, if an earlier call left a doubt

    async def _search(self) -> None:
        """Look for the token's jobs; a search that fails has seen nothing, not even that there is nothing."""
        ticket, asked = self.ticket, self.desk.clock.monotonic()
        since = ticket.submission.first_call_at or self.desk.clock.now()
        find = partial(self.address.provider.find, self.address.backend, ticket.submission.token, since)
        try:
            found, _ = await self.desk.calls.call(self.address.target, "find", find)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is no answer
            _LOG.warning("%s could not be searched: %s", self.address.target, type(error).__name__)
            await self._wait(self.desk.journal.rules.search_seconds)
            return
        self.desk.failpoints.reach("searched")
        ticket.seen = ticket.seen.searched(found, asked)

    async def _adopt(self, action: Adopt) -> None:
        await self.desk.journal.intend(self.ticket, Adopted(action.job_id, "found at the provider"))
        self.desk.alarms.recovered(self.ticket.submission)
        self.desk.failpoints.reach("adopted")
        for surplus in action.surplus:
            await self.desk.findings.surplus(self.address, self.ticket.submission, surplus)
            await self.desk.journal.refresh(self.ticket)

    async def _poll(self, work: Work, action: Poll) -> Outcome | None:
        """Look at the job once: its outcome if it is over, else wait a while."""
        desk, job_id = self.desk, action.job_id
        try:
            status, _ = await desk.calls.call(
                self.address.target, "status", partial(self.address.provider.status, job_id)
            )
        except Exception as error:  # noqa: BLE001 - whatever it was, the job is where it is
            _LOG.warning("a job of %s could not be looked at: %s", self.address.target, type(error).__name__)
            await self._pause()
            return None
        if status == "unknown":
            await self._missing()
        elif status in ("queued", "running"):
            self._began = status == "running"
            if action.unwanted is not None and not self._cancelled:
                await self._cancel(job_id, only_queued=action.unwanted.code != "cancelled", status=status)
            await self._pause()
        else:
            return await self._fetch(work, action)
        return None

    def _unless_stale(self, action: Poll) -> Poll:
        """The same, but that a job compiled too long ago, or for what the device was, is unwanted while it waits."""
        if self._stale is None and not self._began and self.address.provider.compiles:
            compiled_at = self.ticket.submission.first_call_at
            self._stale = self.desk.drifts.stale(self.address.target, compiled_at, self.desk.clock.now())
        return action if action.unwanted is not None else replace(action, unwanted=self._stale)

    async def _fetch(self, work: Work, action: Poll) -> Outcome | None:
        """The outcome of a job that is over. Only what the provider says of the job itself ends the submission."""
        desk = self.desk
        desk.failpoints.reach("polled")
        retrieve = partial(self.address.provider.retrieve, self.address.backend, work, action.job_id)
        try:
            outcome, _ = await desk.calls.call(self.address.target, "fetch", retrieve)
        except Unfetched as error:
            await self._pause(error.retry_after)
            return None
        except LookupError:
            await self._missing()
            return None
        except Postponed as error:
            await self._pause(error.retry_after)
            return None
        except QuireError as error:
            self._refused = None  # the same job again would fail again
            fault = action.unwanted or fault_of(error)
            self._owed = Refused(self.ticket.epoch, fault, provider_job_id=action.job_id)
            return None
        desk.failpoints.reach("fetched")
        return with_wait(outcome, self._waited)

    async def _cancel(self, job_id: str, *, only_queued: bool, status: str) -> None:
        if only_queued and status != "queued":
            return
        with suppress(Exception):  # it is asked for again at the next look
            await self.desk.calls.call(self.address.target, "cancel", partial(self.address.provider.cancel, job_id))
            self._cancelled = True

    async def _missing(self) -> None:
        """The provider does not know a job that it has accepted: it may not show it yet, or never again."""
        accepted = self.ticket.submission.steps[-1].at
        if self.desk.clock.now() < accepted + timedelta(seconds=self.desk.pace.appears_within):
            await self._pause()
        else:
            job_id = self.ticket.submission.provider_job_id
            self._owed = Lost(self.ticket.epoch, "the provider knows no such job", job_id)

    async def _pause(self, least: float | None = None) -> None:
        """Until the next look at a job: the longer it takes, the rarer."""
        self._polls += 1
        pace = self.desk.pace
        await self._wait(max(least or 0.0, min(pace.poll_most, pace.poll * 1.5 ** min(self._polls - 1, 20))))

    async def _wait(self, seconds: float) -> None:
        """Wait, and then know what others have written meanwhile."""
        await self.desk.clock.sleep(seconds)
        await self.desk.journal.refresh(self.ticket)
