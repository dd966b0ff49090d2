"""Baselines by problem: worked out once, then known to every later job with the same problem for a while."""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

import msgspec
from opentelemetry.metrics import Meter

from quire_contracts.problems import Problems
from quire_preprocessing.cache.bounded import Bounded
from quire_preprocessing.cache.programs import Run
from quire_preprocessing.classical.baseline import Budget, Solved, solve
from quire_preprocessing.optimize.ising import Energy
from quire_resilience.clock import Clock

KEPT_SECONDS: Final = 3_600.0
"""How long a baseline is kept; it could be for ever, but a problem that nobody asked for within the hour seldom
comes back."""

_encoder: Final = msgspec.json.Encoder(order="deterministic")


class Baselines:
    """Gives the baseline of a problem: the same whatever was known before, with the seconds that it once took.

    The random numbers of its methods are drawn from the problem, not from the job's seed, so that jobs with one problem
    are held against one baseline. Of equal problems that come at a time, one is worked out and the others wait.

    run: runs what takes long.
    most_bytes: of baselines kept, by the size of their JSON.
    """

    def __init__(self, clock: Clock, run: Run, budget: Budget, *, most_bytes: int, meter: Meter) -> None:
        self._clock = clock
        self._run = run
        self._budget = budget
        self._known: Bounded[str, tuple[Solved, float]] = Bounded("baselines", most_bytes, meter)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def of(self, problem: Problems, energy: Energy) -> Solved:
        """The problem's baseline; `energy` is its encoding.

        It holds no thread while it waits for its turn.
        """
        key = hashlib.sha256(_encoder.encode(problem)).hexdigest()
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            known = self._known.get(key)
            if known is not None and self._clock.monotonic() - known[1] <= KEPT_SECONDS:
                return known[0]
            work = partial(solve, problem, energy, int(key, 16), self._clock, self._budget)
            solved = await self._run(work)
            size = len(_encoder.encode(solved.baseline))
            self._known.put(key, (solved, self._clock.monotonic()), size)
            return solved
