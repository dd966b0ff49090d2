"""Optimisation: a problem over binary variables as a variational loop."""

from __future__ import annotations

from functools import partial

import msgspec
import numpy as np

from quire_contracts.continuation import From
from quire_contracts.document import OptimizeJob
from quire_contracts.preparation import Baseline
from quire_preprocessing.draft import Bounds, Draft
from quire_preprocessing.feasibility import estimate
from quire_preprocessing.optimize.ising import Energy, energy_of
from quire_preprocessing.optimize.qaoa import angle_names, qaoa
from quire_preprocessing.optimize.spectra import spectra
from quire_preprocessing.optimize.start_points import start_points
from quire_preprocessing.refusal import Refused, refuse
from quire_preprocessing.rounds import rounds_of
from quire_problems import kind_of


def loop_of(document: OptimizeJob, seed: int, bounds: Bounds) -> tuple[Draft, Energy]:
    """The loop that the document asks for, and the energy it minimises.

    The angles of `initial`, where given, are the only start point, and a loop that goes on from an earlier job's needs
    none. The estimate counts the start points, the parameter sets of the optimiser's usual rounds and the last
    sampling, each with the document's shots.

    Raises:
        Refused: a problem with more variables than `bounds.max_variables`, with weights that are no numbers, with
            nothing to decide, or with angles that have no curves where the optimiser goes by them.
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
    structure = qaoa(energy, algorithm.layers)
    if not np.isfinite(algorithm.initial).all():
        raise refuse("angle-not-finite", "/algorithm/initial", "an angle is not finite", hint="correct the angle")
    given = np.array([algorithm.initial], np.float64)
    sweep = 1 if isinstance(document.start, From) else algorithm.sweep
    points = given if algorithm.initial else start_points(energy, algorithm.layers, sweep, seed)
    rounds = rounds_of(
        algorithm.optimizer,
        angle_names(algorithm.layers),
        partial(spectra, energy, algorithm.layers),
        cure="round the weights to multiples of one number",
    )
    runs = (len(points) if len(points) > 1 else 0) + rounds.sets + 1
    draft = Draft(
        structure=structure,
        parameters=None,
        observables=(energy.observable(),),
        shots=document.shots,
        estimate=estimate(structure, runs, runs * document.shots),
        start_points=points,
        scale=energy.scale,
        problem=problem,
        unit=kind.unit,
        spectra=rounds.spectra,
        cvar=None if isinstance(algorithm.cvar, msgspec.UnsetType) else algorithm.cvar,
        notes=rounds.notes,
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
