"""One submission's way at a remote provider: does what `recovery` says next, and writes down what came of it.

No thread is held while a job waits at its provider, and no doubt is ever handed back: from the first call on, trouble
with the broker or the provider is waited out here, under the delivery's heartbeats, until the journal knows.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from quire_bus.errors import Conflict, fault_of
from quire_plane import with_wait
from quire_plane.slices import permanent_from
from quire_quantum_gateway.events import Accepted, Adopted, Called, Lost, Parked, Refused, TakenOver, Uncalled
from quire_quantum_gateway.failpoints import NoFailpoints
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
    TakeOver,
    Wait,
    next_action,
)
from quire_quantum_gateway.submissions import Superseded
from quire_resilience.backoff import Backoff
from quire_resilience.errors import QuireError, Transient

if TYPE_CHECKING:
    from quire_quantum.executor import Outcome, Work
    from quire_quantum_gateway.alarms import Alarms
    from quire_quantum_gateway.calls import Calls
    from quire_quantum_gateway.events import Event
    from quire_quantum_gateway.failpoints import Failpoints
    from quire_quantum_gateway.findings import Findings
    from quire_quantum_gateway.providers.port import IdentityMode, Provider
    from quire_quantum_gateway.submissions import Submissions, Ticket
    from quire_resilience.clock import Clock

_LOG: Final = logging.getLogger("quire.gateway")
_TROUBLE: Final = Backoff(base=0.25, cap=10.0)
_TOO_LATE: Final = "too-late"
"""The port's code for a call that was not made because its deadline was too near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient a gateway is with a remote provider; all in seconds.

    begin_within: after `Called` was written, a call that has not begun is not made.
    call_within: after it, its outcome is unknown.
    poll, poll_most: between two looks at a job, at first and at most.
    appears_within: after it was accepted, a job that the provider does not know is waited for.
    """

    begin_within: float = 5.0
    call_within: float = 30.0
    poll: float = 0.5
    poll_most: float = 10.0
    appears_within: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all pursuits of one gateway share."""

    journal: Submissions
    calls: Calls
    findings: Findings
    clock: Clock
    alarms: Alarms
    pace: Pace = field(default_factory=Pace)
    failpoints: Failpoints = field(default_factory=NoFailpoints)
    late: set[asyncio.Task[Any]] = field(default_factory=set)
    """Answers of calls that came after their time, on their way to the journal."""


