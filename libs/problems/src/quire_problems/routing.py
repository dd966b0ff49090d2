"""Capacitated vehicle routing: one variable for each set of places that one vehicle can serve."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from quire_contracts.answers import Answer, Routes
from quire_contracts.problems import VehicleRouting
from quire_problems.kind import (
    Assignment,
    Bits,
    Encoding,
    Term,
    chosen,
    exactly,
    marked,
    not_this_kind,
    penalty,
    qubo,
    told,
)
from quire_problems.round_trips import RoundTrips

_SLACK: Final = 1e-12
"""Rounding allowed to a load, relative to the capacity."""


@dataclass(frozen=True)
class Routing:
    """Minimise the ways of the chosen sets, each place in exactly one (set partitioning: Balinski, Quandt, 1964).

    The quantum part decides which places share a vehicle. The best order within each set is worked out beforehand,
    exactly (Held, Karp, 1962), so that capacity and order need no variables: a set that is too heavy is none. There is
    a variable for each set, at most 2^places - 1 and far fewer where a vehicle carries few places. Where there are
    fewer vehicles than places, helping variables follow, about ``log2(vehicles - fewest + 1)``: they count the vehicles
    that stay, of those that the loads do not need (Lucas, arXiv:1302.5843, section 2.4). An answer has none.
    """

    problem: VehicleRouting
    sense: Literal["min", "max"] = "min"
    unit: str = "distance"

    @cached_property
    def sets(self) -> tuple[tuple[int, ...], ...]:
        """What one vehicle can serve: small sets first."""
        demands, most = self.problem.demands, self.problem.capacity * (1 + _SLACK)
        places = range(1, len(demands))
        return tuple(
            group
            for size in range(1, len(demands))
            for group in combinations(places, size)
            if math.fsum(demands[place] for place in group) <= most
        )

    @cached_property
    def idle(self) -> tuple[int, ...]:
        """What each helping variable counts; all of them together count the vehicles that need not go."""
        problem, places = self.problem, len(self.problem.demands) - 1
        if problem.vehicles >= places:
            return ()
        fewest = max(1, math.ceil(math.fsum(problem.demands) / problem.capacity - _SLACK * places))
        counts: list[int] = []
        left = problem.vehicles - fewest
        while left > 0:
            counts.append(min(1 << len(counts), left))
            left -= counts[-1]
        return tuple(counts)

    @cached_property
    def lengths(self) -> tuple[float, ...]:
        """The shortest way through each set, in their order."""
        return tuple(self._along(self._trips.shortest(group)) for group in self.sets)

    @cached_property
    def variables(self) -> int:
        """Sets, and helping variables."""
        return len(self.sets) + len(self.idle)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Each place's least and greatest share of any set's way, a way being shared by its places alike."""
        return math.fsum(self._least_shares.values()), math.fsum(self._shares(max).values())

    def encoding(self) -> Encoding:
        """Of each way only what it is longer than its places' least shares, which are in every answer."""
        low, high = self.bounds
        weight, ceiling = penalty(low, high)
        terms: list[Term] = []
        for i, (group, length) in enumerate(zip(self.sets, self.lengths, strict=True)):
            terms.append((i, i, math.fsum((length, *(-self._least_shares[place] for place in group)))))
        constants = [low]
        for variables, counts, total in self._constraints():
            squares, constant = exactly(variables, counts, total)
            terms += [(i, j, weight * w) for i, j, w in squares]
            constants.append(weight * constant)
        model = qubo(self.variables, terms, math.fsum(constants))
        return Encoding(model, ceiling=ceiling, helped=bool(self.idle))

    def feasible(self, bits: Bits) -> NDArray[np.bool_]:
        """Each place in one set, and no more sets than vehicles."""
        taken = bits[:, : len(self.sets)].astype(np.int64)
        once = (taken @ self._members == 1).all(1)
        return np.asarray(once & (taken.sum(1) <= self.problem.vehicles), np.bool_)

    def objectives(self, bits: Bits) -> NDArray[np.float64]:
        """The ways of all sets."""
        return np.asarray(bits[:, : len(self.sets)] @ np.array(self.lengths), np.float64)

    def objective(self, assignment: Assignment) -> float:
        """As `objectives`, of one; each way is measured again along its places."""
        return math.fsum(self._along(trip) for trip in self._trips_of(assignment))

    def violations(self, assignment: Assignment) -> tuple[str, ...]:
        """Places that are not visited once, and too many vehicles."""
        taken = np.array(assignment[: len(self.sets)], np.int64)
        often = [(p, int(times)) for p, times in enumerate(taken @ self._members, 1) if times != 1]
        found = [f"place {p} is visited {times} times" for p, times in often]
        if taken.sum() > self.problem.vehicles:
            found.append(f"{taken.sum()} vehicles are used, there are {self.problem.vehicles}")
        return told(found)

    def answer(self, assignment: Assignment) -> Answer | None:
        """Each vehicle's places in order."""
        trips = self._trips_of(assignment)
        loads = tuple(math.fsum(self.problem.demands[place] for place in trip) for trip in trips)
        return Routes(trips, loads, tuple(self._along(trip) for trip in trips))

    def assignment(self, answer: Answer) -> tuple[int, ...]:
        """The routes' sets are marked, and the vehicles that stay are counted."""
        if not isinstance(answer, Routes):
            raise not_this_kind(answer)
        used = [self.sets.index(tuple(sorted(route))) for route in answer.routes]
        left, helping = self.problem.vehicles - len(used), []
        for place in reversed(range(len(self.idle))):
            if self.idle[place] <= left:
                helping.append(len(self.sets) + place)
                left -= self.idle[place]
        return marked((*used, *helping), self.variables)

    @cached_property
    def _trips(self) -> RoundTrips:
        return RoundTrips(self.problem.distances, self.sets)

    @cached_property
    def _members(self) -> NDArray[np.int64]:
        """[sets, places]: which place is in which set."""
        return np.array([[p in group for p in range(1, len(self.problem.demands))] for group in self.sets], np.int64)

    @cached_property
    def _least_shares(self) -> dict[int, float]:
        return self._shares(min)

    def _shares(self, pick: Callable[[Iterable[float]], float]) -> dict[int, float]:
        shares: dict[int, list[float]] = {}
        for group, length in zip(self.sets, self.lengths, strict=True):
            for place in group:
                shares.setdefault(place, []).append(length / len(group))
        return {place: pick(found) for place, found in shares.items()}

    def _constraints(self) -> list[tuple[list[int], list[float], float]]:
        """Variables, what each counts, and what they count to."""
        found = []
        for place in range(1, len(self.problem.demands)):
            within = [i for i, group in enumerate(self.sets) if place in group]
            found.append((within, [1.0] * len(within), 1.0))
        if self.problem.vehicles < len(self.problem.demands) - 1:
            counts = [1.0] * len(self.sets) + [float(count) for count in self.idle]
            found.append((list(range(self.variables)), counts, float(self.problem.vehicles)))
        return found

    def _along(self, trip: tuple[int, ...]) -> float:
        stops = (0, *trip, 0)
        return math.fsum(self.problem.distances[a][b] for a, b in pairwise(stops))

    def _trips_of(self, assignment: Assignment) -> tuple[tuple[int, ...], ...]:
        return tuple(self._trips.shortest(self.sets[i]) for i in chosen(assignment) if i < len(self.sets))
