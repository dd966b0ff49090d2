"""What a replica learns of the house around it: how busy it is, by how late messages are taken up there."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

HOP_SECONDS: Final = 0.002
"""From a message said to its being taken up where nothing is in the way, commit of the one and delivery to the other
(measured: 1.5 to 2 ms)."""

HOPS: Final = 9
"""Messages between a job's submission and its answer, one after another."""

BATCH_TASKS: Final = 4.0
"""What a batch costs all services together, its members apart, in tasks (measured: CPU time of the whole house by
batch and by task, 11 ms and 2.8 ms)."""

LOOK_SECONDS: Final = 0.1
MEMORY_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 0.05
"""When nothing came for so long, many hops' time, the house has had time to be done with all before."""

_SAMPLES: Final = 256
_FEW: Final = 4
_DRIFT: Final = 2e-5
_QUICK: Final = 10


class Pace:
    """How many a second, forgotten with a time constant of half of `MEMORY_SECONDS`."""

    def __init__(self, now: float) -> None:
        self._constant = MEMORY_SECONDS / 2
        self._began = self._touched = now
        self._count = 0.0

    def add(self, now: float) -> None:
        """One more."""
        self._forget(now)
        self._count += 1

    def rate(self, now: float) -> float:
        """How many a second at present."""
        self._forget(now)
        seen = self._constant * (1 - math.exp((self._began - now) / self._constant))
        return self._count / seen if seen > 0 else 0.0

    def _forget(self, now: float) -> None:
        self._count *= math.exp((self._touched - now) / self._constant)
        self._touched = now


class House:
    """How busy the services are through which each task goes, seen from one replica of one of them.

    Their processors and their broker are one server for all of them where they share a machine, and a network of such
    where they do not; either way what is too much for it shows as messages that wait to be taken up. A hop that takes
    `late` seconds longer than the quickest of late is taken for the sojourn in a server of random arrivals whose
    service takes `HOP_SECONDS`: utilisation = late / (late + HOP_SECONDS) (M/M/1, Kleinrock 1975). Only differences
    count, so clocks of two machines may differ.

    utilisation: 0 to 1, of the busiest of what is shared.   capacity: tasks and batches a second that would be all of
    it, in tasks; infinity while it is idle.
    """

    def __init__(self, now: float) -> None:
        self.utilisation = 0.0
        self.capacity = math.inf
        self._tasks = Pace(now)
        self._batches = Pace(now)
        self._lags: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)
        self._quickest = math.inf
        self._looked = now

    def took(self, now: float, lag: float) -> None:
        """A task is taken up, `lag` seconds after it was said by another service's clock."""
        self._tasks.add(now)
        if self._lags and now - self._lags[-1][0] > PAUSE_SECONDS:
            self._compare(sorted(lag for _, lag in self._lags))
            self._lags.clear()
        self._lags.append((now, lag))

    def sent(self, now: float) -> None:
        """A batch is on its way."""
        self._batches.add(now)

    def learn(self, now: float) -> None:
        """Draw the conclusions from what was seen, not more often than every `LOOK_SECONDS`."""
        passed = now - self._looked
        if passed < LOOK_SECONDS:
            return
        self._looked = now
        self._quickest += _DRIFT * passed
        while self._lags and self._lags[0][0] < now - MEMORY_SECONDS:
            self._lags.popleft()
        self.utilisation, self.capacity = 0.0, math.inf
        if len(self._lags) < _FEW:
            return
        lags = sorted(lag for _, lag in self._lags)
        self._compare(lags)
        late = max(0.0, lags[len(lags) // 2] - self._quickest)
        self.utilisation = late / (late + HOP_SECONDS)
        work = self._tasks.rate(now) + BATCH_TASKS * self._batches.rate(now)
        if self.utilisation > 0 and work > 0:
            self.capacity = work / self.utilisation

    def _compare(self, lags: list[float]) -> None:
        """The quickest ever, with these (in order of size) too; not the very first of them, which may be an error."""
        self._quickest = min(self._quickest, lags[len(lags) // _QUICK])