@dataclass(slots=True, kw_only=True)
class Pursuit:
    """One gateway's hold on one submission, from what the journal says to its outcome."""

    desk: Desk
    target: str
    provider: Provider
    backend: str
    mode: IdentityMode
    ticket: Ticket
    _owed: Event | None = None
    """What happened and is not written yet; it is, before anything else is decided."""

    _refused: Exception | None = None
    _cancelled: bool = False
    _polls: int = 0
    _troubles: int = 0
    _waited: float = 0.0

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
        action = next_action(ticket.submission, self.mode, ticket.seen, self.desk.clock.now(), journal.rules)
        match action:
            case Call():
                await self._call(work, action)
            case Poll():
                return await self._poll(work, action)
            case Search():
                await self._search()
            case Wait(until=until):
                await self._wait((until - self.desk.clock.now()).total_seconds())
            case Adopt():
                await self._adopt(action)
            case TakeOver():
                await journal.intend(ticket, TakenOver())
                ticket.epoch = ticket.submission.epoch
            case Conclude(fault=fault):
                await journal.intend(ticket, Refused(ticket.epoch, fault, cleared=True))
                raise self._refused or error_of(fault)
            case Park(fault=fault):
                await journal.intend(ticket, Parked(ticket.epoch, fault))
                await self.desk.alarms.parked(ticket.submission)
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
                await self.desk.findings.late(self.target, self.provider, self.ticket.submission, event.provider_job_id)
            if isinstance(error, Superseded):
                raise
            return
        self._owed = None
        if isinstance(event, Accepted):
            self.desk.failpoints.reach("submitted")
        if self.ticket.submission.state == "failed" and self._refused is not None:
            raise self._refused

    async def _call(self, work: Work, action: Call) -> None:
        """Announce the call, and make it at once or not at all."""
        desk, ticket = self.desk, self.ticket
        desk.calls.ready(self.target, "create")
        usd = ticket.submission.reserved_usd
        if not usd:
            quote, _ = await desk.calls.call(self.target, "describe", partial(self.provider.cost, self.backend, work))
            usd = quote.usd
        announced = desk.clock.monotonic()
        try:
            await desk.journal.intend(ticket, Called(ticket.epoch, usd, action.cleared))
        except Conflict:
            raise
        except QuireError:
            self._owed = Uncalled(ticket.epoch)  # written or not, nothing was called
            raise
        desk.failpoints.reach("announced")
        deadline = announced + desk.pace.call_within

        def submit() -> str:
            desk.failpoints.reach("calling")
            if desk.clock.monotonic() > announced + desk.pace.begin_within:
                raise Transient("the call did not begin in time", code=_TOO_LATE)
            job_id = self.provider.submit(self.backend, work, ticket.submission.token, deadline=deadline)
            desk.failpoints.reach("called")
            return job_id

        call = asyncio.ensure_future(
            desk.calls.call(self.target, "create", submit, deadline=deadline, repeatable=False)
        )
        try:
            await self._heard(call, deadline)
        except asyncio.CancelledError:
            self._keep_late(call)
            raise

    async def _heard(self, call: asyncio.Future[tuple[str, float]], deadline: float) -> None:
        """Wait for a call's answer, not longer than its deadline, and owe the journal what it means."""
        ticket, clock = self.ticket, self.desk.clock
        patience = asyncio.ensure_future(clock.sleep(deadline - clock.monotonic()))
        either: set[asyncio.Future[Any]] = {call, patience}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
        if not call.done():
            self._owed = Lost(ticket.epoch, "no answer in time")
            ticket.seen = ticket.seen.called()
            self._keep_late(call)
            return
        error = call.exception()
        if error is None:
            job_id, self._waited = call.result()
            self._owed = Accepted(ticket.epoch, job_id)
            return
        if isinstance(error, Postponed) or (isinstance(error, Transient) and error.code == _TOO_LATE):
            self._owed = Uncalled(ticket.epoch)
            if isinstance(error, Postponed):
                await self._pay()
                raise error  # out of here, or to be waited out, if an earlier call left a doubt
            return
        ticket.seen = ticket.seen.called()
        if isinstance(error, QuireError):
            self._refused = error
            self._owed = Refused(ticket.epoch, fault_of(error))
        elif isinstance(error, Exception):
            self._owed = Lost(ticket.epoch, type(error).__name__)
        else:
            raise error

    def _keep_late(self, call: asyncio.Future[tuple[str, float]]) -> None:
        """The answer of a call that nobody waits for any more is still a fact: write it when it comes."""

        async def adopt() -> None:
            with suppress(Exception):
                job_id, _ = await call
                submission = self.ticket.submission
                await self.desk.findings.late(self.target, self.provider, submission, job_id)

        task = asyncio.ensure_future(adopt())
        self.desk.late.add(task)
        task.add_done_callback(self.desk.late.discard)

    async def _search(self) -> None:
        """Look for the token's jobs; a search that fails has seen nothing, not even that there is nothing."""
        ticket, asked = self.ticket, self.desk.clock.now()
        since = ticket.submission.first_call_at or asked
        find = partial(self.provider.find, self.backend, ticket.submission.token, since)
        try:
            found, _ = await self.desk.calls.call(self.target, "find", find)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is no answer
            _LOG.warning("%s could not be searched: %s", self.target, type(error).__name__)
            await self._wait(self.desk.journal.rules.search_seconds)
            return
        self.desk.failpoints.reach("searched")
        ticket.seen = ticket.seen.searched(found, asked)

    async def _adopt(self, action: Adopt) -> None:
        await self.desk.journal.intend(self.ticket, Adopted(action.job_id, "found at the provider"))
        self.desk.alarms.recovered(self.ticket.submission)
        self.desk.failpoints.reach("adopted")
        for surplus in action.surplus:
            await self.desk.findings.surplus(self.target, self.provider, self.ticket.submission, surplus)
            await self.desk.journal.refresh(self.ticket)

    async def _poll(self, work: Work, action: Poll) -> Outcome | None:
        """Look at the job once: its outcome if it is over, else wait a while."""
        desk, job_id = self.desk, action.job_id
        try:
            status, _ = await desk.calls.call(self.target, "status", partial(self.provider.status, job_id))
        except Exception as error:  # noqa: BLE001 - whatever it was, the job is where it is
            _LOG.warning("a job of %s could not be looked at: %s", self.target, type(error).__name__)
            await self._pause()
            return None
        if status == "unknown":
            await self._missing()
        elif status in ("queued", "running"):
            if action.unwanted is not None and not self._cancelled:
                await self._cancel(job_id, only_queued=action.unwanted.code != "cancelled", status=status)
            await self._pause()
        else:
            return await self._fetch(work, action)
        return None

    async def _fetch(self, work: Work, action: Poll) -> Outcome | None:
        """The outcome of a job that is over. Only what the provider says of the job itself ends the submission."""
        desk = self.desk
        desk.failpoints.reach("polled")
        retrieve = partial(self.provider.retrieve, self.backend, work, action.job_id)
        try:
            outcome, _ = await desk.calls.call(self.target, "fetch", retrieve)
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
            await self.desk.calls.call(self.target, "cancel", partial(self.provider.cancel, job_id))
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
