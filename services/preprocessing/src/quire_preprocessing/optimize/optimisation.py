"""Optimisation: a problem over binary variables as a variational loop."""

from __future__ import annotations

import msgspec
import numpy as np

from quire_contracts.document import OptimizeJob
from quire_contracts.loop_circuits import climbs, starts_of
from quire_contracts.preparation import Baseline
from quire_preprocessing.draft import Bounds, Draft
from quire_preprocessing.optimize.circuits import circuits_for
from quire_preprocessing.optimize.ising import Energy, energy_of
from quire_preprocessing.refusal import Refused, refuse
from quire_preprocessing.varied import check_room, largest, notes_of, runs_of, several_of, unscreened
from quire_problems import kind_of


def loop_of(document: OptimizeJob, seed: int, bounds: Bounds) -> tuple[Draft, Energy]:
    """The loop that the document asks for, and the energy it minimises.

    The angles of `initial`, where given, are the only start point, and a loop that goes on from an earlier job's needs
    none. The estimate counts the start points, the parameter sets of the optimiser's usual rounds and the last
    sampling, each with the document's shots. Where the loop has several circuits the draft is of the first of them; a
    problem that is wider than what is simulated has one start point, and one candidate.

    Raises:
        Refused: a problem with more variables than `bounds.max_variables`, with weights that are no numbers, with
            nothing to decide, with angles that have no curves where the optimiser goes by them, or with more angles
            than a round or a record has room for.
    """
    problem, algorithm = document.problem, document.algorithm
    kind = kind_of(problem)
    if kind.variables > bounds.max_variables:
        raise refuse(
            "problem-too-wide",
            "/problem",
            f"the problem has {kind.variables} variables, and each one needs a qubit",
            limit=f"at most {bounds.max_variables} variables",
            hint="fix or merge variables, or solve the problem in parts",
        )
    energy = energy_of(problem)
    if not np.isfinite(algorithm.initial).all():
        raise refuse("angle-not-finite", "/algorithm/initial", "an angle is not finite", hint="correct the angle")
    screened = kind.variables <= bounds.screened_qubits or bool(algorithm.initial)
    circuits = circuits_for(document, energy, seed, screened=screened)
    check_room(circuits)
    climbing, first = climbs(algorithm), circuits[0]
    runs = runs_of(circuits, climbs=climbing)
    shots = runs * document.shots
    observable = energy.observable()
    draft = Draft(
        structure=first.structure,
        parameters=None,
        observables=(observable,),
        shots=document.shots,
        estimate=largest(circuits, runs, shots),
        start_points=first.points,
        scale=energy.scale,
        problem=problem,
        unit=kind.unit,
        spectra=first.rounds.spectra,
        cvar=None if isinstance(algorithm.cvar, msgspec.UnsetType) else algorithm.cvar,
        several=several_of(circuits, observable, climbs=climbing, runs=runs, shots=shots),
        starts=starts_of(algorithm),
        notes=(*notes_of(circuits), *([] if screened else [unscreened(kind.variables, bounds.screened_qubits)])),
    )
    return draft, energy


def infeasible(baseline: Baseline) -> Refused:
    """The refusal of a problem of which every assignment was looked at, and none is feasible."""
    return refuse(
        "problem-infeasible",
        "/problem",
        f"no assignment is feasible; in the one that comes nearest, {baseline.violations[0]}",
        hint="loosen the constraints: more vehicles or capacity",
    )
