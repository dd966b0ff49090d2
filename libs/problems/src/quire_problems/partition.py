"""Number partitioning: the square of a difference as an energy of spins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quire_contracts.answers import Answer, Parts
from quire_contracts.problems import Ising, NumberPartitioning
from quire_problems.kind import Assignment, Bits, Encoding, all_feasible, chosen, marked, not_this_kind


@dataclass(frozen=True)
class Partition:
    """Minimise ``(sum n_i s_i)^2``, which is 0 for a perfect split (Lucas, arXiv:1302.5843, section 2.1).

    The objective is the difference itself, the root of the energy: both are least in the same place.
    """

    problem: NumberPartitioning
    sense: Literal["min", "max"] = "min"
    unit: str = "difference"

    @cached_property
    def variables(self) -> int:
        """One for each number."""
        return len(self.problem.numbers)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """A perfect split, and all on one side."""
        return 0.0, math.fsum(self.problem.numbers)

    def encoding(self) -> Encoding:
        """Exact, without penalties: ``sum n_i^2 + sum over pairs of 2 n_i n_j s_i s_j``."""
        numbers = self.problem.numbers
        pairs = tuple((i, j, 2 * numbers[i] * numbers[j]) for j in range(len(numbers)) for i in range(j))
        squares = math.fsum(number * number for number in numbers)
        return Encoding(Ising(n=len(numbers), j=pairs, offset=squares), squared=True)

    def feasible(self, bits: Bits) -> NDArray[np.bool_]:
        """All of them."""
        return all_feasible(bits)

    def objectives(self, bits: Bits) -> NDArray[np.float64]:
        """How far the sums of the two parts are apart."""
        return np.asarray(np.abs((1.0 - 2.0 * bits) @ np.array(self.problem.numbers)), np.float64)

    def objective(self, assignment: Assignment) -> float:
        """As `objectives`, of one."""
        return abs(math.fsum((1 - 2 * bit) * n for bit, n in zip(assignment, self.problem.numbers, strict=True)))

    def violations(self, assignment: Assignment) -> tuple[str, ...]:  # noqa: ARG002 - as every kind
        """None."""
        return ()

    def answer(self, assignment: Assignment) -> Answer | None:
        """The places of the numbers in each part, and what they sum to."""
        ones = chosen(assignment)
        parts = (tuple(i for i in range(self.variables) if not assignment[i]), ones)
        return Parts(parts, tuple(math.fsum(self.problem.numbers[i] for i in part) for part in parts))

    def assignment(self, answer: Answer) -> tuple[int, ...]:
        """The second part is marked."""
        if not isinstance(answer, Parts):
            raise not_this_kind(answer)
        return marked(answer.parts[1], self.variables)
