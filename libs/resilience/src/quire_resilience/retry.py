"""Repeating calls within bounds: tries, time, and a share of all calls, so that repeating never makes a bad day worse.

Source: AWS Builders' Library, "Timeouts, retries, and backoff with jitter" (M. Brooker): retry in one layer only, with
a token bucket that calls fill and retries empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from quire_resilience.backoff import Backoff

if TYPE_CHECKING:
    from quire_resilience.backoff import Uniform


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How many retries are left for one dependency; a change is a new value.

    share: retries that each call earns.   capacity: the most that are saved up.
    """

    share: float = 0.1
    capacity: float = 10.0
    tokens: float = 10.0

    def called(self) -> RetryBudget:
        """After a first try."""
        return replace(self, tokens=min(self.capacity, self.tokens + self.share))

    def spent(self) -> RetryBudget | None:
        """After a retry; None if there is none left."""
        return replace(self, tokens=self.tokens - 1) if self.tokens >= 1 else None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """tries: of one call at most, the first one included.   seconds: from the first try to the start of the last."""

    tries: int = 4
    seconds: float = 60.0
    backoff: Backoff = field(default_factory=lambda: Backoff(base=0.5, cap=20.0))

    def pause(
        self,
        attempt: int,
        elapsed: float,
        left: float,
        uniform: Uniform,
        *,
        retry_after: float | None = None,
    ) -> float | None:
        """Seconds to wait before the try that follows number `attempt` (from 1); None if there is none.

        elapsed: seconds since the first try began.   left: seconds until the caller's own deadline.
        retry_after: what the other side asked for; if that is too long to wait for, there is no further try.
        """
        if attempt >= self.tries:
            return None
        pause = self.backoff.delay(attempt, uniform, retry_after=retry_after)
        return pause if elapsed + pause <= self.seconds and pause < left else None
