"""A circuit breaker as a pure state machine: a rolling window, a failure rate, one probe at a time.

::

    closed ──(failure rate over the window)──> open ──(open_seconds passed)──> half-open
       ^                                        ^                                  │
       └──(`probes` successes in a row)─────────┼──────────────(one failure)───────┘

Source of the pattern: M. Nygard, "Release It!", 2nd ed., ch. 5. Calls that time out count as failures; what is the
caller's fault (an invalid program) must not be recorded at all, for it says nothing about the other side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens and how it comes back.

    window_seconds: outcomes older than this are forgotten.
    least_calls: fewer outcomes than this in the window never open it.
    failure_rate: share of failures, in (0, 1], from which it opens.
    open_seconds: time it refuses everything before it lets a probe through.
    probes: successful probes in a row that close it.
    probe_seconds: a probe without an outcome for this long is given up, so that a lost caller cannot keep it shut.
    """

    window_seconds: float = 30.0
    least_calls: int = 5
    failure_rate: float = 0.5
    open_seconds: float = 10.0
    probes: int = 1
    probe_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of one breaker at one time; every change is a new value. `now` is monotonic seconds throughout."""

    policy: BreakerPolicy = BreakerPolicy()
    state: State = "closed"
    outcomes: tuple[tuple[float, bool], ...] = ()
    opened_at: float = 0.0
    probe_started: float | None = None
    probes_passed: int = 0

    def allow(self, now: float) -> tuple[Breaker, float]:
        """May a call start at `now`? The new breaker and 0.0, or a refusal: the seconds until it is worth asking again.

        In half-open state an allowance *is* the probe: its caller must report the outcome by `record`.
        """
        if self.state == "closed":
            return self, 0.0
        if self.state == "open":
            wait = self.opened_at + self.policy.open_seconds - now
            if wait > 0:
                return self, wait
            return replace(self, state="half-open", probe_started=now, probes_passed=0), 0.0
        if self.probe_started is not None:
            wait = self.probe_started + self.policy.probe_seconds - now
            if wait > 0:
                return self, wait
        return replace(self, probe_started=now), 0.0

    def record(self, now: float, *, ok: bool) -> Breaker:
        """The breaker after a call that ended at `now`. An outcome that arrives while it is open changes nothing."""
        if self.state == "open":
            return self
        if self.state == "half-open":
            return self._probed(now, ok=ok)
        recent = tuple(entry for entry in self.outcomes if entry[0] > now - self.policy.window_seconds)
        outcomes = (*recent, (now, ok))
        failures = sum(not good for _, good in outcomes)
        if len(outcomes) >= self.policy.least_calls and failures >= self.policy.failure_rate * len(outcomes):
            return self.tripped(now)
        return replace(self, outcomes=outcomes)

    def tripped(self, now: float) -> Breaker:
        """The breaker opened at `now` whatever the window says: the other side told us that it is offline."""
        return Breaker(policy=self.policy, state="open", opened_at=now)

    def _probed(self, now: float, *, ok: bool) -> Breaker:
        if not ok:
            return self.tripped(now)
        if self.probes_passed + 1 >= self.policy.probes:
            return Breaker(policy=self.policy)
        return replace(self, probe_started=None, probes_passed=self.probes_passed + 1)
