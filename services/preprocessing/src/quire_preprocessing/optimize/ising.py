"""Problems over binary variables as one Ising energy, whose minimum is the problem's best objective.

The energy of spins s in {-1, +1}^n is ``H(s) = sum_i h_i s_i + sum_{i<j} J_ij s_i s_j + c``. A variable x_i in {0, 1}
is the spin ``s_i = 1 - 2 x_i``, the eigenvalue of Z on qubit i: x_i = 1 is a measured 1 (Lucas, arXiv:1302.5843).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from quire_contracts.problems import Ising, Problems, Qubo
from quire_contracts.value import Observable
from quire_preprocessing.refusal import Refused, refuse
from quire_problems import kind_of
from quire_quantum.observables import normalise

Coupling = tuple[int, int, float]

LARGEST: Final = 1e150
"""The largest sum of absolute weights: its square, which a variance needs, is still a number."""


@dataclass(frozen=True, slots=True)
class Energy:
    """An Ising energy H of `variables` spins, to be minimised; the problem's objective is ``scale * H``, or its root.

    fields: h, one for each variable.
    couplings: (i, j, J_ij) with i < j, sorted, each pair once, none zero.
    offset: c.
    ceiling, squared: as in `quire_problems.Encoding`.
    """

    variables: int
    fields: tuple[float, ...]
    couplings: tuple[Coupling, ...]
    offset: float
    scale: Literal[1, -1]
    ceiling: float | None = None
    squared: bool = False

    def of(self, assignment: Sequence[int]) -> float:
        """H of one assignment (0 or 1 for each variable), its sum rounded once (Shewchuk, 1997: `math.fsum`)."""
        spins = [1 - 2 * bit for bit in assignment]
        single = (h * s for h, s in zip(self.fields, spins, strict=True))
        pairs = (weight * spins[i] * spins[j] for i, j, weight in self.couplings)
        return math.fsum((*single, *pairs, self.offset))

    def objective(self, assignment: Sequence[int]) -> float:
        """The problem's own figure for a feasible assignment, as the encoding has it: the cut's weight, and so on."""
        return self.own(self.of(assignment))

    def own(self, energy: float) -> float:
        """The objective that an energy stands for."""
        return math.sqrt(max(0.0, energy)) if self.squared else self.scale * energy + 0.0

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


def energy_of(problem: Problems) -> Energy:
    """The energy of the problem's encoding (`quire_problems.Encoding`).

    Terms that name the same variables are added, each sum rounded once, so that neither order nor repetition matters:
    equal problems give equal energies. For weights of which no bits are lost its values are exactly the encoding's.

    Raises:
        Refused: if the weights are not finite or so large that their sum is not, or if every assignment has the same
            objective.
    """
    try:
        encoding = kind_of(problem).encoding()
    except (OverflowError, ValueError):
        raise _too_large() from None
    energy = _ising(encoding.model) if isinstance(encoding.model, Ising) else _qubo(encoding.model)
    energy = replace(energy, scale=encoding.scale, ceiling=encoding.ceiling, squared=encoding.squared)
    if energy.is_constant:
        raise refuse(
            "problem-constant",
            "/problem",
            f"every assignment has the same objective, {energy.own(energy.offset):g}: all weights are zero",
            hint="give at least one weight that is not zero and does not cancel against another",
        )
    return energy


def _ising(problem: Ising) -> Energy:
    return _energy(problem.n, enumerate(problem.h), problem.j, (problem.offset,))


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
    energy = Energy(variables, h, kept, _sum(constants), 1)
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
