"""Travelling salesman: one variable for each city at each place of the tour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quire_contracts.answers import Answer, Tour
from quire_contracts.problems import TravellingSalesman
from quire_problems.kind import Assignment, Bits, Encoding, Term, exactly, marked, not_this_kind, penalty, qubo, told


@dataclass(frozen=True)
class Salesman:
    """Minimise the way, each city once and each place taken by one city (Lucas, arXiv:1302.5843, section 7.2).

    City 0 stands at the start, so that n cities need (n - 1)^2 variables: the one of city c at place p, both counted
    from 1, is ``(c - 1)(n - 1) + p - 1``.
    """

    problem: TravellingSalesman
    sense: Literal["min", "max"] = "min"
    unit: str = "distance"

    @property
    def cities(self) -> int:
        """The first included."""
        return len(self.problem.distances)

    @cached_property
    def variables(self) -> int:
        """(n - 1)^2."""
        return (self.cities - 1) ** 2

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Every city is left once: by the shortest, and by the longest way out of it."""
        return math.fsum(self._shortest), math.fsum(max(ways) for ways in self._ways_out)

    def encoding(self) -> Encoding:
        """Of each way only what it is longer than the shortest out of its city; what is left out is in every tour.

        So the terms of the way are never less than the sum of the shortest, which keeps the penalty small.
        """
        last = self.cities - 1
        low, high = self.bounds
        weight, ceiling = penalty(low, high)
        terms: list[Term] = []
        for c in range(1, self.cities):
            terms.append((self._at(c, 1), self._at(c, 1), self._beyond(0, c)))
            terms.append((self._at(c, last), self._at(c, last), self._beyond(c, 0)))
            for d in range(1, self.cities):
                if c != d:
                    way = self._beyond(c, d)
                    terms += [(self._at(c, p), self._at(d, p + 1), way) for p in range(1, last)]
        constants = [low]
        rows = [[self._at(c, p) for p in range(1, self.cities)] for c in range(1, self.cities)]
        columns = [[self._at(c, p) for c in range(1, self.cities)] for p in range(1, self.cities)]
        for group in (*rows, *columns):
            squares, constant = exactly(group, [1.0] * last, 1.0)
            terms += [(i, j, weight * w) for i, j, w in squares]
            constants.append(weight * constant)
        return Encoding(qubo(self.variables, terms, math.fsum(constants)), ceiling=ceiling)

    def feasible(self, bits: Bits) -> NDArray[np.bool_]:
        """Permutations: one city at each place, one place for each city."""
        table = self._table(bits)
        return np.asarray((table.sum(1) == 1).all(1) & (table.sum(2) == 1).all(1), np.bool_)

    def objectives(self, bits: Bits) -> NDArray[np.float64]:
        """The way around."""
        order = self._table(bits).argmax(1) + 1
        stops = np.pad(order, ((0, 0), (1, 1)))
        return np.asarray(np.array(self.problem.distances)[stops[:, :-1], stops[:, 1:]].sum(1), np.float64)

    def objective(self, assignment: Assignment) -> float:
        """As `objectives`, of one."""
        stops = (*self._stops(assignment), 0)
        return math.fsum(self.problem.distances[c][d] for c, d in pairwise(stops))

    def violations(self, assignment: Assignment) -> tuple[str, ...]:
        """Cities that are not visited once, and places that not one city takes."""
        table = self._table(np.array([assignment], np.uint8))[0]
        often = [(c, int(times)) for c, times in enumerate(table.sum(1), 1) if times != 1]
        full = [(p, int(number)) for p, number in enumerate(table.sum(0), 1) if number != 1]
        return told(
            [
                *(f"city {c} is visited {times} times" for c, times in often),
                *(f"place {p} of the tour is taken by {number} cities" for p, number in full),
            ]
        )

    def answer(self, assignment: Assignment) -> Answer | None:
        """The cities in their order, from city 0."""
        return Tour(self._stops(assignment))

    def assignment(self, answer: Answer) -> tuple[int, ...]:
        """Of a tour that begins at city 0."""
        if not isinstance(answer, Tour) or answer.stops[0] != 0:
            raise not_this_kind(answer)
        return marked((self._at(c, p) for p, c in enumerate(answer.stops) if p), self.variables)

    @cached_property
    def _ways_out(self) -> list[list[float]]:
        return [[way for d, way in enumerate(row) if d != c] for c, row in enumerate(self.problem.distances)]

    @cached_property
    def _shortest(self) -> list[float]:
        return [min(ways) for ways in self._ways_out]

    def _beyond(self, c: int, d: int) -> float:
        return self.problem.distances[c][d] - self._shortest[c]

    def _at(self, city: int, place: int) -> int:
        return (city - 1) * (self.cities - 1) + place - 1

    def _table(self, bits: Bits) -> Bits:
        """[rows, cities, places]."""
        return bits.reshape(len(bits), self.cities - 1, self.cities - 1)

    def _stops(self, assignment: Assignment) -> tuple[int, ...]:
        table = self._table(np.array([assignment], np.uint8))[0]
        return (0, *(int(c) + 1 for c in table.argmax(0)))
