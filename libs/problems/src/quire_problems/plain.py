"""QUBO and Ising problems: energies that somebody has worked out already."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quire_contracts.answers import Answer
from quire_contracts.problems import Ising, Qubo
from quire_problems.kind import Assignment, Bits, Encoding, all_feasible, not_this_kind, weights_between


@dataclass(frozen=True)
class Plain:
    """The problem is its own encoding; its assignment is its own answer."""

    problem: Qubo | Ising
    sense: Literal["min", "max"] = "min"
    unit: str = ""

    @cached_property
    def variables(self) -> int:
        """As the problem says."""
        return self.problem.n

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Every term at its least, and at its most."""
        pairs = [weight for _, _, weight in self._pairs]
        weights, offset = (*self._single, *pairs), self.problem.offset
        if isinstance(self.problem, Ising):
            reach = math.fsum(map(abs, weights))
            return offset - reach, offset + reach
        return offset + math.fsum(min(0.0, w) for w in weights), offset + math.fsum(max(0.0, w) for w in weights)

    def encoding(self) -> Encoding:
        """The problem."""
        return Encoding(self.problem)

    def feasible(self, bits: Bits) -> NDArray[np.bool_]:
        """All of them."""
        return all_feasible(bits)

    def objectives(self, bits: Bits) -> NDArray[np.float64]:
        """The sum of the terms."""
        values = 1.0 - 2.0 * bits if isinstance(self.problem, Ising) else bits.astype(np.float64)
        single = values @ np.array(self._single) if self._single else 0.0
        pairs = np.einsum("ij,ij->i", values @ self._table, values)
        return np.asarray(self.problem.offset + single + pairs, np.float64)

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        return weights_between(self._pairs, self.variables)

    def objective(self, assignment: Assignment) -> float:
        """As `objectives`, of one."""
        values = [1 - 2 * bit for bit in assignment] if isinstance(self.problem, Ising) else assignment
        single = (weight * values[i] for i, weight in enumerate(self._single))
        pairs = (weight * values[i] * values[j] for i, j, weight in self._pairs)
        return math.fsum((*single, *pairs, self.problem.offset)) + 0.0

    def violations(self, assignment: Assignment) -> tuple[str, ...]:  # noqa: ARG002 - as every kind
        """None."""
        return ()

    def answer(self, assignment: Assignment) -> Answer | None:  # noqa: ARG002 - as every kind
        """None: the assignment says it all."""
        return None

    def assignment(self, answer: Answer) -> tuple[int, ...]:
        """There are no answers of this kind."""
        raise not_this_kind(answer)

    @property
    def _single(self) -> tuple[float, ...]:
        return self.problem.h if isinstance(self.problem, Ising) else self.problem.linear

    @property
    def _pairs(self) -> tuple[tuple[int, int, float], ...]:
        return self.problem.j if isinstance(self.problem, Ising) else self.problem.quadratic
