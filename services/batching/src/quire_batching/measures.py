"""What a target's queue learns from what comes and goes: how often company comes, and what a batch costs."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

RATE_MEMORY_SECONDS: Final = 0.5
COST_MEMORY_SECONDS: Final = 5.0
_UNSEEN_SECONDS: Final = 0.05
"""Time without company that a fresh estimate is taken to have seen, so that one coincidence proves nothing."""

_BATCHES: Final = 64
_FEW: Final = 4
_PRIOR_SLOPE: Final = 1.0
_SLOPE_TRUST: Final = 1e-4
_ERROR_BATCHES: Final = 8.0


class Company:
    """How many tasks a second come while another one is there, forgotten with a time constant of half a second.

    Time in which nothing is there counts for nothing. So a loop that sends a task only when it has the last one's
    answer has no company however fast it turns, and waiting for some would only slow it; independent arrivals have
    their true rate.
    """

    def __init__(self, now: float) -> None:
        self.present = 0
        self.touched = now
        self._arrivals = 0.0
        self._seconds = 0.0

    def came(self, now: float) -> None:
        """A task has come."""
        self._forget(now)
        if self.present:
            self._arrivals += 1
        self.present += 1

    def left(self, now: float, count: int = 1) -> None:
        """Tasks are answered, or given up."""
        self._forget(now)
        self.present = max(0, self.present - count)

    def rate(self, now: float, expected: float = 0.0) -> float:
        """Tasks a second; `expected` is what a group that is hardly known is taken to be like."""
        self._forget(now)
        if expected > 0:
            return (self._arrivals + 1) / (self._seconds + 1 / expected)
        return self._arrivals / (self._seconds + _UNSEEN_SECONDS)

    def _forget(self, now: float) -> None:
        passed = now - self.touched
        kept = math.exp(-passed / RATE_MEMORY_SECONDS)
        self._arrivals *= kept
        self._seconds *= kept
        if self.present:
            self._seconds += RATE_MEMORY_SECONDS * (1 - kept)
        self.touched = now


@dataclass(frozen=True, slots=True)
class _Batch:
    """What was seen of one batch: its own time, that since it was sent, and the estimate that it was sent with."""

    at: float
    own: float
    turnaround: float
    estimate: float
    overlapped: bool


class Service:
    """What a batch takes at a target: overhead + slope x estimated seconds, from the batches of the last seconds.

    A batch's own time is that since it was sent or, if later, since the batch before it was over (Lindley's recursion
    for a queue in order), so that waiting behind others is not taken for slowness. Of batches that followed one another
    closely it bounds the time that the target was busy with them, from above: as BBR does for a path (Cardwell et al.,
    2016), the overhead is read off the quickest of them, and the turnaround without a queue off the quickest of all.
    `slope` is drawn to 1 where the batches are all alike or too small to tell.
    """

    def __init__(self) -> None:
        self.errors = 0.0
        """The share of batches that failed, of the last ones."""

        self.slope = _PRIOR_SLOPE
        self.overhead = 0.0
        self.turnaround = 0.0
        self._seen: deque[_Batch] = deque(maxlen=_BATCHES)
        self._last_end = -math.inf

    def finished(self, now: float, sent: float, estimate: float, *, ok: bool) -> float:
        """A batch sent at `sent` is over; the seconds that were its own."""
        own = now - max(sent, self._last_end)
        overlapped = sent < self._last_end
        self._last_end = now
        self.errors += ((0.0 if ok else 1.0) - self.errors) / _ERROR_BATCHES
        if ok:
            self._seen.append(_Batch(now, own, now - sent, estimate, overlapped))
        return own

    def learn(self, now: float) -> None:
        """Draw the conclusions from what was seen."""
        while self._seen and self._seen[0].at < now - COST_MEMORY_SECONDS:
            self._seen.popleft()
        self.slope = self._fitted()
        overlapped = [max(0.0, each.own - self.slope * each.estimate) for each in self._seen if each.overlapped]
        turnarounds = [max(0.0, each.turnaround - self.slope * each.estimate) for each in self._seen]
        self.overhead = _quick(overlapped)
        self.turnaround = _quick(turnarounds)

    def _fitted(self) -> float:
        """Least squares of own time against estimate, with a weight on the prior."""
        if not self._seen:
            return _PRIOR_SLOPE
        mean_x = sum(each.estimate for each in self._seen) / len(self._seen)
        mean_y = sum(each.own for each in self._seen) / len(self._seen)
        spread = sum((each.estimate - mean_x) ** 2 for each in self._seen)
        together = sum((each.estimate - mean_x) * (each.own - mean_y) for each in self._seen)
        return max(0.0, (together + _SLOPE_TRUST * _PRIOR_SLOPE) / (spread + _SLOPE_TRUST))


def _quick(times: list[float]) -> float:
    """A time that a quarter of them are quicker than; 0 where there are too few to say."""
    return sorted(times)[len(times) // 4] if len(times) >= _FEW else 0.0
