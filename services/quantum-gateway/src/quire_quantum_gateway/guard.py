"""Between the gateway and its providers: the one door of calls, and this gateway's part in the shared breakers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import Observation

from quire_contracts.breaker import BreakerState, TargetState
from quire_contracts.switch import Switch
from quire_quantum_gateway.breaker_fleet import BreakerFleet, Probed
from quire_quantum_gateway.breaker_store import BUCKET, BreakerStore
from quire_quantum_gateway.breakers import Breakers
from quire_quantum_gateway.calls import CallCounts, Calls
from quire_quantum_gateway.catalog import Catalog, find
from quire_quantum_gateway.limits import Limits
from quire_service.switches import BUCKET as SWITCHES
from quire_service.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.metrics import CallbackOptions

    from quire_plane import Lanes
    from quire_quantum_gateway.postponing import Patience
    from quire_quantum_gateway.settings import Settings
    from quire_quantum_gateway.sites import Site
    from quire_service import Deps

_LANE: Final = "probes"


@dataclass(slots=True)
class Sites:
    """Where targets' calls go, remembered; `known` holds those that anybody asked for."""

    catalog: Catalog
    known: dict[str, Site] = field(default_factory=dict)

    def of(self, target: str) -> Site:
        """The site of a target.

        Raises:
            Permanent: no enabled provider has it.
        """
        site = self.known.get(target)
        if site is None:
            provider, backend = find(self.catalog, target)
            site = self.known[target] = provider.site(backend)
        return site


@dataclass(frozen=True, slots=True)
class Guard:
    """What stands between the gateway and its providers."""

    calls: Calls
    fleet: BreakerFleet
    switches: Switches
    patience: Patience


def open_guard(deps: Deps[Settings], catalog: Catalog, lanes: Lanes) -> Guard:
    """The guard of a gateway; its fleet and its switches are to be watched in the background."""
    bus, clock, settings, sites = deps.bus, deps.clock, deps.settings, Sites(catalog)
    breakers = Breakers(policy=settings.breaker_policy, clock=clock, uniform=random.random)
    deps.meter.create_observable_gauge(
        "quire.gateway.breakers", [partial(_states, breakers)], "{breaker}", "Breakers that are not closed, by state"
    )
    switches = Switches(bus.bucket(SWITCHES, Switch), clock)
    calls = Calls(
        sites=sites.of,
        switches=switches,
        breakers=breakers,
        limits=Limits(
            clock=clock,
            call_rates=settings.call_rates,
            create_rates=settings.create_rates,
            jobs_at_once=settings.jobs_at_once,
        ),
        lanes=lanes,
        clock=clock,
        uniform=random.random,
        counts=CallCounts(deps.meter),
        policy=settings.retry_policy,
    )
    fleet = BreakerFleet(
        breakers=breakers,
        store=BreakerStore(bus.bucket(BUCKET, BreakerState), bus.bucket(BUCKET, TargetState), bus.publisher),
        sites=sites.known,
        site_of=sites.of,
        probe=partial(ask, catalog, lanes),
        instance=deps.instance,
    )
    return Guard(calls, fleet, switches, settings.patience)


def _states(breakers: Breakers, _: CallbackOptions) -> Iterator[Observation]:
    known = [each.circuit.state for each in breakers.known.values()]
    for state in ("open", "half-open"):
        yield Observation(known.count(state), {"quire.breaker.state": state})


async def ask(catalog: Catalog, lanes: Lanes, site: Site) -> Probed:
    """A probe: whether a site's device takes work, as its provider says, which costs nothing.

    Raises:
        Whatever the provider does; then the answer is no.
    """
    provider, backend = find(catalog, f"{site.provider}:{site.device}")
    found, _ = await lanes.run(f"{_LANE} {site.provider}", partial(provider.window, backend))
    reason = "target-retired" if found.retired else "target-offline"
    return Probed(found.open and not found.retired, reason, found.until)
