"""Every call of a provider goes through here: switches, breakers, limits, threads, retries, in this one layer alone.

::

    switch ──off, or unreadable──> Postponed   only work that is given away: what is at a provider is looked after
       |
    breaker ──open──> Postponed              an error as the answer is
       |                                       classed by the adapter's table (`providers.faults`),
    rate limit ──too far away──> Postponed     counted by the breakers as its class says,
       |                                       and if that is safe, within tries, time, budget and deadline,
    a thread of the target's own               an occasion to make the call once more
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from quire_quantum_gateway.limits import PATIENCE_SECONDS, Limits, Postponed
from quire_quantum_gateway.providers.error_table import meanings
from quire_quantum_gateway.providers.faults import classified_of
from quire_resilience.errors import QuireError
from quire_resilience.retry import RetryBudget, RetryPolicy
from quire_service.switches import UNREADABLE, SwitchesUnreadable, fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractAsyncContextManager

    from opentelemetry.metrics import Counter, Meter

    from quire_contracts.switch import Switch
    from quire_plane import Lanes
    from quire_quantum_gateway.breakers import Breakers, Refusal
    from quire_quantum_gateway.providers.error_table import Operation
    from quire_quantum_gateway.providers.faults import Classified
    from quire_quantum_gateway.sites import Site
    from quire_resilience.backoff import Uniform
    from quire_resilience.clock import Clock

T = TypeVar("T")

_AFTER_PROBE: Final = 2.0
_LOOK_AGAIN: Final = 1.0
_WORK: Final = ("create", "run")
"""Operations that are not questions: they are repeated only where the caller says that it is safe."""

_POLLED: Final = ("status",)
"""Questions that come again anyway: repeating one as well would only make more calls."""


class Switches(Protocol):
    """What is needed of `quire_service.switches.Switches`."""

    @property
    def is_fresh(self) -> bool:
        """See there."""
        ...

    def stopped(self, target: str, tenants: Collection[str] = ()) -> Switch | None:
        """See there."""
        ...

    async def asked(self, target: str, tenants: Collection[str] = ()) -> Switch | None:
        """See there."""
        ...


class _Aged(Exception):
    """What was known of the switches grew old while the call waited for its thread: ask again."""


class CallCounts:
    """What the calls of providers came to, for operators."""

    def __init__(self, meter: Meter) -> None:
        """Count with these instruments from now on."""
        self.calls: Counter = meter.create_counter("quire.gateway.calls", "{call}", "Calls of providers")
        self.retries: Counter = meter.create_counter("quire.gateway.retries", "{call}", "Of them, repeated ones")
        self.errors: Counter = meter.create_counter("quire.gateway.errors", "{error}", "Errors of providers by class")
        self.unclassified: Counter = meter.create_counter(
            "quire.gateway.unclassified_errors", "{error}", "Errors that no table knows; each needs its row"
        )
        self.postponed: Counter = meter.create_counter("quire.gateway.postponed", "{call}", "Calls that were not made")


@dataclass(slots=True, kw_only=True)
class Calls:
    """The calls of one gateway. sites: of the targets that are served, by target."""

    sites: Callable[[str], Site]
    switches: Switches
    breakers: Breakers
    limits: Limits
    lanes: Lanes
    clock: Clock
    uniform: Uniform
    counts: CallCounts
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    _budgets: dict[tuple[str, str], RetryBudget] = field(default_factory=dict)

    async def call(
        self,
        target: str,
        operation: Operation,
        call: Callable[[], T],
        *,
        deadline: float = math.inf,
        repeatable: bool | None = None,
        tenants: Collection[str] = (),
    ) -> tuple[T, float]:
        """Make a blocking call of a target's provider; its result, and the seconds it waited for a thread.

        deadline: of the clock's `monotonic`; no try begins after it.
        repeatable: whether the same call may be made again although the provider may have done what it was asked;
            questions are, but that for a job's state, which is asked again anyway; giving work is where it carries a
            token.
        tenants: whose work it is; one of them that is switched off stops it.

        Raises:
            Postponed: nothing was called; it may be later.
            Permanent, Transient, Ambiguous, and whatever else the call raises, of its last try.
        """
        site = self.sites(target)
        about = {"quire.provider": site.provider, "quire.operation": operation}
        again = repeatable if repeatable is not None else operation not in (*_WORK, *_POLLED)
        began, attempt = self.clock.monotonic(), 0
        dependency = (site.provider, operation)
        self._budgets[dependency] = self._budgets.get(dependency, RetryBudget()).called()
        while True:
            attempt += 1
            try:
                await self._turn(target, site, operation, deadline, tenants)
                result = await self.lanes.run(
                    _lane(target, operation), lambda: self._checked(target, site, operation, tenants, call)
                )
            except _Aged:
                attempt -= 1
            except Postponed:
                self.counts.postponed.add(1, about)
                raise
            except Exception as error:
                found = self._heard(site, target, operation, error)
                pause = self._pause(dependency, found, attempt, began, deadline) if again else None
                if pause is None:
                    raise self._postponed(site, operation, found) or error from error
                self.counts.retries.add(1, about)
                await self.clock.sleep(pause)
            else:
                self.breakers.succeeded(site, operation)
                return result

    async def ready(self, target: str, operation: Operation, tenants: Collection[str] = ()) -> None:
        """Return if a call would be let through by the switches and the breakers now.

        Raises:
            Postponed: it would not.
        """
        await self._allowed(target, operation, tenants)
        self._check(self.sites(target), operation)

    def job(self, target: str) -> AbstractAsyncContextManager[None]:
        """Around the life of a job at the provider; see `Limits.job`."""
        return self.limits.job(target)

    async def _turn(
        self, target: str, site: Site, operation: Operation, deadline: float, tenants: Collection[str]
    ) -> None:
        self._check(site, operation)
        await self.limits.turn(target, operation, deadline)
        await self._allowed(target, operation, tenants)

    async def _allowed(self, target: str, operation: Operation, tenants: Collection[str]) -> None:
        """Return if no switch stops the call. Where nobody can say, it is stopped."""
        if operation not in _WORK:
            return
        try:
            switch = await self.switches.asked(target, tenants)
        except SwitchesUnreadable as error:
            raise Postponed(UNREADABLE, error.retry_after or _LOOK_AGAIN) from error
        if switch is not None:
            raise Postponed(fault_of(switch), _LOOK_AGAIN)

    def _check(self, site: Site, operation: Operation) -> None:
        refusal = self.breakers.refusal(site, operation)
        if refusal is not None:
            raise Postponed(meanings()[refusal.reason].fault, self._after(refusal))

    def _checked(
        self, target: str, site: Site, operation: Operation, tenants: Collection[str], call: Callable[[], T]
    ) -> T:
        """In the thread, perhaps long after its turn: what opened meanwhile holds too. Everything is only read here."""
        self._check(site, operation)
        if operation in _WORK:
            if not self.switches.is_fresh:
                raise _Aged
            switch = self.switches.stopped(target, tenants)
            if switch is not None:
                raise Postponed(fault_of(switch), _LOOK_AGAIN)
        self.counts.calls.add(1, {"quire.provider": site.provider, "quire.operation": operation})
        return call()

    def _heard(self, site: Site, target: str, operation: Operation, error: Exception) -> Classified | None:
        """Count an error; what it was classed as, None where it did not come from the provider."""
        found = classified_of(error)
        about = {"quire.provider": site.provider, "quire.operation": operation}
        if found is None:
            if not isinstance(error, QuireError):
                self.counts.unclassified.add(1, about)
            return None
        self.counts.errors.add(1, {**about, "quire.error.class": found.error_class})
        if not found.known:
            self.counts.unclassified.add(1, about)
        at_fault = operation if found.error_class != "exec-failed" or operation in _WORK else "create"
        if found.action.breaker == "none":
            self.breakers.succeeded(site, at_fault)
        else:
            self.breakers.failed(site, at_fault, found)
        if found.error_class == "throttled":
            asked = found.retry_after if found.retry_after is not None else found.action.least_wait
            self.limits.silence(target, operation, asked)
        return found

    def _pause(
        self,
        dependency: tuple[str, str],
        found: Classified | None,
        attempt: int,
        began: float,
        deadline: float,
    ) -> float | None:
        """Seconds until the next try; None if there is none."""
        if found is None or found.action.again == "never":
            return None
        now, asked = self.clock.monotonic(), found.retry_after
        if found.action.again == "later":
            asked = max(asked or 0.0, found.action.least_wait)
            if asked > PATIENCE_SECONDS:
                return None
        pause = self.policy.pause(attempt, now - began, deadline - now, self.uniform, retry_after=asked)
        budget = self._budgets[dependency].spent() if pause is not None else None
        if budget is None:
            return None
        self._budgets[dependency] = budget
        return pause

    def _postponed(self, site: Site, operation: Operation, found: Classified | None) -> Postponed | None:
        """Work that the provider has no room for, and certainly has not taken, comes again later instead of failing."""
        if found is None or found.applied == "maybe" or not found.fault.retryable:
            return None
        if found.action.again == "later":
            least = max(found.retry_after or 0.0, found.action.least_wait)
            return Postponed(found.fault, least + self.policy.backoff.cap * self.uniform())
        refusal = self.breakers.refusal(site, operation)
        if operation == "create" and found.action.breaker == "device" and refusal is not None:
            return Postponed(found.fault, self._after(refusal))
        return None

    def _after(self, refusal: Refusal) -> float:
        """Seconds until a refused call may be made: a little after the probe, and not all of them together."""
        return refusal.seconds + _AFTER_PROBE * (1 + self.uniform())


def _lane(target: str, operation: Operation) -> str:
    """Questions have threads of their own, so that they need not wait for work that is given away."""
    return target if operation in _WORK else f"{target} questions"
