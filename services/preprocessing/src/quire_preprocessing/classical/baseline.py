"""An honest classical answer: the optimum where it can be proven in the time, else the best of several methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final, NamedTuple

from quire_contracts.preparation import Baseline, MethodSeconds, Tried
from quire_contracts.problems import Problems
from quire_preprocessing.classical.bounding import evident, linear_program, tightened
from quire_preprocessing.classical.case import Case, Found
from quire_preprocessing.classical.enumeration import enumerate_all
from quire_preprocessing.classical.greedy import greedy
from quire_preprocessing.classical.linear import TOLERANCE
from quire_preprocessing.classical.relaxing import relaxation
from quire_preprocessing.classical.searching import annealing, descent, tabu
from quire_preprocessing.classical.tree import tree_decomposition
from quire_preprocessing.optimize.ising import Energy
from quire_problems import Told, kind_of, tell, tolerance
from quire_resilience.clock import Clock

Method = Callable[[Case], Found]

EXACT_VARIABLES: Final = 24
SECONDS: Final = 1.0
OWN_FIGURES: Final = "the problem's own figures"
ENUMERATION: Final = "exact enumeration"


@dataclass(frozen=True, slots=True)
class Budget:
    """What the methods may do.

    seconds: of one core, for which the work of each of them is measured out.
    exact_variables: up to how many variables every assignment is looked at, and nothing else done (at most 30 make
        sense).
    """

    seconds: float = SECONDS
    exact_variables: int = EXACT_VARIABLES


class Solved(NamedTuple):
    """A baseline, the same for equal problems, seeds and budgets; and the seconds of each method, never the same."""

    baseline: Baseline
    seconds: MethodSeconds


def enumeration(case: Case) -> Found:
    """Every assignment."""
    energy = case.energy
    least, greatest = enumerate_all(energy)
    solvable = energy.ceiling is None or energy.of(least) <= energy.ceiling
    worst = energy.objective(greatest) if solvable else None
    return Found(assignment=least, exact=True, worst=worst, tuning="every assignment")


METHODS: Final[dict[str, Method]] = {
    "greedy": greedy,
    "tree decomposition": tree_decomposition,
    "continuous relaxation": relaxation,
    "linear program (HiGHS)": linear_program,
    "simulated annealing": annealing,
    "tabu search": tabu,
    "steepest descent": descent,
}
"""In the order in which they run: those first that may prove an optimum, after which no other one is run."""


def solve(problem: Problems, energy: Energy, seed: int, clock: Clock, budget: Budget | None = None) -> Solved:
    """The baseline of a problem; blocking, so run it in a thread.

    Up to `budget.exact_variables` variables the value is the proven optimum, and the worst value of a feasible
    assignment is known too. Beyond that it is the best that any of `METHODS` finds, with the best bound of those that
    give one; it is exact where a method proves it, or where it is as good as the bound.
    """
    budget = budget or Budget()
    kind = kind_of(problem)
    if energy.variables <= budget.exact_variables:
        return run(Case(problem, kind, energy, seed, 0.0), {ENUMERATION: enumeration}, clock)
    for library in ("dimod", "dwave.samplers", "highspy"):  # whose loading is no method's time
        import_module(library)
    return run(Case(problem, kind, energy, seed, budget.seconds), METHODS, clock)


def run(case: Case, methods: dict[str, Method], clock: Clock) -> Solved:
    """Run methods one after the other until one has proven its answer, and take the best of what they found."""
    race, seconds = _Race(case), {}
    for name, method in methods.items():
        began = clock.monotonic()
        race.take(name, method(case))
        seconds[name] = clock.monotonic() - began
        if race.is_over:
            break
    return Solved(race.baseline(), seconds)


class _Candidate(NamedTuple):
    """An assignment and what its problem says of it.

    merit: less is better: the feasible first, then by objective, or by energy where there is none.
    """

    method: str
    assignment: tuple[int, ...]
    told: Told
    merit: tuple[bool, float]


class _Race:
    """What is known so far; each answer is decoded and worked out anew from the problem, whoever gave it."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._sign = 1 if case.kind.sense == "min" else -1
        self._close = tolerance(case.kind)
        self._best: _Candidate | None = None
        self._bounds = [(self._sign * tightened(case, evident(case)), OWN_FIGURES)]
        self._worst: float | None = None
        self._proven_by: str | None = None
        self._tried: list[Tried] = []

    @property
    def is_over(self) -> bool:
        """Whether there is an answer that no method can better."""
        best = self._best
        if best is None or self._proven_by is not None:
            return best is not None
        return best.told.feasible and best.merit[1] <= self._bound()[0] + self._close

    def take(self, name: str, found: Found) -> None:
        """Count in what a method found."""
        candidate = None if found.assignment is None else self._candidate(name, found.assignment)
        if found.exact and self._may_be_proven(candidate):
            self._proven_by = name
        if candidate is not None and (
            self._best is None or (candidate.merit, not found.exact) < (self._best.merit, True)
        ):
            self._best = candidate
        if found.bound is not None:
            self._bounds.append((self._sign * tightened(self._case, found.bound), name))
        self._worst = self._worst if found.worst is None else found.worst
        self._tried.append(
            Tried(
                method=name,
                value=candidate.told.value if candidate else None,
                feasible=candidate is not None and candidate.told.feasible,
                exact=found.exact,
                runs=found.runs,
                hits=found.hits if candidate else 0,
                tuning=found.tuning,
                note=found.note,
            )
        )

    def baseline(self) -> Baseline:
        """The best answer beside the best bound.

        Raises:
            ValueError: if no method gave any assignment; those that search always do.
        """
        best = self._best
        if best is None:
            raise ValueError("no method gave an assignment")
        told, exact = best.told, self.is_over
        turned, bounded_by = self._bound()
        bound = self._sign * turned + 0.0
        if exact and told.feasible:
            bound, bounded_by = told.value, self._proven_by or bounded_by
        known = told.feasible or not exact
        return Baseline(
            method=best.method,
            value=told.value,
            assignment=best.assignment,
            exact=exact,
            worst=_evident_worst(self._case.energy) if self._worst is None else self._worst,
            feasible=told.feasible,
            violations=told.violations,
            answer=told.answer,
            bound=bound if known else None,
            bound_method=bounded_by if known else "",
            gap=abs(told.value - bound) / max(1.0, abs(bound)) if told.feasible else None,
            tried=tuple(self._tried),
            budget_seconds=self._case.seconds,
        )

    def _candidate(self, name: str, assignment: tuple[int, ...]) -> _Candidate:
        energy = self._case.energy
        told = tell(self._case.kind, assignment, energy.objective(assignment))
        merit = self._sign * told.value if told.feasible else energy.of(assignment)
        return _Candidate(name, assignment, told, (not told.feasible, merit))

    def _may_be_proven(self, candidate: _Candidate | None) -> bool:
        """A proof that an answer at hand contradicts, beyond a solver's tolerance, is none."""
        if self._best is None or not self._best.told.feasible:
            return True
        if candidate is None or not candidate.told.feasible:
            return False
        best, proven = self._best.merit[1], candidate.merit[1]
        return proven - best <= max(self._close, TOLERANCE * abs(best))

    def _bound(self) -> tuple[float, str]:
        """The best bound that no answer contradicts, turned so that much is good, and whose it is."""
        best = self._best
        most = math.inf if best is None or not best.told.feasible else best.merit[1] + self._close
        return max((bound for bound in self._bounds if bound[0] <= most), key=lambda bound: bound[0])


def _evident_worst(energy: Energy) -> float | None:
    """The worst objective where all spins alike make every term as large as it can be (an empty cut); else unknown."""
    if energy.ceiling is not None:
        return None
    for sign in (1, -1):
        if all(sign * h >= 0 for h in energy.fields) and all(weight > 0 for _, _, weight in energy.couplings):
            magnitudes = (*map(abs, energy.fields), *(weight for _, _, weight in energy.couplings))
            return energy.own(math.fsum((*magnitudes, energy.offset)))
    return None
