"""Capped exponential backoff with full jitter, as a pure function.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015:
`sleep = random(0, min(cap, base * 2^n))`. Full jitter needs the fewest calls of the variants measured there, because it
spreads competing callers evenly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Uniform = Callable[[], float]
"""A source of numbers in [0, 1), such as `random.random` or a seeded `Random(7).random`."""

_LARGEST_EXPONENT = 62  # 2.0**1024 overflows a float, and no cap is anywhere near 2**62 times its base


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before each attempt. `base` and `cap` are seconds, 0 < base <= cap."""

    base: float = 0.5
    cap: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.base <= self.cap:
            message = f"a backoff needs 0 < base <= cap, got base={self.base} and cap={self.cap}"
            raise ValueError(message)

    def ceiling(self, attempt: int) -> float:
        """The longest possible wait, in seconds, before the retry that follows attempt number `attempt` (from 1)."""
        exponent = min(max(attempt - 1, 0), _LARGEST_EXPONENT)
        return float(min(self.cap, self.base * 2.0**exponent))

    def delay(self, attempt: int, uniform: Uniform, *, retry_after: float | None = None) -> float:
        """Seconds to wait after attempt number `attempt` (from 1) failed.

        Uniform in [0, ceiling(attempt)). When the other side asked for `retry_after` seconds, that is the least: the
        jitter is added on top of it, so that callers who were told the same number do not come back together.
        """
        jitter = self.ceiling(attempt) * uniform()
        return jitter if retry_after is None else max(0.0, retry_after) + jitter
