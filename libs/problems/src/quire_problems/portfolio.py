"""Portfolio selection: return less risk of exactly so many assets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quire_contracts.answers import Answer, Holdings
from quire_contracts.problems import Portfolio
from quire_problems.kind import Assignment, Bits, Encoding, chosen, exactly, marked, not_this_kind, penalty, qubo


@dataclass(frozen=True)
class Selection:
    """Minimise ``-returns x + q x'Cx + A (sum x - k)^2`` (Barkoutsos et al., arXiv:1907.04769, section 3.3)."""

    problem: Portfolio
    sense: Literal["min", "max"] = "max"
    unit: str = "return less risk"

    @cached_property
    def variables(self) -> int:
        """One for each asset."""
        return len(self.problem.returns)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The k worst assets with their worst pairs, and the k best with the best."""
        low, high = self._costs(best=True), self._costs(best=False)
        return -high, -low

    def encoding(self) -> Encoding:
        """Of each asset's cost only what it is above the mean: k times the mean is in every selection."""
        mean, k = self._mean, self.problem.choose
        low = k * mean + math.fsum(
            (*(min(0.0, c - mean) for c in self._alone), *(min(0.0, c) for c in self._pairs.values()))
        )
        weight, ceiling = penalty(low, self._costs(best=False))
        squares, constant = exactly(range(self.variables), [1.0] * self.variables, float(k))
        terms = [(i, i, c - mean) for i, c in enumerate(self._alone)]
        terms += [(i, j, c) for (i, j), c in self._pairs.items() if c]
        terms += [(i, j, weight * w) for i, j, w in squares]
        offset = math.fsum((k * mean, weight * constant))
        return Encoding(qubo(self.variables, terms, offset), scale=-1, ceiling=ceiling)

    def feasible(self, bits: Bits) -> NDArray[np.bool_]:
        """Those with k assets."""
        return np.asarray(bits.sum(1, dtype=np.int64) == self.problem.choose, np.bool_)

    def objectives(self, bits: Bits) -> NDArray[np.float64]:
        """Returns less the price of the variance."""
        x, covariance = bits.astype(np.float64), np.array(self.problem.covariance)
        variance = np.einsum("ij,ij->i", x @ covariance, x)
        return np.asarray(x @ np.array(self.problem.returns) - self.problem.risk_aversion * variance, np.float64)

    def objective(self, assignment: Assignment) -> float:
        """As `objectives`, of one."""
        assets = chosen(assignment)
        risk = (-self.problem.risk_aversion * self.problem.covariance[i][j] for i in assets for j in assets)
        return math.fsum((*(self.problem.returns[i] for i in assets), *risk)) + 0.0

    def violations(self, assignment: Assignment) -> tuple[str, ...]:
        """Another number of assets."""
        number = sum(assignment)
        wanted = self.problem.choose
        return () if number == wanted else (f"{number} assets are chosen, {wanted} were asked for",)

    def answer(self, assignment: Assignment) -> Answer | None:
        """The assets, their returns and their variance together."""
        assets = chosen(assignment)
        returns = math.fsum(self.problem.returns[i] for i in assets)
        return Holdings(assets, returns, math.fsum(self.problem.covariance[i][j] for i in assets for j in assets))

    def assignment(self, answer: Answer) -> tuple[int, ...]:
        """The assets are marked."""
        if not isinstance(answer, Holdings):
            raise not_this_kind(answer)
        return marked(answer.assets, self.variables)

    @cached_property
    def _alone(self) -> list[float]:
        """What each asset costs by itself: its variance's price less its return."""
        q, covariance = self.problem.risk_aversion, self.problem.covariance
        return [q * covariance[i][i] - gain for i, gain in enumerate(self.problem.returns)]

    @cached_property
    def _pairs(self) -> dict[tuple[int, int], float]:
        q, covariance = self.problem.risk_aversion, self.problem.covariance
        pairs = ((i, j) for j in range(self.variables) for i in range(j))
        return {(i, j): q * (covariance[i][j] + covariance[j][i]) for i, j in pairs}

    @property
    def _mean(self) -> float:
        return math.fsum(self._alone) / self.variables

    def _costs(self, *, best: bool) -> float:
        """What k assets cost at least if `best`, else at most; no k assets need cost just that."""
        k = self.problem.choose
        alone = sorted(self._alone, reverse=not best)[:k]
        pairs = sorted(self._pairs.values(), reverse=not best)[: k * (k - 1) // 2]
        return math.fsum((*alone, *pairs))
