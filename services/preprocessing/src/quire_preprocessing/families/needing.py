"""What a job takes beside others: the shots that it plans, by which a budget is shared out among siblings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quire_contracts import limits
from quire_contracts.document import EstimateJob, MinimizeJob, OptimizeJob, SampleJob
from quire_contracts.loop_circuits import ansaetze_of, circuits_of, climbs, starts_of
from quire_contracts.optimizers import Nft, ParameterShift, Scipy, fewest_sets
from quire_contracts.partitioned import Partition
from quire_contracts.vqe import HardwareEfficient
from quire_problems import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.document import JobDocument, Qaoa
    from quire_contracts.optimizers import Optimizer
    from quire_contracts.vqe import Vqe


def need_of(document: JobDocument, widest: int) -> float:
    """The shots that a variant of a sweep plans to take, at least 1.

    Of each parameter set it takes as many as it asks for, 1 of a set that is exact. A loop has the sets of its start
    points, of all its rounds, and one more at the end; a problem wider than the `widest` that is run, the loops of its
    parts. Where the document has a budget of shots, that bounds the plan.

    Raises:
        TypeError: for a kind that cannot be swept.
    """
    most = document.budget.max_shots
    planned = max(1.0, float(_planned(document, widest)))
    return planned if most is None else min(planned, float(most))


def need_of_parts(document: OptimizeJob, variables: int, width: int) -> float:
    """The shots that a problem of so many variables plans to take in parts of at most `width`, merges included.

    The parts are taken to be full, so that there are variables / width of them, and a merge has a variable for each.
    """
    if variables <= width:
        return need_of_loop(document, variables)
    parts = math.ceil(variables / width)
    return parts * need_of_loop(document, width) + need_of_parts(document, parts, width)


def need_of_loop(document: OptimizeJob, variables: int) -> float:
    """The shots that the document's loop plans to take for a problem of so many variables.

    How many frequencies an angle has is known only when the loop is prepared; here it is taken to be the number of
    variables, for many gates share a QAOA angle; and angles are counted as if they all did. All rounds of a climb are
    taken to be of its last step.
    """
    algorithm = document.algorithm
    varied = circuits_of(algorithm)[-1:] if climbs(algorithm) else circuits_of(algorithm)
    angles = [2 * each.layers for each in varied]
    return float(document.shots * _sets(algorithm, angles, frequencies=variables))


def _planned(document: JobDocument, widest: int) -> float:
    match document:
        case SampleJob():
            return len(document.parameters) * document.shots
        case EstimateJob():
            return len(document.parameters) * _shots_for(document.precision)
        case MinimizeJob():
            algorithm = document.algorithm
            return _shots_for(document.precision) * _sets(algorithm, _angles(document), frequencies=1)
        case OptimizeJob():
            asked, variables = document.partition, kind_of(document.problem).variables
            width = min(widest, asked.max_variables) if isinstance(asked, Partition) else widest
            if variables > width and not isinstance(asked, Partition):
                width = min(width, limits.PART_VARIABLES)
            return need_of_parts(document, variables, max(1, width))
    raise TypeError(f"a {type(document).__name__} is no variant of a sweep")


def _sets(algorithm: Qaoa | Vqe, angles: Sequence[int], *, frequencies: int) -> int:
    """Parameter sets of a whole loop that chooses between circuits with so many angles: as many as any may take."""
    points = len(angles) * (1 if algorithm.initial else algorithm.sweep)
    runs = 1 if climbs(algorithm) else starts_of(algorithm)
    longest = max(_round(algorithm.optimizer, each, frequencies) for each in angles)
    return (points if points > 1 else 0) + runs * algorithm.optimizer.rounds * longest + 1


def _round(optimizer: Optimizer, angles: int, frequencies: int) -> int:
    """Parameter sets of a round: where it goes by curves or derivatives, more of them for more frequencies."""
    least = fewest_sets(optimizer, angles)
    if isinstance(optimizer, Nft | ParameterShift) or (isinstance(optimizer, Scipy) and optimizer.method == "l-bfgs-b"):
        return 1 + frequencies * (least - 1)
    return least


def _angles(document: MinimizeJob) -> list[int]:
    """Of an ansatz of one's own as many as it has initial ones, or else qubits: its program is not read here."""
    qubits = len(next(iter(document.hamiltonian)))
    given = len(document.algorithm.initial) or qubits
    ansaetze = ansaetze_of(document.algorithm)
    return [each.angles(qubits) if isinstance(each, HardwareEfficient) else given for each in ansaetze]


def _shots_for(precision: float) -> int:
    return min(limits.SHOTS, math.ceil(1 / precision**2)) if precision else 1
