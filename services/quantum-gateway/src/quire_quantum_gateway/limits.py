"""How often and how much at once a provider may be asked, by configuration: for providers, devices, or both.

A rule is a pattern of targets, and one limit for all of them together: with `aws:*` at 20 a second and `aws:forte` at
1, a call to `aws:forte` waits until both allow it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from quire_quantum_gateway.providers.error_table import meanings
from quire_resilience.errors import Transient
from quire_resilience.limiter import Pace, TokenBucket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from quire_contracts.value import Fault
    from quire_resilience.clock import Clock

PATIENCE_SECONDS: Final = 2.0
"""Waiting for longer than this is not done in a worker's place."""

_UNRULED_RATE: Final = 10_000.0
FULL_SECONDS: Final = 5.0
"""After so long a target that has as many jobs as it may is asked again."""


class Postponed(Transient):
    """Nothing was called: the provider takes no calls of this kind now. The work is to come again after `retry_after`.

    fault: what the work ends with, if it cannot wait so long.
    """

    def __init__(self, fault: Fault, seconds: float) -> None:
        super().__init__(fault.reason, retry_after=seconds, code=fault.code)
        self.fault = fault


@dataclass(slots=True, kw_only=True)
class Limits:
    """The limits of one gateway.

    call_rates, create_rates: calls a second by pattern of targets; every call counts as one, giving work as both.
    jobs_at_once: jobs at the provider that came from this gateway.
    """

    clock: Clock
    call_rates: Mapping[str, float] = field(default_factory=dict)
    create_rates: Mapping[str, float] = field(default_factory=dict)
    jobs_at_once: Mapping[str, int] = field(default_factory=dict)
    _paces: dict[tuple[str, str], Pace] = field(default_factory=dict)
    _jobs: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def turn(self, target: str, operation: str, deadline: float) -> None:
        """Return when a call may be made.

        Raises:
            Postponed: that is too far away, or after the deadline (of the clock's `monotonic`).
        """
        while wait := self._take(target, operation):
            if wait > PATIENCE_SECONDS or self.clock.monotonic() + wait >= deadline:
                raise Postponed(meanings()["throttled"].fault, wait)
            await self.clock.sleep(wait)

    def silence(self, target: str, operation: str, seconds: float) -> None:
        """Make no calls of the kind for a while, as the provider asked; all targets under the same rules keep it."""
        now = self.clock.monotonic()
        for key, pace in self._rules(target, operation):
            self._paces[key] = pace.silenced(now, seconds)

    @asynccontextmanager
    async def job(self, target: str) -> AsyncIterator[None]:
        """Around the life of a job at the provider.

        Raises:
            Postponed: the target has as many as it may.
        """
        held = []
        try:
            for pattern, limit in self.jobs_at_once.items():
                if fnmatchcase(target, pattern):
                    places = self._jobs.setdefault(pattern, asyncio.Semaphore(limit))
                    if places.locked():
                        raise Postponed(meanings()["too-many-jobs"].fault, FULL_SECONDS)
                    await places.acquire()
                    held.append(places)
            yield
        finally:
            for places in held:
                places.release()

    def _take(self, target: str, operation: str) -> float:
        """One token of every rule and 0.0; or nothing, and the seconds until there may be."""
        now = self.clock.monotonic()
        taken = [(key, *pace.take(now)) for key, pace in self._rules(target, operation)]
        wait = max((wait for _, _, wait in taken), default=0.0)
        if not wait:
            self._paces.update({key: pace for key, pace, _ in taken})
        return wait

    def _rules(self, target: str, operation: str) -> list[tuple[tuple[str, str], Pace]]:
        """The paces that a call has to keep; a target without a rule has a quick one, to be silenced if need be."""
        rules = {("call", pattern): rate for pattern, rate in self.call_rates.items() if fnmatchcase(target, pattern)}
        if operation == "create":
            rules |= {("create", each): rate for each, rate in self.create_rates.items() if fnmatchcase(target, each)}
        return [(key, self._pace(key, rate)) for key, rate in (rules or {("own", target): _UNRULED_RATE}).items()]

    def _pace(self, key: tuple[str, str], rate: float) -> Pace:
        known = self._paces.get(key)
        if known is None:
            bucket = TokenBucket.full(rate=rate, capacity=max(1.0, rate), now=self.clock.monotonic())
            known = self._paces[key] = Pace(bucket)
        return known
