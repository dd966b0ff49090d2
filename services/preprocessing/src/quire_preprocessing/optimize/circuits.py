"""The circuits of QAOA that a loop varies, each with its start points and what its rounds take."""

from __future__ import annotations

from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from quire_contracts.continuation import From
from quire_contracts.document import OptimizeJob, Qaoa, QaoaCircuit
from quire_contracts.loop_circuits import circuits_of, climbs, last_rounds, starts_of
from quire_contracts.loop_rules import round_rules
from quire_contracts.optimizers import Optimizer
from quire_preprocessing.minimize.gate_spectra import gate_spectra
from quire_preprocessing.optimize.ising import Energy
from quire_preprocessing.optimize.qaoa import angle_names, qaoa, sharing
from quire_preprocessing.optimize.spectra import spectra
from quire_preprocessing.optimize.start_points import MOST_NUMBERS, start_points
from quire_preprocessing.refusal import Refused
from quire_preprocessing.rounds import Rounds, rounds_of
from quire_preprocessing.varied import Circuit
from quire_quantum.structure import Structure


def circuits_for(document: OptimizeJob, energy: Energy, seed: int, *, screened: bool) -> list[Circuit]:
    """The circuits of the document, in its order: the candidates, the steps of a climb, or the one there is.

    All start points together are as many numbers as one task holds, because a job's record holds them. Where nothing
    can be `screened`, or the loop goes on from an earlier job's, there is one start point; of a climb only the first
    step has more. Without a screen only the first candidate is left.

    Raises:
        Refused: an optimiser that goes by curves where an angle has none, or a round that no task holds.
    """
    algorithm = document.algorithm
    climbing = climbs(algorithm)
    asked = circuits_of(algorithm)
    if not climbing and not screened:
        asked = asked[:1]
    sweep = algorithm.sweep if screened and not isinstance(document.start, From) else 1
    share = MOST_NUMBERS if climbing else MOST_NUMBERS // len(asked)
    ends = last_rounds(algorithm.optimizer.rounds, len(asked)) if climbing else ()
    made = []
    for place, each in enumerate(asked):
        rounds, runs, rows = algorithm.optimizer.rounds, starts_of(algorithm), sweep
        if climbing:
            rounds = ends[place] - (ends[place - 1] if place else 0)
            runs, rows = (runs, sweep) if place == 0 else (1, 1)
        optimizer = msgspec.structs.replace(algorithm.optimizer, rounds=rounds)
        rows = max(1, min(rows, share // len(sharing(energy, each.layers, each.angles))))
        made.append(_circuit(energy, each, _points(algorithm, energy, each, rows, seed), optimizer, runs))
    return made


def _circuit(
    energy: Energy, asked: QaoaCircuit, points: NDArray[np.float64], optimizer: Optimizer, runs: int
) -> Circuit:
    structure = qaoa(energy, asked.layers, asked.angles)
    return Circuit(
        name=_name(asked),
        structure=structure,
        points=points,
        rounds=_rounds(energy, asked, structure, optimizer, runs),
    )


def _name(asked: QaoaCircuit) -> str:
    layers = f"{asked.layers} layer{'' if asked.layers == 1 else 's'}"
    return layers if asked.angles == "shared" else f"{layers} with an angle for each gate"


def _points(algorithm: Qaoa, energy: Energy, asked: QaoaCircuit, rows: int, seed: int) -> NDArray[np.float64]:
    """Shared angles, given ones or start points, written out for each gate that has one of its own."""
    columns = sharing(energy, asked.layers, asked.angles)
    if algorithm.initial:
        return np.array([algorithm.initial], np.float64)[:, columns]
    return start_points(energy, asked.layers, rows, seed)[:, columns]


def _rounds(energy: Energy, asked: QaoaCircuit, structure: Structure, optimizer: Optimizer, runs: int) -> Rounds:
    parameters = structure.num_parameters
    problems = round_rules(optimizer, parameters, parameters, "use fewer layers, or shared angles", runs)
    if problems:
        raise Refused("round-too-large", *problems)
    shared = asked.angles == "shared"
    return rounds_of(
        optimizer,
        angle_names(energy, asked.layers, asked.angles),
        partial(spectra, energy, asked.layers) if shared else partial(gate_spectra, structure, None, parameters),
        cure="round the weights to multiples of one number",
        runs=runs,
    )
