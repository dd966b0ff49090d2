"""Sampling and estimation: a parsed program and its document as a draft, or the reason why not."""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from quire_contracts import limits
from quire_contracts.document import EstimateJob, Job, ParameterSets, SampleJob
from quire_contracts.mitigation import Mitigation
from quire_contracts.value import Observable, Problem
from quire_preprocessing.draft import Bounds, Draft
from quire_preprocessing.feasibility import estimate
from quire_preprocessing.refusal import Refused, refuse
from quire_quantum.angle_program import AngleProgram
from quire_quantum.lift import Program
from quire_quantum.observables import ObservableError, group, normalise, without_final_measurements
from quire_quantum.rejection import ProgramRejected
from quire_quantum.structure import Operation, Structure

MEASURED_ALL: Final = "The program measures nothing, so every qubit is measured at its end, qubit i into bit i."
IGNORED_MEASUREMENTS: Final = "The program's final measurements are left out: the observables say what is measured."


def draft_of(document: SampleJob | EstimateJob, program: Program, bounds: Bounds) -> Draft:
    """What the document asks of its program.

    Raises:
        Refused: parameter sets, observables or sizes that do not fit the program.
    """
    parameters = parameter_matrix(document.parameters, program.angles, bounds)
    observables: tuple[Observable, ...] | None = None
    if isinstance(document, SampleJob):
        structure, notes = measured(program.structure)
    else:
        structure, notes = unmeasured(program.structure, exact=document.precision == 0)
        observables = regular_observables(document, structure.num_qubits)
    mitigation = mitigation_of(document)
    if mitigation is not None:
        check_mitigable(structure)
    shots = shots_of(document)
    circuits = measured_circuits(observables, shots, mitigation, bounds)
    total = total_shots(document, circuits, bounds)
    return Draft(
        structure=structure,
        parameters=parameters,
        observables=observables,
        shots=shots,
        estimate=estimate(structure, len(parameters), total),
        circuits=circuits,
        mitigation=mitigation,
        notes=notes,
    )


def mitigation_of(document: Job) -> Mitigation | None:
    """What the document asks to be done about noise, as tasks carry it."""
    asked = document.mitigation
    if isinstance(asked, msgspec.UnsetType):
        return None
    return msgspec.convert(msgspec.to_builtins(asked), Mitigation)


def shots_of(document: SampleJob | EstimateJob) -> int | None:
    """Shots of each circuit, None for exact values; raises as `shots_for` does."""
    return document.shots if isinstance(document, SampleJob) else shots_for(document.precision)


def total_shots(document: SampleJob | EstimateJob, circuits: int, bounds: Bounds) -> int | None:
    """Shots of the whole job with `circuits` circuits for each parameter set; None for exact values.

    Raises:
        Refused: if they are too many.
    """
    shots, sets = shots_of(document), len(document.parameters)
    total = None if shots is None else sets * circuits * shots
    if total is not None and total > bounds.max_total_shots:
        raise refuse(
            "too-many-shots",
            "/shots" if isinstance(document, SampleJob) else "/precision",
            f"{sets} parameter sets x {circuits} circuits x {shots} shots are {total} shots",
            limit=f"at most {bounds.max_total_shots} shots in one job",
            hint="ask for fewer shots or a coarser precision, or split the parameter sets over several jobs",
        )
    return total


def parameter_matrix(sets: ParameterSets, angles: AngleProgram, bounds: Bounds) -> NDArray[np.float64]:
    """The structure's parameters for each parameter set, float64 [sets, structure parameters].

    Raises:
        Refused: a wrong number of numbers in a set, a number that is not finite, or too many angles.
    """
    width, inputs = len(sets[0]), len(angles.inputs)
    if width != inputs:
        raise refuse(
            "parameters-shape",
            "/parameters",
            f"each parameter set has {width} numbers, the program declares {inputs} inputs",
            limit=f"exactly {inputs} numbers in each set",
            hint="give one number for each `input`, in the order in which the program declares them",
        )
    if len(sets) * len(angles.columns) > bounds.max_angles:
        raise refuse(
            "too-many-angles",
            "/parameters",
            f"{len(sets)} parameter sets x {len(angles.columns)} angles are too many for one job",
            limit=f"at most {bounds.max_angles} angles",
            hint="split the parameter sets over several jobs",
        )
    numbers = np.array(sets, np.float64).reshape(len(sets), width)
    for row in np.flatnonzero(~np.isfinite(numbers).all(axis=1))[:1]:
        raise refuse("parameter-not-finite", f"/parameters/{row}", "a number is not finite", hint="correct the number")
    try:
        return angles.evaluate(numbers)
    except ProgramRejected as rejection:
        raise Refused(rejection.code, rejection.problem("/parameters")) from None


