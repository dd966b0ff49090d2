"""Minimisation: a Hamiltonian and an ansatz as a variational loop."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from quire_contracts import limits
from quire_contracts.continuation import From
from quire_contracts.loop_circuits import ansaetze_of, starts_of
from quire_contracts.loop_rules import round_rules
from quire_contracts.vqe import HardwareEfficient
from quire_contracts.vqe_rules import initial_problem
from quire_preprocessing.circuits import check_mitigable, measured_circuits, mitigation_of, shots_for, unmeasured
from quire_preprocessing.draft import Draft
from quire_preprocessing.draws import uniform
from quire_preprocessing.minimize.gate_spectra import gate_spectra
from quire_preprocessing.minimize.given_ansatz import columns_of, pointer_of
from quire_preprocessing.minimize.hardware_ansatz import hardware_efficient
from quire_preprocessing.refusal import Refused, refuse
from quire_preprocessing.rounds import rounds_of
from quire_preprocessing.varied import Circuit, check_room, largest, notes_of, runs_of, several_of, unscreened
from quire_quantum.observables import ObservableError, normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quire_contracts.document import MinimizeJob
    from quire_contracts.preparation import Columns
    from quire_contracts.value import Observable
    from quire_contracts.vqe import Ansatz as AnyAnsatz
    from quire_contracts.vqe import Vqe
    from quire_preprocessing.draft import Bounds
    from quire_quantum.lift import Program
    from quire_quantum.structure import Structure


class Ansatz(NamedTuple):
    """A structure whose parameters follow from those of a loop, which have names; `title` is the circuit's own."""

    structure: Structure
    columns: Columns | None
    names: tuple[str, ...]
    title: str
    notes: tuple[str, ...] = ()


def minimisation_of(
    document: MinimizeJob, programs: Sequence[Program | None], seed: int, bounds: Bounds
) -> tuple[Draft, Observable]:
    """The loop that the document asks for, and the Hamiltonian with its constant.

    The constant is part of the observable, as the identity's coefficient. The estimate counts the start points, the
    parameter sets of the optimiser's usual rounds and the last measurement, each with every circuit's shots. Where
    there are candidates the draft is of the first of them; a Hamiltonian that is wider than what is simulated has one
    start point, and one candidate.

    Args:
        document: the job's.
        programs: of each of its ansaetze in order, None of one that is not given as a program.
        seed: of the start points.
        bounds: what is refused because of its size.

    Raises:
        Refused: a Hamiltonian that is wider than `bounds.max_variables` or not as wide as an ansatz, an ansatz that
            cannot be varied, more numbers than a round or a record has room for, too many shots, or what `rounds_of`
            refuses.
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
    screened = qubits <= bounds.screened_qubits or bool(algorithm.initial)
    several = not isinstance(algorithm.candidates, msgspec.UnsetType)
    pairs = list(zip(ansaetze_of(algorithm), programs, strict=True))
    ansaetze = [
        _ansatz(asked, program, qubits, exact=document.precision == 0, pointer=pointer_of(place, several=several))
        for place, (asked, program) in enumerate(pairs if screened else pairs[:1])
    ]
    width = ansaetze[0].structure.num_qubits
    observable = _observable(document, width)
    mitigation, shots = mitigation_of(document), shots_for(document.precision)
    sweep = algorithm.sweep if screened and not isinstance(document.start, From) else 1
    room = limits.LOOP_NUMBERS // len(ansaetze)
    made = []
    for place, ansatz in enumerate(ansaetze):
        if ansatz.structure.num_qubits != width:
            raise _other_width(place, ansatz.structure.num_qubits, width)
        made.append(_circuit(algorithm, ansatz, seed, sweep, room))
        if mitigation is not None:
            check_mitigable(ansatz.structure)
    check_room(made)
    circuits = measured_circuits((observable,), shots, mitigation, bounds, pointer="/hamiltonian")
    runs, first = runs_of(made, climbs=False), made[0]
    total = None if shots is None else runs * circuits * shots
    _check_shots(total, bounds)
    draft = Draft(
        structure=first.structure,
        parameters=None,
        observables=(observable,),
        shots=shots,
        estimate=largest(made, runs, total),
        circuits=circuits,
        start_points=first.points,
        unit=document.unit,
        spectra=first.rounds.spectra,
        columns=first.columns,
        mitigation=mitigation,
        several=several_of(made, observable, climbs=False, runs=runs, shots=total),
        starts=starts_of(algorithm),
        notes=(
            *dict.fromkeys(note for ansatz in ansaetze for note in ansatz.notes),
            *notes_of(made),
            *([] if screened else [unscreened(qubits, bounds.screened_qubits)]),
        ),
    )
    return draft, observable


def _circuit(algorithm: Vqe, ansatz: Ansatz, seed: int, sweep: int, room: int) -> Circuit:
    structure, parameters = ansatz.structure, len(ansatz.names)
    wrong = _start_rules(algorithm, parameters, structure.num_parameters)
    if wrong is not None:
        raise wrong
    rounds = rounds_of(
        algorithm.optimizer,
        ansatz.names,
        partial(gate_spectra, structure, ansatz.columns, parameters),
        cure="let each parameter stand in few gates, with factors that are multiples of one number",
        numbers=structure.num_parameters,
        runs=starts_of(algorithm),
    )
    rows = min(sweep, max(1, room // structure.num_parameters))
    points = start_points(algorithm, parameters, structure.num_parameters, seed, rows)
    return Circuit(name=ansatz.title, structure=structure, points=points, rounds=rounds, columns=ansatz.columns)


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


def _ansatz(asked: AnyAnsatz, program: Program | None, qubits: int, *, exact: bool, pointer: str) -> Ansatz:
    if isinstance(asked, HardwareEfficient):
        structure = hardware_efficient(asked, qubits)
        names = tuple(f"angle {index}" for index in range(structure.num_parameters))
        layers = f"{asked.layers} layer{'' if asked.layers == 1 else 's'}"
        title = f"{layers} of {', '.join(asked.rotations)} and {asked.entangler} ({asked.entanglement})"
        return Ansatz(structure, None, names, title)
    if program is None:
        raise ValueError("a given ansatz needs its program")
    try:
        structure, notes = unmeasured(program.structure, exact=exact)
        columns = columns_of(program.angles)
    except Refused as refused:
        raise _moved(refused, pointer) from None
    return Ansatz(
        structure, columns, program.angles.inputs, f"the program with {len(program.angles.inputs)} inputs", notes
    )


def _other_width(place: int, qubits: int, wanted: int) -> Refused:
    return refuse(
        "candidates-differ",
        f"/algorithm/candidates/{place}",
        f"the candidate has {qubits} qubits, the first one {wanted}",
        limit=f"exactly {wanted}",
        hint="give all candidates the qubits of the Hamiltonian",
    )


def hamiltonian_of(document: MinimizeJob) -> Observable:
    """The Hamiltonian with its constant, of a document that was prepared: its ansatz is as wide as its labels."""
    return _observable(document, len(next(iter(document.hamiltonian))))


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
    problems += round_rules(
        algorithm.optimizer, parameters, numbers, "use an ansatz with fewer angles", starts_of(algorithm)
    )
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


def _moved(refused: Refused, pointer: str) -> Refused:
    """A refusal of a program, told of where this document has it."""
    problems = [msgspec.structs.replace(problem, pointer=pointer) for problem in refused.problems]
    return Refused(refused.code, *problems)
