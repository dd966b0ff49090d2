"""Maximum cut: an energy of spins without constraints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quire_contracts.answers import Answer, Parts
from quire_contracts.problem_rules import size_of_graph
from quire_contracts.problems import Ising, MaxCut
from quire_problems.kind import (
    Assignment,
    Bits,
    Encoding,
    all_feasible,
    chosen,
    marked,
    not_this_kind,
    weights_between,
)


@dataclass(frozen=True)
class Cut:
    """The cut is ``sum w (1 - s_i s_j) / 2``; its negative is minimised (Lucas, arXiv:1302.5843, section 2)."""

    problem: MaxCut
    sense: Literal["min", "max"] = "max"
    unit: str = "weight of the cut"

    @cached_property
    def variables(self) -> int:
        """One for each node."""
        return size_of_graph(self.problem)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Every edge below zero cut, or every one above."""
        weights = [weight for _, _, weight in self.problem.edges]
        return math.fsum(min(0.0, w) for w in weights), math.fsum(max(0.0, w) for w in weights)

    def encoding(self) -> Encoding:
        """Exact, without penalties."""
        edges = self.problem.edges
        offset = math.fsum(-weight / 2 for _, _, weight in edges)
        couplings = tuple((i, j, weight / 2) for i, j, weight in edges)
        return Encoding(Ising(n=self.variables, j=couplings, offset=offset), scale=-1)

    def feasible(self, bits: Bits) -> NDArray[np.bool_]:
        """All of them."""
        return all_feasible(bits)

    def objectives(self, bits: Bits) -> NDArray[np.float64]:
        """Weights of the edges whose ends are apart."""
        x, table = bits.astype(np.float64), self._table
        return np.asarray(x @ (table.sum(0) + table.sum(1)) - 2 * np.einsum("ij,ij->i", x @ table, x), np.float64)

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        return weights_between(self.problem.edges, self.variables)

    def objective(self, assignment: Assignment) -> float:
        """As `objectives`, of one."""
        return math.fsum(weight for i, j, weight in self.problem.edges if assignment[i] != assignment[j])

    def violations(self, assignment: Assignment) -> tuple[str, ...]:  # noqa: ARG002 - as every kind
        """None."""
        return ()

    def answer(self, assignment: Assignment) -> Answer | None:
        """The nodes on each side."""
        ones = chosen(assignment)
        return Parts((tuple(i for i in range(self.variables) if not assignment[i]), ones))

    def assignment(self, answer: Answer) -> tuple[int, ...]:
        """The second part is marked."""
        if not isinstance(answer, Parts):
            raise not_this_kind(answer)
        return marked(answer.parts[1], self.variables)
