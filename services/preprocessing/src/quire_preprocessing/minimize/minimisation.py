"""Minimisation: a Hamiltonian and an ansatz as a variational loop."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from quire_contracts import limits
from quire_contracts.continuation import From
from quire_contracts.loop_rules import round_rules
from quire_contracts.vqe import HardwareEfficient
from quire_contracts.vqe_rules import initial_problem
from quire_preprocessing.circuits import check_mitigable, measured_circuits, mitigation_of, shots_for, unmeasured
from quire_preprocessing.draft import Draft
from quire_preprocessing.draws import uniform
from quire_preprocessing.feasibility import estimate
from quire_preprocessing.minimize.gate_spectra import gate_spectra
from quire_preprocessing.minimize.given_ansatz import POINTER, columns_of
from quire_preprocessing.minimize.hardware_ansatz import hardware_efficient
from quire_preprocessing.refusal import Refused, refuse
from quire_preprocessing.rounds import rounds_of
from quire_quantum.observables import ObservableError, normalise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_contracts.document import MinimizeJob
    from quire_contracts.preparation import Columns
    from quire_contracts.value import Observable
    from quire_contracts.vqe import Vqe
    from quire_preprocessing.draft import Bounds
    from quire_quantum.lift import Program
    from quire_quantum.structure import Structure


class Ansatz(NamedTuple):
    """A structure whose parameters follow from those of a loop, which have names."""

    structure: Structure
    columns: Columns | None
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def minimisation_of(
    document: MinimizeJob, program: Program | None, seed: int, bounds: Bounds
) -> tuple[Draft, Observable]:
    """The loop that the document asks for, and the Hamiltonian with its constant; `program` is that of a given ansatz.

    The constant is part of the observable, as the identity's coefficient. The estimate counts the start points, the
    parameter sets of the optimiser's usual rounds and the last measurement, each with every circuit's shots.

    Raises:
        Refused: a Hamiltonian that is wider than `bounds.max_variables` or not as wide as the ansatz, an ansatz that
            cannot be varied, more numbers in a round than a task holds, too many shots, or what `rounds_of` refuses.
    """
    qubits, algorithm = len(next(iter(document.hamiltonian))), document.algorithm
    if qubits > bounds.max_variables:
        raise refuse(
            "hamiltonian-too-wide",
            "/hamiltonian",
            f"the Hamiltonian has {qubits} qubits",
            limit=f"at most {bounds.max_variables} qubits",
            hint="taper qubits by symmetries, or freeze orbitals",
        )
    ansatz = _ansatz(document, program, qubits)
    structure, parameters = ansatz.structure, len(ansatz.names)
    observable = _observable(document, structure.num_qubits)
    wrong = _start_rules(algorithm, parameters, structure.num_parameters)
    if wrong is not None:
        raise wrong
    mitigation, shots = mitigation_of(document), shots_for(document.precision)
    if mitigation is not None:
        check_mitigable(structure)
    circuits = measured_circuits((observable,), shots, mitigation, bounds, pointer="/hamiltonian")
    sweep = 1 if isinstance(document.start, From) else algorithm.sweep
    points = start_points(algorithm, parameters, structure.num_parameters, seed, sweep)
    rounds = rounds_of(
        algorithm.optimizer,
        ansatz.names,
        partial(gate_spectra, structure, ansatz.columns, parameters),
        cure="let each parameter stand in few gates, with factors that are multiples of one number",
        numbers=structure.num_parameters,
    )
    runs = (len(points) if len(points) > 1 else 0) + rounds.sets + 1
    total = None if shots is None else runs * circuits * shots
    _check_shots(total, bounds)
    draft = Draft(
        structure=structure,
        parameters=None,
        observables=(observable,),
        shots=shots,
        estimate=estimate(structure, runs, total),
        circuits=circuits,
        start_points=points,
        unit=document.unit,
        spectra=rounds.spectra,
        columns=ansatz.columns,
        mitigation=mitigation,
        notes=(*ansatz.notes, *rounds.notes),
    )
    return draft, observable


def start_points(algorithm: Vqe, parameters: int, numbers: int, seed: int, sweep: int) -> NDArray[np.float64]:
    """Where a loop may start, float64 [rows, parameters]: `initial`, or all angles 0 and then even draws.

    There are `sweep` rows at most, or as many as a task holds of `numbers` each; one where the spread is 0.
    """
    if algorithm.initial:
        return np.array([algorithm.initial], np.float64)
    rows = min(sweep, max(1, limits.LOOP_NUMBERS // numbers)) if algorithm.spread else 1
    points = (2.0 * uniform(seed, "even-starts", rows, parameters) - 1.0) * algorithm.spread
    points[0] = 0.0
    return points


def _ansatz(document: MinimizeJob, program: Program | None, qubits: int) -> Ansatz:
    asked = document.algorithm.ansatz
    if isinstance(asked, HardwareEfficient):
        structure = hardware_efficient(asked, qubits)
        return Ansatz(structure, None, tuple(f"angle {index}" for index in range(structure.num_parameters)))
    if program is None:
        raise ValueError("a given ansatz needs its program")
    try:
        structure, notes = unmeasured(program.structure, exact=document.precision == 0)
    except Refused as refused:
        raise _moved(refused) from None
    return Ansatz(structure, columns_of(program.angles), program.angles.inputs, notes)


def _observable(document: MinimizeJob, qubits: int) -> Observable:
    terms = dict(document.hamiltonian)
    if document.constant:
        identity = "I" * len(next(iter(terms)))
        terms[identity] = terms.get(identity, 0.0) + document.constant
    try:
        return normalise(terms, qubits)
    except ObservableError as error:
        hint = f"the ansatz has {qubits} qubits; the right-most character of a label acts on qubit 0"
        raise refuse("hamiltonian-invalid", "/hamiltonian", str(error), hint=hint) from None


def _start_rules(algorithm: Vqe, parameters: int, numbers: int) -> Refused | None:
    """What the intake could not know of a given ansatz, and that angles are numbers."""
    problems = []
    if algorithm.initial and len(algorithm.initial) != parameters:
        problems.append(initial_problem(len(algorithm.initial), parameters))
    problems += round_rules(algorithm.optimizer, parameters, numbers, "use an ansatz with fewer angles")
    if problems:
        return Refused("ansatz-does-not-fit", *problems)
    if not all(map(math.isfinite, algorithm.initial)):
        return refuse("angle-not-finite", "/algorithm/initial", "an angle is not finite", hint="correct the angle")
    return None


def _check_shots(total: int | None, bounds: Bounds) -> None:
    if total is not None and total > bounds.max_total_shots:
        raise refuse(
            "too-many-shots",
            "/precision",
            f"the loop would take {total} shots",
            limit=f"at most {bounds.max_total_shots} shots in one job",
            hint="ask for a coarser precision, or for fewer rounds",
        )


def _moved(refused: Refused) -> Refused:
    """A refusal of a program, told of where this document has it."""
    problems = [msgspec.structs.replace(problem, pointer=POINTER) for problem in refused.problems]
    return Refused(refused.code, *problems)
