"""A batch's way through the gateway: intent, submission, retrieval, answer, each written down before the next."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from quire_bus.envelope import Outgoing
from quire_bus.errors import fault_of
from quire_contracts.batch import BatchExecuted, BatchFailed, ExecuteBatch
from quire_plane import Plane, Turns, with_wait
from quire_plane.mitigation import folding_alone
from quire_plane.slices import permanent_from
from quire_quantum_gateway.catalog import Catalog, find
from quire_quantum_gateway.desk import Address, Desk
from quire_quantum_gateway.events import Accepted, Lost, Parked, Refused
from quire_quantum_gateway.mitigating import Mitigating, Nobody
from quire_quantum_gateway.places import Places
from quire_quantum_gateway.postponing import LATEST_SECONDS, said_later
from quire_quantum_gateway.pursuit import Pursuit
from quire_quantum_gateway.recovery import PARKED
from quire_quantum_gateway.submissions import Superseded, Ticket
from quire_resilience.backoff import Backoff
from quire_resilience.errors import Permanent, QuireError, Transient

if TYPE_CHECKING:
    from quire_bus.envelope import Meta
    from quire_contracts.batch import Batch
    from quire_contracts.value import Fault
    from quire_plane import Perform
    from quire_quantum.executor import Outcome, Work
    from quire_quantum.observables import Grouping
    from quire_quantum_gateway.limits import Postponed
    from quire_quantum_gateway.postponing import Patience
    from quire_quantum_gateway.providers.port import IdentityMode, Provider

_WATCH_SECONDS: Final = 5.0
_TROUBLE: Final = Backoff(base=0.25, cap=10.0)
_ENDED: Final = frozenset({"retrieved", "failed", "parked", "abandoned"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Runs batches at providers, keeping the journal; a sick target takes no other target's places.

    mitigating: what takes noise out; None refuses what asks for more than extrapolation.
    on: the target's qubits that everything runs on; none leaves them to the compiler.
    """

    catalog: Catalog
    plane: Plane
    desk: Desk
    mitigating: Mitigating | None = None
    places: Places = field(default_factory=Places)
    turns: Turns = field(default_factory=Turns)
    on: tuple[int, ...] = ()

    async def run(self, batch: Batch, cause: Meta) -> BatchExecuted:
        """The event that answers a batch: run now, or read from the journal if it ran before.

        Raises:
            Permanent: nothing could run, now or before; or nobody can say, and the submission is parked.
            Transient: the batch may run later. It certainly is not at a remote provider.
            Postponed: likewise, and nothing was called: the provider takes no calls now.
        """
        provider, backend = find(self.catalog, batch.target)
        mode = provider.identity_mode(backend)
        async with self.turns.of(batch.batch_id), self.places.of(batch.target, remote=mode != "forgetful"):
            drifted = self.desk.drifts.fault(batch.target, self.desk.clock.now())
            if drifted is not None and await self._given_up(batch, drifted):
                raise permanent_from(drifted)
            return await self._at(provider, backend, batch, cause)

    async def _at(self, provider: Provider, backend: str, batch: Batch, cause: Meta) -> BatchExecuted:
        mode = provider.identity_mode(backend)
        if mode == "forgetful":
            return await self._here(batch, cause, provider, backend)
        return await self._there(batch, cause, provider, backend, mode)

    async def _on(self, cause: Meta, batch: Batch, on: tuple[int, ...]) -> BatchExecuted:
        """The answer of a batch of our own on these qubits; within the place of the one that it is for."""
        ours = replace(self, plane=replace(self.plane, publisher=Nobody()), on=on)
        async with self.turns.of(batch.batch_id):
            return await ours._at(*find(self.catalog, batch.target), batch, cause)  # noqa: SLF001 - a gateway too

    async def _through_plane(
        self, batch: Batch, cause: Meta, perform: Perform, identity: str | None = None
    ) -> BatchExecuted:
        async def on_qubits(work: Work) -> Outcome:
            return await perform(replace(work, places=self.on))

        async def mitigate(work: Work, perform: Perform, grouping: Grouping | None) -> Outcome:
            if self.mitigating is None:
                return await folding_alone(work, perform, grouping)
            return await self.mitigating.mitigate(batch, partial(self._on, cause), work, perform, grouping)

        return await self.plane.run(batch, cause, on_qubits if self.on else perform, identity, mitigate)

    async def later(self, batch: Batch, postponed: Postponed, patience: Patience) -> Outgoing | BatchFailed:
        """The command that runs a postponed batch later, or its end where it cannot wait; see `postponing.said_later`.

        The journal says so too, so that it is not run after all. It is never the end of a batch that may be at its
        provider: there is no end to patience for that.
        """
        now = self.desk.clock.now()
        said = said_later(batch, postponed, now, patience)
        if isinstance(said, Outgoing) or await self._given_up(batch, said.fault):
            return said
        return Outgoing(ExecuteBatch(batch), at=now + timedelta(seconds=LATEST_SECONDS))

    async def _given_up(self, batch: Batch, fault: Fault) -> bool:
        """Write that a batch will not be run; False if something of it may be at its provider."""
        journal = self.desk.journal
        submission = await journal.get(batch.batch_id)
        if submission is not None and submission.state in ("calling", "submitted", "unknown", "retrieved"):
            return False
        ticket = await journal.open(batch, "none")  # or it has ended already: that is what is said again then
        if not isinstance(ticket, Ticket) or ticket.submission.state != "intent":
            return False
        await journal.happened(ticket, Refused(ticket.epoch, fault))
        return True

    async def _here(self, batch: Batch, cause: Meta, provider: Provider, backend: str) -> BatchExecuted:
        """A job that lives in this process: if it dies, it begins again."""
        ticket = await self.desk.journal.open(batch)
        if isinstance(ticket, BatchExecuted):
            return ticket
        try:
            await self.desk.calls.ready(batch.target, "run", _tenants(batch))
            identity = await self._identity(batch.target, provider, backend)
            perform = partial(self._perform, batch.target, ticket, identity)
            executed = await self._through_plane(batch, cause, perform, identity)
        except Exception as error:
            await self._ended_badly(ticket, error)
            raise
        await self.desk.journal.store(ticket, executed)
        return executed

    async def _identity(self, target: str, provider: Provider, backend: str) -> str | None:
        """What answers of the target may be shared by; opens its backend if nobody has."""
        identity = provider.identity(backend)
        if identity is None:
            await self.desk.calls.call(target, "run", partial(provider.capabilities, backend))
            identity = provider.identity(backend)
        return identity

    async def _perform(self, target: str, ticket: Ticket, identity: str | None, work: Work) -> Outcome:
        """Give the work to its provider, write down the job, and wait for it."""
        provider, backend = find(self.catalog, target)
        calls, token = self.desk.calls, ticket.submission.token
        job_id, waited = await calls.call(target, "run", partial(provider.submit, backend, work, token))
        await self.desk.journal.happened(ticket, Accepted(ticket.epoch, job_id))
        outcome, waited_again = await calls.call(target, "run", partial(provider.retrieve, backend, work, job_id))
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
            await self.desk.journal.happened(ticket, event)

    async def _there(
        self, batch: Batch, cause: Meta, provider: Provider, backend: str, mode: IdentityMode
    ) -> BatchExecuted:
        """A job at a remote provider. Once it may be there, only its end ends this."""
        failures = 0
        while True:
            try:
                ticket = await self.desk.journal.open(batch, mode)
            except Permanent as error:
                await self._alarmed(batch, error)
                raise
            except Transient as error:  # the broker, or a race; what is in doubt must not be given up over that
                failures += 1
                await self.desk.clock.sleep(max(error.retry_after or 0.0, _TROUBLE.ceiling(failures)))
                continue
            if isinstance(ticket, BatchExecuted):
                return ticket
            self.desk.failpoints.reach("opened")
            address = Address(batch.target, provider, backend, mode, _tenants(batch))
            pursuit = Pursuit(desk=self.desk, address=address, ticket=ticket)
            try:
                return await self._pursue(batch, cause, pursuit)
            except Superseded:
                await self._watch(ticket)

    async def _pursue(self, batch: Batch, cause: Meta, pursuit: Pursuit) -> BatchExecuted:
        """Run the plane around the pursuit, again and again while something may be at the provider."""
        ticket = pursuit.ticket
        while True:
            try:
                executed = await self._through_plane(batch, cause, pursuit.outcome)
                await self.desk.journal.store(ticket, executed)
            except Superseded:
                raise
            except Transient as error:
                if not pursuit.is_bound:
                    raise
                await pursuit.trouble(error)
            except Permanent as error:
                known = await self._refused(pursuit, error)
                await self._alarmed(batch, known)
                raise known from error
            else:
                self.desk.failpoints.reach("stored")
                return executed

    async def _refused(self, pursuit: Pursuit, error: Permanent) -> Permanent:
        """Write down what nobody can run, and what is said of it: where a call was made, an operator has to look."""
        journal, ticket = self.desk.journal, pursuit.ticket
        state = ticket.submission.state
        if state in ("intent", "submitted"):
            job_id = ticket.submission.provider_job_id
            await journal.happened(ticket, Refused(ticket.epoch, fault_of(error), provider_job_id=job_id))
        elif state == "unknown":
            await journal.happened(ticket, Parked(ticket.epoch, PARKED))
            return permanent_from(PARKED)
        return error

    async def _alarmed(self, batch: Batch, error: Permanent) -> None:
        """Make sure that an operator hears of what is parked, also if who parked it died before it was said."""
        if error.code == PARKED.code and (submission := await self.desk.journal.get(batch.batch_id)) is not None:
            await self.desk.alarms.parked(submission)

    async def _watch(self, ticket: Ticket) -> None:
        """Another gateway has taken over: leave it to that one, until it has ended or has long been silent."""
        clock, patience = self.desk.clock, self.desk.journal.rules.quarantine_seconds
        revision, since = ticket.revision, clock.monotonic()
        while clock.monotonic() < since + patience:
            await clock.sleep(_WATCH_SECONDS)
            with suppress(Transient):
                await self.desk.journal.refresh(ticket)
            if ticket.submission.state in _ENDED:
                return
            if ticket.revision != revision:
                revision, since = ticket.revision, clock.monotonic()


def _tenants(batch: Batch) -> frozenset[str]:
    return frozenset(member.tenant for member in batch.members)
