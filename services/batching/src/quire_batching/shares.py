"""Whose turn it is: weighted fair shares of something scarce, in exact arithmetic on what each has used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

QUANTUM: Final = 0.02
"""Cost by weight, in seconds of estimated run time, below which no difference is made."""

_LEAST_COST: Final = 1e-6
_KEPT: Final = 4_096


class Shares:
    """Start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996): the least-served by weight goes next.

    weights: by name; who is not named has weight 1. A name that comes back from idleness begins where the others are:
    idleness saves nothing up. Between two names that always want something, what was served divided by weight differs
    by at most `QUANTUM` and the largest cost of each divided by its weight. It has one owner; equal calls give equal
    turns.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = dict(weights or {})
        self._time = 0.0
        self._finished: dict[str, float] = {}

    def tag(self, name: str) -> float:
        """The start tag of a name's next piece: the lower, the earlier its turn."""
        return max(self._time, self._finished.get(name, 0.0))

    def first(self, names: Mapping[str, float]) -> str:
        """Whose turn it is among those who want something, given since when each of them waits.

        Who is ahead of the others by less than `QUANTUM` is level with them; of those the longest waiting goes first.
        """
        self._time = min(map(self.tag, names))
        return min(names, key=lambda name: ((self.tag(name) - self._time) // QUANTUM, names[name], name))

    def charge(self, name: str, cost: float) -> None:
        """Count a piece that a name got, in its turn or along with somebody else's."""
        self._finished[name] = self.tag(name) + max(cost, _LEAST_COST) / self._weights.get(name, 1.0)
        if len(self._finished) > _KEPT:
            self._finished = {each: tag for each, tag in self._finished.items() if tag > self._time}
