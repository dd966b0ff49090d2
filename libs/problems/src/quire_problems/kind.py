"""What every kind of problem can say of itself: its encoding, and what an assignment means in its own terms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from quire_contracts.answers import Answer
from quire_contracts.problems import Ising, Qubo

Assignment = Sequence[int]
"""One 0 or 1 for each variable, variable 0 first."""

Bits = NDArray[np.uint8]
"""Many assignments, [rows, variables]."""

Term = tuple[int, int, float]

_MARGIN: Final = 1.25
"""A penalty in units of what the objective can differ by; the quarter keeps the two apart beyond any rounding."""

MOST_TOLD: Final = 8
"""Violations that are named; how many more there are is said in one more."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """A problem as an energy of binary variables or spins that is to be minimised.

    model: the energy. Of a feasible assignment it is `scale` times the objective, or its square where `squared`; where
        there are helping variables (`helped`, see the kind), these can make it greater.
    ceiling: every feasible answer has an assignment with an energy of at most this, and every infeasible assignment has
        a greater energy. None where every assignment is feasible.
    """

    model: Qubo | Ising
    scale: Literal[1, -1] = 1
    ceiling: float | None = None
    squared: bool = False
    helped: bool = False


class Kind(Protocol):
    """A problem that can judge assignments. Objectives are worked out from the problem, never from its encoding."""

    @property
    def variables(self) -> int:
        """How many binary variables the encoding has."""
        ...

    @property
    def sense(self) -> Literal["min", "max"]:
        """Whether a small or a large objective is good."""
        ...

    @property
    def unit(self) -> str:
        """What the objective counts."""
        ...

    @property
    def bounds(self) -> tuple[float, float]:
        """No feasible assignment's objective lies outside of these."""
        ...

    def encoding(self) -> Encoding:
        """The problem as an energy.

        Raises:
            OverflowError, ValueError: if its numbers are so large that their sums are no numbers.
        """
        ...

    def feasible(self, bits: Bits) -> NDArray[np.bool_]:
        """Which of the assignments obey every constraint, [rows]."""
        ...

    def objectives(self, bits: Bits) -> NDArray[np.float64]:
        """The objective of each assignment that is feasible, [rows]; of others the number means nothing."""
        ...

    def objective(self, assignment: Assignment) -> float:
        """The objective of a feasible assignment, its sum rounded once (Shewchuk, 1997: `math.fsum`)."""
        ...

    def violations(self, assignment: Assignment) -> tuple[str, ...]:
        """What is wrong with an assignment, in the problem's words; nothing for a feasible one."""
        ...

    def answer(self, assignment: Assignment) -> Answer | None:
        """What a feasible assignment means; None where the assignment says it all."""
        ...

    def assignment(self, answer: Answer) -> tuple[int, ...]:
        """The assignment that means this, of an answer that is feasible.

        Raises:
            ValueError: for an answer that is not of this kind of problem.
        """
        ...


def penalty(low: float, high: float) -> tuple[float, float]:
    """The weight A of a penalty, and the ceiling of feasible energies.

    low: the least that the objective's terms can be for any assignment at all; high: the most for a feasible one.

    The energy is the objective's terms plus A times a sum of squares, or of products of variables, each a
    whole number that is 0 exactly where its constraint holds. So a feasible assignment has an energy of at most
    `high`, and any other of at least ``low + A``. With ``A = 1.25 (high - low)`` that is above `high` by a quarter of
    their distance: every infeasible assignment is worse than every feasible one, and the minimum is the best feasible
    one. (Lucas, arXiv:1302.5843, asks of A only that no violation pays for itself; this asks more, so that energies
    alone rank samples.) The ceiling lies half way in between.
    """
    spread = high - low or 1.0
    return _MARGIN * spread, high + (_MARGIN - 1) / 2 * spread


def exactly(variables: Sequence[int], weights: Sequence[float], total: float) -> tuple[list[Term], float]:
    """``(sum weights_i x_i - total)^2`` as terms (i, i, w) of one variable, (i, j, w) of two, and a constant."""
    terms = [(i, i, weight * (weight - 2 * total)) for i, weight in zip(variables, weights, strict=True)]
    for place, (i, weight) in enumerate(zip(variables, weights, strict=True)):
        terms += [
            (i, j, 2 * weight * other) for j, other in zip(variables[place + 1 :], weights[place + 1 :], strict=True)
        ]
    return terms, total * total


def qubo(variables: int, terms: Iterable[Term], offset: float) -> Qubo:
    """The sum of the terms; (i, i, w) stands for one of a single variable. Terms of the same variables are added."""
    linear: list[list[float]] = [[] for _ in range(variables)]
    quadratic: dict[tuple[int, int], list[float]] = {}
    for i, j, weight in terms:
        if i == j:
            linear[i].append(weight)
        else:
            quadratic.setdefault((min(i, j), max(i, j)), []).append(weight)
    return Qubo(
        n=variables,
        linear=tuple(math.fsum(weights) for weights in linear),
        quadratic=tuple((i, j, math.fsum(weights)) for (i, j), weights in sorted(quadratic.items())),
        offset=offset,
    )


def weights_between(pairs: Iterable[Term], variables: int) -> NDArray[np.float64]:
    """[variables, variables]: the sum of each pair's weights, above the diagonal or below it as the pairs say."""
    table = np.zeros((variables, variables))
    for i, j, weight in pairs:
        table[i, j] += weight
    return table


def told(violations: Sequence[str]) -> tuple[str, ...]:
    """The first violations, and how many more there are."""
    more = len(violations) - MOST_TOLD
    return (*violations[:MOST_TOLD], f"and {more} more") if more > 0 else tuple(violations)


def chosen(assignment: Assignment) -> tuple[int, ...]:
    """The variables that are 1."""
    return tuple(i for i, bit in enumerate(assignment) if bit)


def marked(members: Iterable[int], variables: int) -> tuple[int, ...]:
    """The assignment in which exactly these variables are 1."""
    ones = set(members)
    return tuple(int(i in ones) for i in range(variables))


def all_feasible(bits: Bits) -> NDArray[np.bool_]:
    """For problems without constraints."""
    return np.ones(len(bits), np.bool_)


def not_this_kind(answer: Answer) -> ValueError:
    """The error of an answer to another kind of problem."""
    return ValueError(f"an answer of type {type(answer).__name__} does not belong to this kind of problem")
