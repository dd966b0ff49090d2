"""The rule by which two answers to one problem are compared.

A comparison counts if it would come out the same again. So of two different values the better one wins if it is proven
optimal, or if another run would find as good a value with a chance of 95 %; and two equal ones are a tie if they are
proven optimal, or if both sides would find them again so surely. All else is inconclusive: also a difference within
1.96 standard errors, where values are estimates, and whatever contradicts a proof. A proof is never outdone: nothing is
better than a proven optimum. The rule is the same for both sides.

The rule is Quire's own. What it is built on: values in the units of the problem itself beside a proven bound, as
benchmarks of quantum optimisation report them (Koch et al., QOBLIB, arXiv 2504.03832); the chance of being found again
is that of `repeating.found_again`; 1.96 standard errors hold 95 % of a normal distribution. One instance says nothing
of how time grows with the size of a problem, so nothing is said of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from quire_contracts.verdict import Call

CERTAIN: Final = 0.95
"""The chance of coming out again from which a comparison counts."""

NOISE: Final = 1.96
"""Standard errors within which estimates do not differ."""

CONTRADICTION: Final = 5.0
"""Standard errors beyond a proof that chance does not explain."""

SLACK: Final = 1e-6
"""What a bound may be off by, relative to it: the tolerance of the solvers that state bounds."""

RULE: Final = (
    "the better value wins if it is proven optimal or would be found again with a chance of 95 %; equal values tie on "
    "the same condition; all else is inconclusive"
)

Sense = Literal["min", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side's answer, in the problem's own units.

    proven: its value is the optimum. repeats: the chance that another run finds as good a value, None where it is not
    known. std_error: of a value that is an estimate; 0 where it was worked out.
    """

    value: float
    feasible: bool = True
    proven: bool = False
    repeats: float | None = 1.0
    std_error: float = 0.0


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison comes to, as `contracts.verdict.Verdict` has it; `contradiction` says what cannot be."""

    call: Call
    reason: str
    certainty: float | None = None
    proven: bool = False
    contradiction: str = ""


def compare(
    quantum: Side | None, classical: Side | None, *, sense: Sense, bound: float | None = None, tolerance: float
) -> Compared:
    """Compare two answers by the rule above.

    Args:
        quantum: that side's answer; None where it has none.
        classical: as `quantum`.
        sense: whether small or large values are good.
        bound: what no feasible value is better than, where known.
        tolerance: values no further apart are equal.
    """
    if quantum is None:
        return Compared("inconclusive", "there is no quantum answer to compare")
    if classical is None:
        return Compared("inconclusive", "there is no classical answer to compare with")
    pair = _Pair(quantum, classical, 1.0 if sense == "max" else -1.0, bound, tolerance)
    impossible = pair.contradiction
    if impossible:
        return Compared("inconclusive", impossible, contradiction=impossible)
    if quantum.feasible != classical.feasible:
        return pair.won(quantum.feasible, "is feasible and the other is not")
    if not quantum.feasible:
        return Compared("inconclusive", "neither answer is feasible")
    if abs(pair.ahead) <= tolerance and pair.noise <= tolerance:
        return pair.equal()
    if abs(pair.ahead) <= tolerance + pair.noise:
        return Compared("inconclusive", f"the values differ by no more than their sampling error, {pair.noise:.3g}")
    return pair.won(pair.ahead > 0, f"is better by {abs(pair.ahead):g}")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two answers; `direction` is 1 where large values are good."""

    quantum: Side
    classical: Side
    direction: float
    bound: float | None
    tolerance: float

    @property
    def ahead(self) -> float:
        """How much better the quantum value is."""
        return self.direction * (self.quantum.value - self.classical.value)

    @property
    def sigma(self) -> float:
        return math.hypot(self.quantum.std_error, self.classical.std_error)

    @property
    def noise(self) -> float:
        return NOISE * self.sigma

    @property
    def slack(self) -> float:
        """How far a value may lie beyond the bound, and how near it is as good."""
        return max(self.tolerance, SLACK * max(1.0, abs(self.bound or 0.0)))

    @property
    def contradiction(self) -> str:
        """What one side says that a proof rules out; empty where there is no such thing."""
        far = self.tolerance + CONTRADICTION * self.sigma
        both = self.quantum.feasible and self.classical.feasible
        if both and self.classical.proven and self.ahead > far:
            return _beyond("quantum", self.quantum, f"the proven optimum {self.classical.value:g}")
        if both and self.quantum.proven and -self.ahead > far:
            return _beyond("classical", self.classical, f"the proven optimum {self.quantum.value:g}")
        if self.bound is None:
            return ""
        for name, side in (("quantum", self.quantum), ("classical", self.classical)):
            over = self.direction * (side.value - self.bound)
            if side.feasible and over > self.slack + CONTRADICTION * side.std_error:
                return _beyond(name, side, f"the bound {self.bound:g}")
        return ""

    def proves(self, side: Side) -> bool:
        """Whether a value is the optimum: said so, or as good as the bound."""
        meets = self.bound is not None and self.direction * (self.bound - side.value) <= self.slack
        return side.feasible and (side.proven or (meets and side.std_error <= self.tolerance))

    def equal(self) -> Compared:
        if self.proves(self.quantum) or self.proves(self.classical):
            return Compared("tie", "both found the proven optimum", 1.0, proven=True)
        chances = (self.quantum.repeats, self.classical.repeats)
        known = [chance for chance in chances if chance is not None]
        if len(known) < len(chances) or min(known) < CERTAIN:
            return Compared(
                "inconclusive", f"the values are equal, but {_doubt(min(known) if len(known) > 1 else None)}"
            )
        return Compared("tie", "both found the same value, and would again", math.prod(known))

    def won(self, quantum: bool, why: str) -> Compared:  # noqa: FBT001 - which of the two
        """One side is ahead by its value, or alone is feasible."""
        winner, loser = (self.quantum, self.classical) if quantum else (self.classical, self.quantum)
        name: Call = "quantum better" if quantum else "classical better"
        said = f"the {'quantum' if quantum else 'classical'} answer {why}"
        if loser.proven and loser.feasible:  # within noise of what contradicts the proof
            return Compared("inconclusive", f"{said}, which the other's proof and the sampling error leave open")
        proven = self.proves(winner)
        chance = 1.0 if proven else winner.repeats
        if chance is None or chance < CERTAIN:
            return Compared("inconclusive", f"{said}, but {_doubt(chance)}")
        estimated = loser.feasible and self.sigma > 0
        certainty = chance * _normal(abs(self.ahead) / self.sigma) if estimated else chance
        return Compared(name, f"{said}, and proven optimal" if proven else said, certainty, proven)


def _beyond(name: str, side: Side, limit: str) -> str:
    return f"the {name} value {side.value:g} is better than {limit}, which cannot be"


def _doubt(chance: float | None) -> str:
    if chance is None:
        return "whether another run would find as good a value is not known"
    return f"another run would find as good a value with a chance of {chance:.0%} only"


def _normal(deviations: float) -> float:
    """The share of a normal distribution below so many standard deviations."""
    return 0.5 * (1.0 + math.erf(deviations / math.sqrt(2.0)))
