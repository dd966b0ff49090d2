"""The provider's list of jobs beside the journal: what was paid for is known, or found out and said.

The journal cannot see what it was never told: a job that a provider made of a request everybody had given up, or a
journal that was lost with its broker. So from time to time every job that bears our tag is looked up in the journal.
`verdict` says what follows, purely; the rest does it. One gateway of the fleet does this in each round.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from quire_bus.errors import Conflict
from quire_contracts.value import Name, Value
from quire_quantum_gateway.desk import Address
from quire_quantum_gateway.tokens import batch_of
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_bus.buckets import Bucket
    from quire_plane import Lanes
    from quire_quantum_gateway.catalog import Catalog
    from quire_quantum_gateway.desk import Desk
    from quire_quantum_gateway.journal import Submission
    from quire_quantum_gateway.operators import Operators
    from quire_quantum_gateway.providers.port import Found, Provider
    from quire_resilience.clock import Clock

_LOG: Final = logging.getLogger("quire.gateway")
_ROUND: Final = "reconciler.round"
_EARLY: Final = 0.9
"""A round that begins a tenth of its period early is still the next one; gateways' clocks differ."""

_OVER: Final = frozenset({"done", "failed", "cancelled"})

Verdict = Literal["known", "adopt", "surplus", "deliver", "orphan", "wait"]


class Round(Value, frozen=True):
    """When jobs were last compared, and by which gateway."""

    at: datetime
    by: Name = ""


def verdict(found: Found, submission: Submission | None, now: datetime, settled: timedelta) -> Verdict:
    """What follows from a job at a provider and the submission of its token.

    known: the journal has it.   adopt: the submission lacks its job, and this is it.
    surplus: the submission has another job or none is wanted: one too many.
    deliver: it was adopted after its batch had been answered, so that nobody waits for it: run its batch again.
    orphan: nobody here knows of it.   wait: it is too early to tell.

    settled: how long after its call everybody knows of a job.
    """
    young = now < found.created_at + settled
    if submission is None or submission.token != found.token:
        return "wait" if young else "orphan"
    if submission.provider_job_id == found.job_id:
        parked = any(step.state == "parked" for step in submission.steps)
        return "deliver" if parked and submission.state == "submitted" else "known"
    if submission.state in ("intent", "calling", "unknown") and (young or not found.complete):
        return "wait"  # its gateway knows better
    if submission.state in ("calling", "unknown", "parked") and found.complete and not submission.provider_job_id:
        return "adopt"
    return "wait" if young or submission.state == "intent" else "surplus"


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """One gateway's part in it.

    every: seconds between two rounds of the fleet.   back: how far a round looks.
    cancel_orphans: whether what nobody knows is cancelled.
    """

    catalog: Catalog
    desk: Desk
    lanes: Lanes
    operators: Operators
    rounds: Bucket[Round]
    instance: str
    every: float
    back: timedelta
    cancel_orphans: bool = True
    _alarmed: set[str] = field(default_factory=set)
    _over: set[str] = field(default_factory=set)

    async def watch(self, stopping: asyncio.Event) -> None:
        """A round whenever one is due, until the service stops. The first comes one period after the start."""
        while await _pause(self.desk.clock, self.every, stopping):
            try:
                if await self._is_mine():
                    await self.reconcile()
            except QuireError as error:
                _LOG.warning("jobs could not be compared with the journal: %s", error)

    async def reconcile(self) -> dict[Verdict, int]:
        """One round; how many jobs got which verdict."""
        since = self.desk.clock.now() - self.back
        tally: dict[Verdict, int] = {}
        for provider in self.catalog.values():
            try:
                listed, _ = await self.lanes.run(f"reconciling {provider.name}", partial(provider.listed, since))
            except Exception as error:  # noqa: BLE001 - the next round asks again
                _LOG.warning("the jobs of %s could not be listed: %s", provider.name, type(error).__name__)
                continue
            for found in listed:
                says = await self._settle(provider, found)
                tally[says] = tally.get(says, 0) + 1
        return tally

    async def _settle(self, provider: Provider, found: Found) -> Verdict:
        batch_id, journal = batch_of(found.token), self.desk.journal
        submission = await journal.get(batch_id) if batch_id is not None else None
        settled = timedelta(seconds=journal.rules.quarantine_seconds)
        says = verdict(found, submission, self.desk.clock.now(), settled)
        address = Address(f"{provider.name}:{found.backend}", provider, found.backend, "tag")
        if says == "orphan":
            await self._orphan(address, found, batch_id)
        elif submission is not None and says == "surplus":
            await self.desk.findings.surplus(address, submission, found.job_id)
        elif submission is not None and says == "adopt":
            await self.desk.findings.found(address, submission, found.job_id, "found by the reconciler")
        elif submission is not None and (says == "deliver" or self._is_forgotten(found, submission)):
            await self.operators.deliver_again(submission.batch_id)
        return says

    def _is_forgotten(self, found: Found, submission: Submission) -> bool:
        """Whether a job is over for two rounds and nobody has fetched its answer: its message is lost."""
        if found.status not in _OVER or submission.state != "submitted":
            return False
        seen = found.job_id in self._over
        self._over.add(found.job_id)
        return seen

    async def _orphan(self, address: Address, found: Found, batch_id: str | None) -> None:
        """Its batch may still be on the log, if only the journal was lost; otherwise nobody can use its answer."""
        if batch_id is not None and found.complete and await self.operators.restore(batch_id, found):
            _LOG.warning("batch %s has its job at %s again, and had lost its journal", batch_id, address.target)
            return
        over = found.status in _OVER
        cancelled = self.cancel_orphans and not over and await self.desk.findings.cancel(address, found.job_id)
        if found.job_id not in self._alarmed:
            self._alarmed.add(found.job_id)
            await self.desk.alarms.orphan(address.target, found, cancelled=cancelled)

    async def _is_mine(self) -> bool:
        """Whether this round is this gateway's: the first to write that it began has it."""
        now, last = self.desk.clock.now(), await self.rounds.get(_ROUND)
        if last is not None and now < last.value.at + timedelta(seconds=self.every * _EARLY):
            return False
        try:
            await self.rounds.put(_ROUND, Round(at=now, by=self.instance), last.revision if last is not None else 0)
        except Conflict:
            return False
        return True


async def _pause(clock: Clock, seconds: float, stopping: asyncio.Event) -> bool:
    """Wait; whether to go on."""
    waits: Sequence[asyncio.Task[object]] = (
        asyncio.create_task(clock.sleep(seconds)),
        asyncio.create_task(stopping.wait()),
    )
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    return not stopping.is_set()
