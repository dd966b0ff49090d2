"""The circuits that a loop may vary: one as a rule, several to choose between or to climb through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quire_contracts import limits
from quire_contracts.preparation import Columns, Estimate
from quire_contracts.value import Observable
from quire_preprocessing.draft import Several, Varied
from quire_preprocessing.feasibility import estimate
from quire_preprocessing.refusal import refuse
from quire_preprocessing.rounds import Rounds
from quire_quantum.size import depth, two_qubit_gates
from quire_quantum.structure import Structure


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """One of them: where it may start, float64 [rows, parameters], and what its rounds take."""

    name: str
    structure: Structure
    points: NDArray[np.float64]
    rounds: Rounds
    columns: Columns | None = None


def runs_of(circuits: Sequence[Circuit], *, climbs: bool) -> int:
    """Parameter sets of the whole loop: the pre-screen, the usual rounds of the optimiser, the last sampling.

    Of circuits that are chosen between all are screened, and the one whose rounds take most is counted; a climb screens
    the first one alone and goes through all.
    """
    rivals = len(circuits) > 1 and not climbs
    screened = circuits if rivals else circuits[:1]
    swept = sum(len(each.points) for each in screened if rivals or len(each.points) > 1)
    sets = [each.rounds.sets for each in circuits]
    return swept + (sum(sets) if climbs else max(sets)) + 1


def largest(circuits: Sequence[Circuit], runs: int, shots: int | None) -> Estimate:
    """What the circuit with the most two-qubit gates needs, the deepest of those."""
    most = max(circuits, key=lambda each: (two_qubit_gates(each.structure), depth(each.structure)))
    return estimate(most.structure, runs, shots)


def several_of(
    circuits: Sequence[Circuit], observable: Observable, *, climbs: bool, runs: int, shots: int | None
) -> Several | None:
    """What a draft says of several circuits; None where there is one."""
    if len(circuits) == 1:
        return None
    terms = zip(observable.labels, observable.coefficients, strict=True)
    return Several(
        circuits=tuple(
            Varied(
                name=each.name,
                structure=each.structure,
                start_points=each.points,
                estimate=estimate(each.structure, runs, shots),
                spectra=each.rounds.spectra,
                columns=each.columns,
            )
            for each in circuits
        ),
        climbs=climbs,
        mixed=sum(coefficient for label, coefficient in terms if not label.strip("I")),
    )


def notes_of(circuits: Sequence[Circuit]) -> tuple[str, ...]:
    """What is to be said of their rounds, each thing once, with the circuit's name where there are several."""
    several = len(circuits) > 1
    said = (f"{each.name}: {note}" if several else note for each in circuits for note in each.rounds.notes)
    return tuple(dict.fromkeys(said))


def check_room(circuits: Sequence[Circuit]) -> None:
    """Until one of them is chosen, a job's record holds them all.

    Raises:
        Refused: they have too many parameters together.
    """
    numbers = sum(each.structure.num_parameters for each in circuits)
    if len(circuits) > 1 and numbers > limits.CANDIDATE_NUMBERS:
        raise refuse(
            "candidates-too-large",
            "/algorithm/candidates",
            f"the candidates have {numbers} angles together",
            limit=f"at most {limits.CANDIDATE_NUMBERS}",
            hint="name fewer candidates, or such with fewer angles",
        )


def unscreened(width: int, most: int) -> str:
    """The note on a loop that is wider than what is simulated."""
    return (
        f"{width} qubits are more than the {most} that are simulated: no start points or candidates were pre-screened, "
        "the first of each is used"
    )
