"""The breakers of one gateway: judged by its own calls, and by what it has heard from the others (`breaker_fleet`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from quire_quantum_gateway.providers.error_table import meanings
from quire_resilience.breaker import Breaker, BreakerPolicy, Circuit, worst

if TYPE_CHECKING:
    from quire_contracts.breaker import BreakerScope
    from quire_quantum_gateway.providers.faults import Classified
    from quire_quantum_gateway.sites import Site
    from quire_resilience.backoff import Uniform
    from quire_resilience.clock import Clock

FAILING: Final = "target-failing"
"""The reason of a breaker that opened by its window."""

GIVING_WORK: Final = ("create", "run")
"""Operations without which a target takes no work."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call must not be made. seconds: until it is worth asking again.   reason: a stable code."""

    seconds: float
    reason: str
    scope: BreakerScope


@dataclass(frozen=True, slots=True)
class Known:
    """One breaker as this gateway knows it, in its monotonic time.

    revision: of the shared value that it goes by; 0 before there is one.
    shared: whether the others can know of it; what is not shared yet was found here.
    opened: since when calls are refused, while they are.
    """

    breaker: Breaker
    revision: int = 0
    shared: bool = True
    opened: float = 0.0

    @property
    def circuit(self) -> Circuit:
        """Its state."""
        return self.breaker.circuit

    def came_to(self, circuit: Circuit, *, revision: int | None = None, shared: bool) -> Known:
        """In another state; the time since which calls are refused is kept until they are made again."""
        opened = self.opened if self.circuit.state != "closed" else circuit.since
        return Known(
            self.breaker.moved(circuit), self.revision if revision is None else revision, shared=shared, opened=opened
        )


@dataclass(slots=True, kw_only=True)
class Breakers:
    """What stands before the calls of one gateway. Not thread-safe: to be used in the event loop.

    changed: set when something opened here, so that whoever shares it need not wait.
    """

    policy: BreakerPolicy
    clock: Clock
    uniform: Uniform
    known: dict[BreakerScope, Known] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def refusal(self, site: Site, operation: str) -> Refusal | None:
        """Why a call may not be made now; None if it may."""
        now = self.clock.monotonic()
        closed = [(scope, self.circuit(scope)) for scope in site.scopes(operation)]
        found = [Refusal(each.wait(now), each.reason, scope) for scope, each in closed if each.state != "closed"]
        return max(found, key=lambda each: each.seconds, default=None)

    def succeeded(self, site: Site, operation: str) -> None:
        """A call ended well, or in a way that is not the provider's fault."""
        self._record(site.operation_scope(operation), ok=True)

    def failed(self, site: Site, operation: str, found: Classified) -> None:
        """A call ended in an error of this class; what is not the provider's fault counts for nothing."""
        effect = found.action.breaker
        if effect == "failure":
            self._record(site.operation_scope(operation), ok=False)
        elif effect != "none":
            scope = site.device_scope if effect == "device" else site.account_scope
            known = self.known.get(scope, Known(Breaker(self.policy)))
            self._put(scope, known, known.breaker.tripped(self.clock.monotonic(), found.fault.code, self.uniform))

    def circuit(self, scope: BreakerScope) -> Circuit:
        """The state of a breaker."""
        known = self.known.get(scope)
        return known.circuit if known is not None else Circuit()

    def before_work(self, site: Site) -> Circuit:
        """The worst of the breakers that stand before work for a device."""
        scopes = (*map(site.operation_scope, GIVING_WORK), site.device_scope, site.account_scope)
        found = Circuit()
        for scope in scopes:
            found = worst(found, self.circuit(scope))
        return found

    def _record(self, scope: BreakerScope, *, ok: bool) -> None:
        known = self.known.get(scope, Known(Breaker(self.policy)))
        self._put(scope, known, known.breaker.record(self.clock.monotonic(), self.uniform, ok=ok, reason=FAILING))

    def _put(self, scope: BreakerScope, known: Known, after: Breaker) -> None:
        if after.circuit == known.circuit:
            self.known[scope] = replace(known, breaker=after)
        else:
            self.known[scope] = known.came_to(after.circuit, shared=False)
            self.changed.set()


def site_in(scope: BreakerScope, sites: Mapping[str, Site]) -> Site | None:
    """A served site whose calls are in a scope; None if none is."""
    return next((site for site in sites.values() if site.is_in(scope)), None)


def in_words(reason: str) -> str:
    """A breaker's reason, for people; empty for none."""
    return meanings()[reason].reason if reason in meanings() else ""
