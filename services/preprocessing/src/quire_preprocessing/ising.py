"""Problems over binary variables as one Ising energy, whose minimum is the problem's best objective.

The energy of spins s in {-1, +1}^n is ``H(s) = sum_i h_i s_i + sum_{i<j} J_ij s_i s_j + c``. A variable x_i in {0, 1}
is the spin ``s_i = 1 - 2 x_i``, the eigenvalue of Z on qubit i: x_i = 1 is a measured 1 (Lucas, arXiv:1302.5843).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from quire_contracts.problems import Ising, MaxCut, Qubo
from quire_contracts.value import Observable
from quire_preprocessing.refusal import Refused, refuse
from quire_quantum.observables import normalise

BinaryProblem = MaxCut | Qubo | Ising
Coupling = tuple[int, int, float]

LARGEST: Final = 1e150
"""The largest sum of absolute weights: its square, which a variance needs, is still a number."""


@dataclass(frozen=True, slots=True)
class Energy:
    """An Ising energy H of `variables` spins, to be minimised; the problem's objective is ``scale * H``.

    fields: h, one for each variable.
    couplings: (i, j, J_ij) with i < j, sorted, each pair once, none zero.
    offset: c.
    """

    variables: int
    fields: tuple[float, ...]
    couplings: tuple[Coupling, ...]
    offset: float
    scale: Literal[1, -1]

    def of(self, assignment: Sequence[int]) -> float:
        """H of one assignment (0 or 1 for each variable), its sum rounded once (Shewchuk, 1997: `math.fsum`)."""
        spins = [1 - 2 * bit for bit in assignment]
        single = (h * s for h, s in zip(self.fields, spins, strict=True))
        pairs = (weight * spins[i] * spins[j] for i, j, weight in self.couplings)
        return math.fsum((*single, *pairs, self.offset))

    def objective(self, assignment: Sequence[int]) -> float:
        """The problem's own figure for an assignment: the cut's weight, or the QUBO's or Ising objective."""
        return self.scale * self.of(assignment) + 0.0

    @property
    def is_constant(self) -> bool:
        """Whether every assignment is as good as any other."""
        return not self.couplings and not any(self.fields)

    def observable(self) -> Observable:
        """H as a diagonal Pauli sum over `variables` qubits, the offset as its identity term.

        Raises:
            ObservableError: never for an energy that `energy_of` gave.
        """
        terms = {self._label(i): h for i, h in enumerate(self.fields) if h}
        terms |= {self._label(i, j): weight for i, j, weight in self.couplings}
        if self.offset:
            terms[self._label()] = self.offset
        return normalise(terms, self.variables)

    def _label(self, *qubits: int) -> str:
        return "".join("Z" if qubit in qubits else "I" for qubit in reversed(range(self.variables)))


def variables_of(problem: BinaryProblem) -> int:
    """How many binary variables a problem has; a graph without `n` ends at its largest index."""
    if isinstance(problem, MaxCut):
        return problem.n if problem.n is not None else 1 + max(max(i, j) for i, j, _ in problem.edges)
    return problem.n


def energy_of(problem: BinaryProblem) -> Energy:
    """The problem's Ising energy.

    Terms that name the same variables are added, each sum rounded once, so that neither order nor repetition matters:
    equal problems give equal energies. For weights of which no bits are lost, every assignment's energy times `scale`
    is exactly its objective.

    Raises:
        Refused: if the weights are not finite or so large that their sum is not, or if every assignment has the same
            objective.
    """
    match problem:
        case MaxCut():
            energy = _max_cut(problem)
        case Qubo():
            energy = _qubo(problem)
        case _:
            energy = _energy(problem.n, enumerate(problem.h), problem.j, (problem.offset,))
    if energy.is_constant:
        raise refuse(
            "problem-constant",
            "/problem",
            f"every assignment has the same objective, {energy.scale * energy.offset + 0.0:g}: all weights are zero",
            hint="give at least one weight that is not zero and does not cancel against another",
        )
    return energy


def _max_cut(problem: MaxCut) -> Energy:
    """The cut is sum of w (1 - s_i s_j) / 2; its negative is minimised."""
    couplings = [(i, j, w / 2) for i, j, w in problem.edges]
    return _energy(variables_of(problem), (), couplings, [-w / 2 for _, _, w in problem.edges], scale=-1)


def _qubo(problem: Qubo) -> Energy:
    """With x = (1 - s) / 2: a x = a/2 - a/2 s, and w x_i x_j = w/4 (1 - s_i - s_j + s_i s_j)."""
    fields = [(i, -a / 2) for i, a in enumerate(problem.linear)]
    fields += [(k, -w / 4) for i, j, w in problem.quadratic for k in (i, j)]
    couplings = [(i, j, w / 4) for i, j, w in problem.quadratic]
    constants = [problem.offset, *(a / 2 for a in problem.linear), *(w / 4 for _, _, w in problem.quadratic)]
    return _energy(problem.n, fields, couplings, constants)


def _energy(
    variables: int,
    fields: Iterable[tuple[int, float]],
    couplings: Iterable[Coupling],
    constants: Iterable[float],
    *,
    scale: Literal[1, -1] = 1,
) -> Energy:
    single: defaultdict[int, list[float]] = defaultdict(list)
    pairs: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for i, weight in fields:
        single[i].append(weight)
    for i, j, weight in couplings:
        pairs[min(i, j), max(i, j)].append(weight)
    h = tuple(_sum(single[i]) for i in range(variables))
    summed = ((i, j, _sum(weights)) for (i, j), weights in sorted(pairs.items()))
    kept = tuple(coupling for coupling in summed if coupling[2])
    energy = Energy(variables, h, kept, _sum(constants), scale)
    if _sum(map(abs, (*h, *(weight for _, _, weight in kept), energy.offset))) > LARGEST:
        raise _too_large()
    return energy


def _sum(weights: Iterable[float]) -> float:
    """The sum rounded once; + 0.0 makes a negative zero positive, which fingerprints would tell apart.

    Raises:
        Refused: if it is not finite.
    """
    try:
        total = math.fsum(weights) + 0.0
    except (OverflowError, ValueError):
        total = math.nan
    if not math.isfinite(total):
        raise _too_large()
    return total


def _too_large() -> Refused:
    return refuse(
        "weights-too-large",
        "/problem",
        "the weights are too large, or not finite numbers",
        limit=f"a sum of absolute weights of at most {LARGEST:g}",
        hint="divide all weights by a common factor; the best assignment stays the same",
    )
