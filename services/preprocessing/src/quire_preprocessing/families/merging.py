"""From the answers of a problem's parts to one answer: which parts to turn over is a problem with a spin for each.

The parts' own energies do not change when all spins of a part are turned over, but for their fields; what the couplings
between parts are worth does (Zhou, Du, Tian, Tao, "QAOA-in-QAOA", arXiv:2205.11762).
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from quire_contracts.problems import Ising

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quire_preprocessing.families.splitting import Part
    from quire_preprocessing.optimize.ising import Energy

Assignment = tuple[int, ...]
"""One 0 or 1 for each variable, variable 0 first."""


def part_problem(energy: Energy, part: Part) -> Ising:
    """The energy of a part by itself: its fields and inner couplings.

    Couplings to other parts count in the merge. Of a problem with constraints they are also folded into the part's
    fields, as if all variables outside of it were 0: so its penalties ask of the part what they would ask of it alone.
    """
    place = {variable: number for number, variable in enumerate(part)}
    fields = [[energy.fields[i]] for i in part]
    inner = []
    for i, j, weight in energy.couplings:
        if i in place and j in place:
            inner.append((place[i], place[j], weight))
        elif energy.ceiling is not None and (i in place or j in place):
            fields[place[i if i in place else j]].append(weight)
    return Ising(n=len(part), h=tuple(map(math.fsum, fields)), j=tuple(inner))


def laid_out(variables: int, answers: Mapping[Part, Sequence[int]]) -> Assignment:
    """The parts' answers side by side, all variables of parts without one 0."""
    bits = [0] * variables
    for part, answer in answers.items():
        for variable, bit in zip(part, answer, strict=True):
            bits[variable] = int(bit)
    return tuple(bits)


def merge_problem(energy: Energy, parts: Sequence[Part], assignment: Assignment) -> Ising:
    """The energy as it depends on which parts are turned over (spin -1, bit 1), the rest of it left out.

    Between two parts their couplings are folded into one, ``sum J_ij s_i s_j``; a part's fields into ``sum h_i s_i``.
    """
    spins = [1 - 2 * bit for bit in assignment]
    where = {variable: number for number, part in enumerate(parts) for variable in part}
    fields = tuple(math.fsum(energy.fields[i] * spins[i] for i in part) for part in parts)
    folded: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for i, j, weight in energy.couplings:
        one, other = sorted((where[i], where[j]))
        if one != other:
            folded[one, other].append(weight * spins[i] * spins[j])
    summed = ((*pair, math.fsum(weights)) for pair, weights in sorted(folded.items()))
    return Ising(n=len(parts), h=fields, j=tuple(each for each in summed if each[2]))


def decides_nothing(problem: Ising) -> bool:
    """Whether every assignment is as good as any other."""
    return not any(problem.h) and not any(weight for _, _, weight in problem.j)


def turned(assignment: Assignment, parts: Sequence[Part], turns: Sequence[int]) -> Assignment:
    """The assignment with every variable of the parts turned over whose turn is 1."""
    bits = list(assignment)
    for part, turn in zip(parts, turns, strict=True):
        if turn:
            for variable in part:
                bits[variable] = 1 - bits[variable]
    return tuple(bits)
