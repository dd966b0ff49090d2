"""A kernel job as one structure and a parameter set for each pair of its points."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quire_contracts import limits
from quire_contracts.document import KernelJob
from quire_contracts.kernel import Gram, ProgramMap
from quire_preprocessing.circuits import mitigation_of, unmeasured
from quire_preprocessing.draft import Bounds, Draft
from quire_preprocessing.feasibility import estimate
from quire_preprocessing.kernel.feature_maps import encoding
from quire_preprocessing.kernel.features import Fitted, fit
from quire_preprocessing.refusal import Refused, refuse
from quire_quantum.lift import Program
from quire_quantum.overlap import all_zeros, overlap
from quire_quantum.rejection import ProgramRejected
from quire_quantum.structure import Structure, StructureError

Array = NDArray[np.float64]

FINAL_MEASUREMENTS: Final = "The feature map's final measurements are left out: the kernel measures every qubit."


def kernel_of(document: KernelJob, program: Program | None, bounds: Bounds) -> Draft:
    """What the document asks for: the circuit of two points, and the angles of every pair that its matrix needs.

    The entry of row i and column j is the chance that all qubits read 0 after U(column j) and the inverse of U(row i).
    Rows are the `others`, or the `points` where there are none; columns are the `points`, which alone say how features
    are chosen and scaled. A symmetric matrix has the pairs above its diagonal, row by row.

    Args:
        document: a job that the intake has accepted.
        program: that of its feature map, where it names one.
        bounds: what is refused because of its size.

    Raises:
        Refused: a program that is no feature map of these points, numbers too large, or too many angles or shots.
    """
    points = np.array(document.points, np.float64)
    fitted = fit(points, document.features)
    features = _finite(fitted.encode(points), "/points", "a feature is too large to be scaled")
    others = _others(document, fitted)
    if program is None:
        structure, columns, rows, notes = _of_named_map(document, features, others)
    else:
        structure, columns, rows, notes = _of_program(program, features, others)
    gram = Gram(rows=len(rows), columns=len(columns), symmetric=not document.others, enforce_psd=document.enforce_psd)
    both = _joined(structure)
    if gram.sets * both.num_parameters > bounds.max_angles:
        raise refuse(
            "too-many-angles",
            "/points",
            f"{gram.sets} entries x {both.num_parameters} angles are too many for one job",
            limit=f"at most {bounds.max_angles} angles",
            hint="take fewer points, or a feature map with fewer angles",
        )
    mitigation = mitigation_of(document)
    circuits = len(mitigation.zne.scale_factors) if mitigation is not None and mitigation.zne is not None else 1
    total = _total_shots(document, gram.sets * circuits, bounds)
    return Draft(
        structure=both,
        parameters=_pairs(rows, columns, gram),
        observables=(all_zeros(both.num_qubits),),
        shots=document.shots,
        estimate=estimate(both, gram.sets, total),
        circuits=circuits,
        mitigation=mitigation,
        kernel=gram,
        notes=(*_described(document, fitted), *notes),
    )


def _others(document: KernelJob, fitted: Fitted) -> Array | None:
    if not document.others:
        return None
    encoded = fitted.encode(np.array(document.others, np.float64))
    return _finite(encoded, "/others", "a feature is too large to be scaled")


def _of_named_map(
    document: KernelJob, features: Array, others: Array | None
) -> tuple[Structure, Array, Array, tuple[str, ...]]:
    """The map's structure, its angles for the columns and for the rows, and what to note."""
    if isinstance(document.feature_map, ProgramMap):
        raise TypeError("a feature map by program needs its program")
    made = encoding(document.feature_map, features.shape[1])
    reason = "the angles of a point are too large to be numbers"
    columns = _finite(made.angles(features), "/points", reason)
    rows = columns if others is None else _finite(made.angles(others), "/others", reason)
    return made.structure, columns, rows, ()


def _of_program(
    program: Program, features: Array, others: Array | None
) -> tuple[Structure, Array, Array, tuple[str, ...]]:
    """As `_of_named_map`."""
    inputs, encoded = len(program.angles.inputs), features.shape[1]
    if inputs != encoded:
        raise refuse(
            "features-shape",
            "/feature_map/program",
            f"the program declares {inputs} inputs, and {encoded} features are encoded",
            limit=f"exactly {encoded} inputs",
            hint="declare one `input float` for each feature, or choose as many features as there are inputs",
        )
    qubits = program.structure.num_qubits
    if qubits > limits.KERNEL_QUBITS:
        raise refuse(
            "kernel-too-wide",
            "/feature_map/program",
            f"the program has {qubits} qubits",
            limit=f"at most {limits.KERNEL_QUBITS} qubits",
            hint="encode fewer features, or several of them on each qubit",
        )
    try:
        structure, ignored = unmeasured(program.structure, exact=True)
    except Refused as refused:
        first = refused.problems[0]
        hint = "a feature map is undone again: measure nothing, or only at the end, and reset nothing"
        raise refuse(refused.code, "/feature_map/program", first.reason, hint=hint) from None
    columns = _evaluated(program, features, "/points")
    rows = columns if others is None else _evaluated(program, others, "/others")
    return structure, columns, rows, (FINAL_MEASUREMENTS,) if ignored else ()


def _evaluated(program: Program, features: Array, pointer: str) -> Array:
    try:
        return program.angles.evaluate(features)
    except ProgramRejected as rejection:
        raise Refused(rejection.code, rejection.problem(pointer)) from None


def _joined(structure: Structure) -> Structure:
    try:
        return overlap(structure)
    except StructureError as error:
        raise refuse(
            "kernel-too-long",
            "/feature_map",
            f"the map and its inverse cannot be one circuit: {error}",
            hint="shorten it",
        ) from None


def _pairs(rows: Array, columns: Array, gram: Gram) -> Array:
    """The angles of every pair, float64 [gram.sets, 2 x angles of a point]: the column's point, then the row's."""
    if gram.symmetric:
        row, column = np.triu_indices(gram.rows, 1)
    else:
        row, column = np.divmod(np.arange(gram.sets), gram.columns)
    return np.hstack([columns[column], rows[row]])


def _finite(numbers: Array, pointer: str, reason: str) -> Array:
    wrong = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(wrong):
        hint = "give numbers of a usual size, or scale the features"
        raise refuse("feature-not-finite", f"{pointer}/{wrong[0]}", reason, hint=hint)
    return numbers


def _total_shots(document: KernelJob, circuits: int, bounds: Bounds) -> int | None:
    if document.shots is None:
        return None
    total = circuits * document.shots
    if total > bounds.max_total_shots:
        raise refuse(
            "too-many-shots",
            "/shots",
            f"{circuits} circuits x {document.shots} shots are {total} shots",
            limit=f"at most {bounds.max_total_shots} shots in one job",
            hint="ask for fewer shots or points, or for exact values without `shots`",
        )
    return total


def _described(document: KernelJob, fitted: Fitted) -> tuple[str, ...]:
    """Which features are encoded how, where that is not all of them as they came."""
    asked, width = document.features, len(document.points[0])
    if asked.scaling == "none" and fitted.columns == tuple(range(width)):
        return ()
    scaled = {"minmax": f", scaled to [{asked.low:g}, {asked.high:g}]", "standard": ", standardised", "none": ""}
    named = ", ".join(map(str, fitted.columns))
    return (f"Encoded features, by column: {named} of {width}{scaled[asked.scaling]}, as the points say.",)
