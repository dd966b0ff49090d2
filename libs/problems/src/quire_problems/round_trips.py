"""The shortest round trips from a depot through few places, exactly (Held, Karp, 1962)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property


class RoundTrips:
    """Every trip through every set of places 1 to n - 1, worked out at the first question: n^2 2^n steps."""

    def __init__(self, distances: Sequence[Sequence[float]]) -> None:
        self._distances = distances
        self._places = len(distances) - 1

    def shortest(self, group: Sequence[int]) -> tuple[int, ...]:
        """The group's places in the order of a shortest trip from place 0 and back; of equals always the same one."""
        mask = sum(1 << (place - 1) for place in group)
        last = min(group, key=lambda place: (self._ends[mask][place - 1][0] + self._distances[place][0], -place))
        trip: list[int] = []
        while mask:
            trip.append(last)
            before = self._ends[mask][last - 1][1]
            mask ^= 1 << (last - 1)
            last = before
        return tuple(reversed(trip))

    @cached_property
    def _ends(self) -> list[list[tuple[float, int]]]:
        """[set][last place - 1]: the shortest way there from place 0 through the set, and the place before."""
        nowhere = (float("inf"), 0)
        ends = [[nowhere] * self._places for _ in range(1 << self._places)]
        for place in range(1, self._places + 1):
            ends[1 << (place - 1)][place - 1] = (self._distances[0][place], 0)
        for mask in range(1, 1 << self._places):
            inside = [place for place in range(1, self._places + 1) if mask >> (place - 1) & 1]
            if len(inside) == 1:
                continue
            for last in inside:
                rest = mask ^ 1 << (last - 1)
                ends[mask][last - 1] = min(
                    (ends[rest][before - 1][0] + self._distances[before][last], before)
                    for before in inside
                    if before != last
                )
        return ends
