"""The shortest round trips from a depot through few places, exactly (Held, Karp, 1962)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property


class RoundTrips:
    """Trips through sets of places, all worked out at the first question: n^2 steps for each set of n places.

    groups: small sets first, and with each set also every smaller one of its places.
    """

    def __init__(self, distances: Sequence[Sequence[float]], groups: Sequence[Sequence[int]]) -> None:
        self._distances = distances
        self._groups = groups

    def shortest(self, group: Sequence[int]) -> tuple[int, ...]:
        """The group's places in the order of a shortest trip from place 0 and back; of equals always the same one."""
        rest = frozenset(group)
        last = min(group, key=lambda place: (self._ends[rest, place][0] + self._distances[place][0], -place))
        trip: list[int] = []
        while rest:
            trip.append(last)
            before = self._ends[rest, last][1]
            rest -= {last}
            last = before
        return tuple(reversed(trip))

    @cached_property
    def _ends(self) -> dict[tuple[frozenset[int], int], tuple[float, int]]:
        """By set and last place: the shortest way there from place 0 through the set, and the place before."""
        ends: dict[tuple[frozenset[int], int], tuple[float, int]] = {}
        for places in map(frozenset, self._groups):
            for last in places:
                rest = places - {last}
                ways = [(ends[rest, before][0] + self._distances[before][last], before) for before in rest]
                ends[places, last] = min(ways) if ways else (self._distances[0][last], 0)
        return ends
