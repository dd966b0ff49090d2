"""Maximum independent set: weights of nodes, and a penalty for each edge within."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quire_contracts.answers import Answer, Subset
from quire_contracts.problem_rules import size_of_graph
from quire_contracts.problems import IndependentSet
from quire_problems.kind import Assignment, Bits, Encoding, chosen, marked, not_this_kind, penalty, qubo, told


@dataclass(frozen=True)
class Independent:
    """Minimise ``-sum w_i x_i + A sum over edges of x_i x_j`` (Lucas, arXiv:1302.5843, section 4.2)."""

    problem: IndependentSet
    sense: Literal["min", "max"] = "max"
    unit: str = "weight"

    @cached_property
    def variables(self) -> int:
        """One for each node."""
        return size_of_graph(self.problem)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """No node, and all of them."""
        return 0.0, math.fsum(self.weights)

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """Of each node."""
        return self.problem.weights or (1.0,) * self.variables

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Each once, sorted."""
        return tuple(sorted({(min(i, j), max(i, j)) for i, j in self.problem.edges}))

    def encoding(self) -> Encoding:
        """The objective's terms are at least minus all weights, and at most 0."""
        weight, ceiling = penalty(-math.fsum(self.weights), 0.0)
        terms = [(i, i, -w) for i, w in enumerate(self.weights)] + [(i, j, weight) for i, j in self.edges]
        return Encoding(qubo(self.variables, terms, 0.0), scale=-1, ceiling=ceiling)

    def feasible(self, bits: Bits) -> NDArray[np.bool_]:
        """Those in which no edge has both ends."""
        bad = np.zeros(len(bits), np.bool_)
        for i, j in self.edges:
            bad |= (bits[:, i] & bits[:, j]).astype(np.bool_)
        return ~bad

    def objectives(self, bits: Bits) -> NDArray[np.float64]:
        """Weights of the nodes."""
        return np.asarray(bits @ np.array(self.weights), np.float64)

    def objective(self, assignment: Assignment) -> float:
        """As `objectives`, of one."""
        return math.fsum(self.weights[i] for i in chosen(assignment))

    def violations(self, assignment: Assignment) -> tuple[str, ...]:
        """Edges with both ends in the set."""
        within = [(i, j) for i, j in self.edges if assignment[i] and assignment[j]]
        return told([f"nodes {i} and {j} are joined by an edge" for i, j in within])

    def answer(self, assignment: Assignment) -> Answer | None:
        """The nodes of the set."""
        return Subset(chosen(assignment))

    def assignment(self, answer: Answer) -> tuple[int, ...]:
        """The set's nodes are marked."""
        if not isinstance(answer, Subset):
            raise not_this_kind(answer)
        return marked(answer.members, self.variables)
