"""The control law of the windows: how long a target's tasks wait for company, and how large a batch may become.

Five parts, each with its source:

1. Self-clocking (Nagle, RFC 896; group commit): an idle target gets its batch at once, and while its places are taken
   tasks gather. `queues` does that; it needs no figure at all.
2. The window. With groups that get `rate` companions a second, a batch leaves every window + 1 / rate seconds, so a
   wider window means fewer batches, less utilisation and a shorter queue, and one more window to wait. The window is
   the one of `GRID` for which the 99th percentile is least: window + service + wait, the wait of a single server with
   random arrivals and steady service in heavy traffic (Kingman 1961), mean utilisation x service / (2 (1 -
   utilisation)) and exponential tail. The window is 0 while each task alone would keep the target busy less than `BUSY`
   of the time and the house is busy less than that; so it is for a group whose company is not expected within the bound
   of its class (Little's law).
3. The house. A batch costs all services together as much as some tasks do, wherever it runs, and who shares a
   processor with the batcher waits for it. So to the 99th percentile comes that of the way through the house, a server
   of random arrivals (M/M/1): `HOPS` hops / (1 - utilisation), where utilisation is what `house` saw of late and
   changes by what more or fewer batches cost. It is certainty equivalence: model and measurement meet at the window
   that is in force, so that an error of the model only shifts the way there (Astrom and Wittenmark 1995).
4. Steadiness. The window in force stays until another one's percentile is less by `WORTHWHILE`: about the best one the
   percentile is flat, and its measures are noisy and late (hysteresis switching: Morse, Mayne and Goodwin 1992).
5. The size. Additive increase, multiplicative decrease of the estimated seconds in a batch against the time that one
   may take (Clipper: Crankshaw et al., NSDI 2017): it shrinks when a backend slows down or fails, and grows again while
   full batches come back in time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quire_batching.house import BATCH_TASKS, HOP_SECONDS, HOPS
from quire_batching.measures import Service

GRID: Final = (
    *(0.0, 0.002, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.075),
    *(0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
)
BUSY: Final = 0.3
WORTHWHILE: Final = 0.25
"""By how much of its 99th percentile a window must be beaten before another takes its place."""

_FULL: Final = 0.95
"""Utilisation above which a queue is taken to grow without end."""

_TAIL: Final = 2.0
"""The 99th percentile of many hops together by their mean."""

_GROW: Final = 0.1
_SHRINK: Final = 0.9
_FAILED: Final = 0.5
_SMALLEST: Final = 0.05
_LARGEST: Final = 16.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How busy the house is (see `House`), and how many batches a second of this target are part of that."""

    utilisation: float = 0.0
    capacity: float = math.inf
    batches: float = 0.0

    def journey(self, batches: float) -> float:
        """The 99th percentile of a task's way through the house with so many batches a second instead."""
        utilisation = max(0.0, self.utilisation + BATCH_TASKS * (batches - self.batches) / self.capacity)
        if utilisation >= _FULL:
            return 1e3 * utilisation
        return _TAIL * HOPS * HOP_SECONDS / (1 - utilisation)


QUIET: Final = Surroundings()


def window_for(
    rates: Sequence[float],
    service: Service,
    seconds_per_task: float,
    longest: float,
    house: Surroundings = QUIET,
    *,
    present: float = 0.0,
) -> float:
    """The window, at most `longest` seconds, for groups of these companions a second at a target like this.

    present: what this function gave last; it stays where no other window is better by `WORTHWHILE`.
    """
    overhead, total = service.overhead, sum(rates)
    if total * overhead < BUSY and house.utilisation < BUSY:
        return 0.0

    def time(window: float) -> float:
        at_target = _percentile(window, rates, overhead, service.slope * seconds_per_task)
        return at_target + house.journey(_batches(window, rates))

    best = min((min(step, longest) for step in GRID), key=time)
    return present if present and present <= longest and time(present) * (1 - WORTHWHILE) <= time(best) else best


def narrowed(window: float, errors: float) -> float:
    """The window for a target of whose batches this share failed: the smaller a batch, the less fails with it."""
    return window * (1.0 - errors)


def _batches(window: float, rates: Sequence[float]) -> float:
    """Batches a second of groups of these rates."""
    return sum(rate / (1 + rate * window) for rate in rates)


def _percentile(window: float, rates: Sequence[float], overhead: float, task_seconds: float) -> float:
    """The 99th percentile of a task's time at this window, with the utilisation's excess where there is no end."""
    total = sum(rates)
    if not total:
        return window
    batches = _batches(window, rates)
    utilisation = batches * overhead + total * task_seconds
    service = overhead + task_seconds * total / batches
    if utilisation >= _FULL:
        return 1e3 * utilisation + window
    variability = sum(rate / (1 + rate * window) ** 3 for rate in rates) / batches
    mean = variability * utilisation * service / (2 * (1 - utilisation))
    return window + service + mean * math.log(max(1.0, 100 * utilisation))


def places_for(service: Service, most: int) -> int:
    """How many batches may be under way: as many as keep the target busy while an answer travels, and one in reserve.

    The product of bandwidth and delay, as for a path (BBR: Cardwell et al., 2016); `most` where there are no figures.
    """
    if not service.overhead:
        return most
    return max(2, min(most, 1 + math.ceil(service.turnaround / service.overhead)))


@dataclass(slots=True)
class Size:
    """How many estimated seconds a batch of one target may hold.

    objective: what a batch may take, in seconds; the cap begins there.
    """

    objective: float
    factor: float = 1.0

    @property
    def cap(self) -> float:
        """Estimated seconds in a batch at most."""
        return self.objective * self.factor

    def finished(self, estimate: float, took: float, *, ok: bool, full: bool) -> None:
        """Learn from a batch that took so long, or failed; one that is larger than a batch may be says nothing.

        full: whether more was waiting than had room.
        """
        if not ok:
            self.factor = max(_SMALLEST, self.factor * _FAILED)
        elif took > self.objective and estimate <= self.cap:
            self.factor = max(_SMALLEST, self.factor * _SHRINK)
        elif full:
            self.factor = min(_LARGEST, self.factor + _GROW)