def measured(structure: Structure) -> tuple[Structure, tuple[str, ...]]:
    """The structure as it is if it measures anything, else with every qubit measured; and what to note."""
    if any(operation.name == "measure" for operation in structure.operations):
        return structure, ()
    every = (Operation("measure", (qubit,), (), (qubit,)) for qubit in range(structure.num_qubits))
    return structure.with_operations((*structure.operations, *every), structure.num_qubits), (MEASURED_ALL,)


def unmeasured(structure: Structure, *, exact: bool) -> tuple[Structure, tuple[str, ...]]:
    """The structure without bits and final measurements, and what to note.

    Resets of qubits that nothing has touched do nothing and are left out.

    Raises:
        Refused: for a measurement that something follows; for exact values also for a reset, because the state
            after it is not one vector.
    """
    bare = without_final_measurements(structure)
    touched: set[int] = set()
    kept = []
    for operation in bare.operations:
        if operation.name == "measure":
            raise refuse(
                "measures-midway",
                "/program",
                "the program measures a qubit before its end",
                hint="for expectation values measure nothing, or only at the end",
            )
        if operation.name == "reset" and operation.qubits[0] not in touched:
            continue
        if operation.name == "reset" and exact:
            raise refuse(
                "resets-midway",
                "/program",
                "the program resets a qubit that was in use, so its state has no exact vector",
                hint="ask for a precision above 0",
            )
        if operation.name != "barrier":
            touched.update(operation.qubits)
        kept.append(operation)
    had_final = sum(each.name == "measure" for each in structure.operations)
    return bare.with_operations(kept, 0), (IGNORED_MEASUREMENTS,) if had_final else ()


def regular_observables(document: EstimateJob, num_qubits: int) -> tuple[Observable, ...]:
    """The document's observables, made regular and as wide as the program.

    Raises:
        Refused: with one problem for each of the first ten that are wrong.
    """
    regular, problems = [], []
    for index, terms in enumerate(document.observables):
        try:
            regular.append(normalise(terms, num_qubits))
        except ObservableError as error:
            hint = f"the program has {num_qubits} qubits; the right-most character of a label acts on qubit 0"
            problems.append(Problem(pointer=f"/observables/{index}", reason=str(error), hint=hint))
    if problems:
        raise Refused("observable-invalid", *problems[:10])
    return tuple(regular)


def shots_for(precision: float) -> int | None:
    """Shots of each circuit for a standard error of `precision` with a unit coefficient: ceil(1 / precision^2).

    None, which asks for exact values, for 0. A product that rounding lifts above a whole number is taken for it.

    Raises:
        Refused: if that is more shots than a circuit may have.
    """
    if precision == 0:
        return None
    finest = 1 / math.sqrt(limits.SHOTS)
    if precision < finest * (1 - 1e-9):
        raise refuse(
            "precision-too-fine",
            "/precision",
            f"a precision of {precision:g} needs more than {limits.SHOTS} shots of each circuit",
            limit=f"0, or at least {finest:g}",
            hint="ask for a coarser precision, or for exact values with 0",
        )
    return min(limits.SHOTS, math.ceil(1 / precision**2 * (1 - 1e-12)))


def check_mitigable(structure: Structure) -> None:
    """Refuse what measures or resets midway: mitigation knows how a circuit's end is read, and nothing of before."""
    if any(each.name in ("measure", "reset") for each in without_final_measurements(structure).operations):
        raise refuse(
            "mitigation-midway",
            "/mitigation",
            "the program measures or resets a qubit before its end, which cannot be mitigated",
            hint="measure only at the end, or leave `mitigation` out",
        )


def measured_circuits(
    observables: tuple[Observable, ...] | None,
    shots: int | None,
    mitigation: Mitigation | None,
    bounds: Bounds,
    pointer: str = "/observables",
) -> int:
    """Circuits of each parameter set: one for each measurement basis, at every scale of noise.

    Finding the bases takes time quadratic in the terms.

    Raises:
        Refused: if there are too many terms.
    """
    scales = len(mitigation.zne.scale_factors) if mitigation is not None and mitigation.zne is not None else 1
    if observables is None or shots is None:
        return scales
    terms = len({label for observable in observables for label in observable.labels})
    if terms > bounds.max_sampled_terms:
        raise refuse(
            "too-many-terms",
            pointer,
            f"the observables have {terms} different Pauli labels",
            limit=f"at most {bounds.max_sampled_terms} where shots are taken",
            hint="split the observables over several jobs, or ask for exact values with precision 0",
        )
    return scales * len(group(observables).bases)
