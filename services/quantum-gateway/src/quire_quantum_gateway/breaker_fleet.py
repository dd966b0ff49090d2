"""All gateways' breakers as one: openings are shared, one of them probes for all, and targets are said to be down.

::

    own calls ──> Breakers ──opens──> bucket `backends` <──polled each second── every gateway
                                            |
                    its time is over: one gateway swaps it to half-open, asks the provider for free, and
                    writes what it heard; nobody else asks before that one's time is over

The swap to half-open is the lease of the probe: it names one prober and ends by itself, so that a prober that dies
holds nothing up. While the bucket cannot be reached, a gateway goes by what it found itself, probes included. How long
an opening lasts is counted by each gateway from when it sees it, on its own monotonic clock, so that clocks that
differ or jump open nothing early; only one that has just started goes by the time of day.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from quire_contracts.breaker import BreakerState, TargetState
from quire_quantum_gateway.breaker_store import BreakerStore, Event, event_of
from quire_quantum_gateway.breakers import Known, in_words, site_in
from quire_resilience.breaker import Breaker, Circuit
from quire_resilience.errors import QuireError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from quire_bus.records import Stored
    from quire_contracts.breaker import BreakerScope
    from quire_quantum_gateway.breakers import Breakers
    from quire_quantum_gateway.sites import Site

POLL_SECONDS: Final = 1.0
_LOG: Final = logging.getLogger("quire.gateway")
_EVENTS_KEPT: Final = 256
_STATES: Final = {"closed": "up", "half-open": "probing", "open": "down"}


@dataclass(frozen=True, slots=True)
class Probed:
    """What a free question to a provider brought out. until: when it says that it will be back."""

    ok: bool
    reason: str = "target-offline"
    until: datetime | None = None


@dataclass(slots=True, kw_only=True)
class BreakerFleet:
    """One gateway's part in it.

    sites: of the targets that this gateway has had to do with, by target.
    site_of: of a target that the others speak of; raises QuireError for one that is not served here.
    probe: asks a site's provider, for free, whether it takes work.
    instance: who this gateway is.
    """

    breakers: Breakers
    store: BreakerStore
    sites: Mapping[str, Site]
    site_of: Callable[[str], Site]
    probe: Callable[[Site], Awaitable[Probed]]
    instance: str
    _watching: bool = False
    _unsaid: list[tuple[Event, int]] = field(default_factory=list)
    _probes: dict[BreakerScope, asyncio.Task[None]] = field(default_factory=dict)
    _differing: set[str] = field(default_factory=set)

    async def watch(self, stopping: asyncio.Event) -> None:
        """Keep in step with the other gateways until told to stop: each second, and at once when something opens."""
        ending = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self.breakers.changed.clear()
                await self.step()
                pause = asyncio.ensure_future(self.breakers.clock.sleep(POLL_SECONDS))
                change = asyncio.create_task(self.breakers.changed.wait())
                await asyncio.wait({pause, change, ending}, return_when=asyncio.FIRST_COMPLETED)
                await _ended(pause, change)
        finally:
            await _ended(ending, *self._probes.values())

    async def step(self) -> None:
        """Read what the others found, share what was found here, probe what is due, say what is to be said."""
        try:
            self._see(await self.store.read())
            for scope, known in list(self.breakers.known.items()):
                if not known.shared:
                    await self._swap(scope, known.circuit)
            await self._begin_probes(shared=True)
            await self._say_events()
            await self._say_targets()
        except QuireError as error:
            _LOG.warning("the shared breakers cannot be reached, this gateway goes by its own: %s", error)
            await self._begin_probes(shared=False)

    async def settled(self) -> None:
        """Wait for the probes that are under way."""
        await asyncio.gather(*self._probes.values())

    def _see(self, stored: Mapping[BreakerScope, Stored[BreakerState]]) -> None:
        """Take over what is new. An opening of this gateway that is not shared yet gives way to one that is."""
        now, wall = self.breakers.clock.monotonic(), self.breakers.clock.now()
        for scope, each in stored.items():
            known = self.breakers.known.get(scope, Known(Breaker(self.breakers.policy)))
            if known.revision >= each.revision:
                continue
            state, watching = each.value, self._watching
            lasts = max(0.0, (state.until - state.since).total_seconds())
            left = lasts if watching else min(lasts, max(0.0, (state.until - wall).total_seconds()))
            since = now if watching else now - max(0.0, (wall - state.since).total_seconds())
            circuit = Circuit(state.state, since, now + left, state.spell, state.reason_code)
            if known.shared or circuit.state != "closed":
                self.breakers.known[scope] = known.came_to(circuit, revision=each.revision, shared=True)
            else:
                relapse = circuit.opened(self.breakers.policy, now, known.circuit.reason, self.breakers.uniform)
                self.breakers.known[scope] = known.came_to(relapse, revision=each.revision, shared=False)
        self._watching = True

    async def _swap(self, scope: BreakerScope, after: Circuit) -> bool:
        """Put a state in the place of the shared one that was seen last; whether that was still there."""
        known = self.breakers.known[scope]
        state = BreakerState(
            scope=scope,
            state=after.state,
            since=self._wall(after.since),
            until=self._wall(after.until),
            spell=after.spell,
            reason_code=after.reason,
            reason=in_words(after.reason),
            by=self.instance,
        )
        revision = await self.store.write(state, known.revision)
        if revision is None:
            return False  # the next step reads what another gateway wrote
        current = self.breakers.known[scope]
        if current.circuit == known.circuit:
            self.breakers.known[scope] = current.came_to(after, revision=revision, shared=True)
        else:  # a call has opened it while this was written: that is yet to be shared
            self.breakers.known[scope] = replace(current, revision=revision)
        self._differing |= {target for target, site in self.sites.items() if site.is_in(scope)}
        refused = after.since - known.opened if known.circuit.state != "closed" else 0.0
        self._unsaid = [*self._unsaid, (event_of(state, max(0.0, refused)), revision)][-_EVENTS_KEPT:]
        _LOG.warning("the breaker of %s is %s: %s", _named(scope), after.state, after.reason or "the provider is back")
        return True

    async def _begin_probes(self, *, shared: bool) -> None:
        """Probe what is due; without the bucket only what nobody else knows of, and for this gateway alone."""
        now = self.breakers.clock.monotonic()
        for scope, known in list(self.breakers.known.items()):
            claimed, site = known.circuit.probe(self.breakers.policy, now), site_in(scope, self.sites)
            if claimed is None or site is None or scope in self._probes or (known.shared and not shared):
                continue
            if not shared:
                self.breakers.known[scope] = known.came_to(claimed, shared=False)
            elif not await self._swap(scope, claimed):
                continue
            self._probes[scope] = task = asyncio.create_task(
                self._ask(scope, site, claimed), name=f"probe:{site.device}"
            )
            task.add_done_callback(lambda _, scope=scope: self._probes.pop(scope, None))  # type: ignore[misc]

    async def _ask(self, scope: BreakerScope, site: Site, claimed: Circuit) -> None:
        """One probe, and what follows from it; an answer that comes too late is nobody's any more."""
        policy = self.breakers.policy
        answer = await self._answer(scope, site) or Probed(ok=False, reason=claimed.reason)
        clock, known = self.breakers.clock, self.breakers.known[scope]
        if known.circuit != claimed:
            return
        now, uniform = clock.monotonic(), self.breakers.uniform
        after = claimed.probed(policy, now, uniform, ok=answer.ok, reason=answer.reason)
        if answer.until is not None and not answer.ok:
            until = now + (answer.until - clock.now()).total_seconds()
            after = after.opened(policy, now, answer.reason, uniform, until=until)
        if not known.shared:
            self.breakers.known[scope] = known.came_to(after, shared=after.state == "closed")
            return
        try:
            await self._swap(scope, after)
        except QuireError as error:
            _LOG.warning("the outcome of the probe of %s could not be shared: %s", _named(scope), error)
        self.breakers.changed.set()

    async def _answer(self, scope: BreakerScope, site: Site) -> Probed | None:
        """What the provider says, if it says anything in time."""
        question = asyncio.ensure_future(self.probe(site))
        patience = asyncio.ensure_future(self.breakers.clock.sleep(self.breakers.policy.probe_seconds))
        try:
            await asyncio.wait({question, patience}, return_when=asyncio.FIRST_COMPLETED)
            if not question.done():
                return None
            return question.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, the provider did not say yes
            _LOG.warning("the probe of %s failed: %s", _named(scope), type(error).__name__)
            return None
        finally:
            await _ended(question, patience)

    async def _say_events(self) -> None:
        while self._unsaid:
            await self.store.say(*self._unsaid[0])
            self._unsaid.pop(0)

    async def _say_targets(self) -> None:
        """Say how the served targets are, where it is said otherwise.

        What this gateway did not change itself, it says only when it saw the difference twice in a row: its view of the
        breakers may be older than what is said.
        """
        said, differing = await self.store.read_targets(), set()
        for target in said.keys() - self.sites.keys():
            with suppress(QuireError):  # somebody else's
                self.site_of(target)  # from now on among `sites`: who else would ask whether it is back?
        for target, site in list(self.sites.items()):
            state, stored = self._target(target, site), said.get(target)
            if _same(state, stored.value if stored is not None else None):
                continue
            differing.add(target)
            if target in self._differing:
                await self.store.write_target(state, stored.revision if stored is not None else 0)
        self._differing = differing

    def _target(self, target: str, site: Site) -> TargetState:
        circuit = self.breakers.before_work(site)
        closed = circuit.state == "closed"
        return TargetState(
            target=target,
            state=_STATES[circuit.state],  # type: ignore[arg-type]  # each of them is one of its three
            since=self.breakers.clock.now() if closed else self._wall(circuit.since),
            until=None if closed else self._wall(circuit.until),
            reason_code=circuit.reason,
            reason=in_words(circuit.reason),
        )

    def _wall(self, moment: float) -> datetime:
        """A moment of this process's monotonic clock by the time of day."""
        clock = self.breakers.clock
        return clock.now() + timedelta(seconds=moment - clock.monotonic())


def _same(state: TargetState, said: TargetState | None) -> bool:
    if said is None:
        return state.state == "up"
    near = (
        state.until is None or said.until is None or abs((state.until - said.until).total_seconds()) < POLL_SECONDS * 2
    )
    return (state.state, state.reason_code) == (said.state, said.reason_code) and near


def _named(scope: BreakerScope) -> str:
    return f"{scope.provider} {scope.account} {scope.region} {scope.device} {scope.operation}"


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
