"""One call that gives work to a provider: announced in the journal, begun at once or not at all, ended in time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from quire_bus.errors import Conflict, fault_of
from quire_quantum_gateway.events import Accepted, Called, Lost, Refused, Uncalled
from quire_quantum_gateway.limits import Postponed
from quire_quantum_gateway.submissions import Superseded
from quire_resilience.errors import QuireError, Transient

if TYPE_CHECKING:
    from quire_quantum.executor import Work
    from quire_quantum_gateway.desk import Address, Desk
    from quire_quantum_gateway.events import Event
    from quire_quantum_gateway.submissions import Ticket

_TOO_LATE: Final = "too-late"
"""The port's code for a call that was not made because its deadline was too near."""


class Unmade(Exception):
    """The announcement was not confirmed, so nothing was called; it may stand in the journal all the same."""

    def __init__(self, error: QuireError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a call: what the journal must be told, and what the caller may be told after that.

    refused: the error of a refusal.   postponed: why nothing was called.   waited: for a thread, in seconds.
    """

    event: Event
    refused: QuireError | None = None
    postponed: Postponed | None = None
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class Calling:
    """Makes the calls of one address."""

    desk: Desk
    address: Address

    async def make(self, ticket: Ticket, work: Work, *, cleared: bool) -> Heard:
        """Write that the call is made, and make it, once.

        Raises:
            Postponed: before anything was written.
            Conflict, Superseded: nothing was written or called; the ticket knows why.
            Unmade: nothing was called.
        """
        desk, address = self.desk, self.address
        await desk.calls.ready(address.target, "create", address.tenants)
        usd = ticket.submission.reserved_usd or await self._cost(work)
        announced = desk.clock.monotonic()
        try:
            await desk.journal.intend(ticket, Called(ticket.epoch, usd, cleared))
        except (Conflict, Superseded):
            raise
        except QuireError as error:
            raise Unmade(error) from error
        desk.failpoints.reach("announced")
        deadline = announced + desk.pace.call_within

        def submit() -> str:
            desk.failpoints.reach("calling")
            if desk.clock.monotonic() > announced + desk.pace.begin_within:
                raise Transient("the call did not begin in time", code=_TOO_LATE)
            job_id = address.provider.submit(address.backend, work, ticket.submission.token, deadline=deadline)
            desk.failpoints.reach("called")
            return job_id

        # A repeated call would not be announced, so it is not repeated below the journal.
        made = desk.calls.call(
            address.target, "create", submit, deadline=deadline, repeatable=False, tenants=address.tenants
        )
        call = asyncio.ensure_future(made)
        try:
            return await self._hear(ticket, call, deadline)
        except asyncio.CancelledError:
            self._keep_late(ticket, call)
            raise

    async def _cost(self, work: Work) -> float:
        address = self.address
        quote, _ = await self.desk.calls.call(
            address.target, "describe", partial(address.provider.cost, address.backend, work)
        )
        return quote.usd

    async def _hear(self, ticket: Ticket, call: asyncio.Future[tuple[str, float]], deadline: float) -> Heard:
        """Wait for the call's answer, not longer than its deadline."""
        clock = self.desk.clock
        patience = asyncio.ensure_future(clock.sleep(deadline - clock.monotonic()))
        either: set[asyncio.Future[Any]] = {call, patience}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
        if not call.done():
            self._keep_late(ticket, call)
            return Heard(Lost(ticket.epoch, "no answer in time"))
        error = call.exception()
        if error is None:
            job_id, waited = call.result()
            return Heard(Accepted(ticket.epoch, job_id), waited=waited)
        if isinstance(error, Postponed):
            return Heard(Uncalled(ticket.epoch), postponed=error)
        if isinstance(error, Transient) and error.code == _TOO_LATE:
            return Heard(Uncalled(ticket.epoch))
        if isinstance(error, QuireError):
            return Heard(Refused(ticket.epoch, fault_of(error)), refused=error)
        if isinstance(error, Exception):
            return Heard(Lost(ticket.epoch, type(error).__name__))
        raise error

    def _keep_late(self, ticket: Ticket, call: asyncio.Future[tuple[str, float]]) -> None:
        """The answer of a call that nobody waits for any more is still a fact: write it when it comes."""

        async def adopt() -> None:
            with suppress(Exception):
                job_id, _ = await call
                await self.desk.findings.found(self.address, ticket.submission, job_id, "a late answer")

        task = asyncio.ensure_future(adopt())
        self.desk.late.add(task)
        task.add_done_callback(self.desk.late.discard)
