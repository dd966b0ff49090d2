"""What every classical method is given, and what it may say."""

from __future__ import annotations

from dataclasses import dataclass

from quire_contracts.problems import Problems
from quire_preprocessing.optimize.ising import Energy
from quire_problems import Kind


@dataclass(frozen=True, slots=True)
class Case:
    """A problem, what judges its answers, and its encoding.

    seed: of a method's random numbers.
    seconds: of one core, for which its work is measured out. A method counts steps and never looks at a clock, so that
        it finds the same on a slow machine as on a fast one.
    """

    problem: Problems
    kind: Kind
    energy: Energy
    seed: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a method found.

    assignment: one 0 or 1 for each variable; None where there is none.
    exact: the assignment is proven best, or, without one, no assignment is feasible.
    bound: no feasible objective is better, in the problem's own units; None where the method says nothing of it.
    worst: the worst objective of a feasible assignment, where it was looked at.
    runs, hits: starts, and those of them that ended at the assignment's energy.
    tuning, note: how the work was set, and why there is nothing or less than one would think.
    """

    assignment: tuple[int, ...] | None = None
    exact: bool = False
    bound: float | None = None
    worst: float | None = None
    runs: int = 1
    hits: int = 1
    tuning: str = ""
    note: str = ""
