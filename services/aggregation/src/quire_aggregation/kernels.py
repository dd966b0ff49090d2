"""A kernel's matrix from the values of its circuits, and what it must satisfy."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quire_contracts.kernel import Gram
from quire_contracts.result import KernelResult

Array = NDArray[np.float64]

_ANGLES: Final = 10.0
"""By rounding near a fidelity of 1 an angle is off by the root of what the fidelity is off by, a few times over."""


def contradiction(values: Array, gram: Gram, *, rounding: float | None, bounded: bool) -> str | None:
    """Why the values are not those of a kernel; None where they may be.

    A fidelity is between 0 and 1. Exact fidelities of pure states are a positive semidefinite matrix, and the angles
    arccos(sqrt(fidelity)) between any three states obey the triangle inequality (Nielsen, Chuang, section 9.2.2).

    Args:
        values: float64 [parameter sets], as `gram` lays them out.
        gram: the matrix that was asked for.
        rounding: up to which exact values may be off; None for those that shots or noise have changed.
        bounded: whether they are shares of shots or exact: what errors were taken out of may lie beyond what can be.
    """
    if len(values) != gram.sets:
        return f"{len(values)} values for a matrix with {gram.sets} entries to be run"
    slack = rounding or 0.0
    if bounded and len(wrong := np.flatnonzero((values < -slack) | (values > 1 + slack))):
        return f"the fidelity of pair {wrong[0]} is {values[wrong[0]]:g}, it can be 0 to 1"
    if rounding is None or not gram.symmetric:
        return None
    matrix = laid_out(np.clip(values, 0.0, 1.0), gram)
    least = float(np.linalg.eigvalsh(matrix)[0])
    if least < -rounding * len(matrix):
        return f"the matrix has an eigenvalue of {least:.3g}, those of exact fidelities are not below 0"
    return _crooked(np.arccos(np.sqrt(matrix)), _ANGLES * float(np.sqrt(rounding)))


def kernel_result(values: Array, errors: Array, gram: Gram, *, shots: int | None, bounded: bool) -> KernelResult:
    """The matrix as its user reads it.

    Values within rounding of 0 and 1 are brought there. Where all shots of an entry agree, which leaves no spread to
    estimate an error from, its standard error is 1 / shots.

    Args:
        values: float64 [parameter sets], as `gram` lays them out.
        errors: their standard errors.
        gram: the matrix that was asked for.
        shots: of each entry; None for exact ones, whose errors are left out.
        bounded: as in `contradiction`.
    """
    matrix = laid_out(np.clip(values, 0.0, 1.0) if bounded else values, gram)
    told = None
    if shots is not None:
        told = laid_out(np.where(errors > 0, errors, 1 / shots), gram, diagonal=0.0)
    if not gram.symmetric:
        return KernelResult(_rows(matrix), None if told is None else _rows(told))
    eigenvalues, vectors = np.linalg.eigh(matrix)
    least = float(eigenvalues[0])
    enforced = gram.enforce_psd and least < 0
    if enforced:
        matrix = (vectors * np.maximum(eigenvalues, 0.0)) @ vectors.T
        matrix = (matrix + matrix.T) / 2
    return KernelResult(
        _rows(matrix),
        None if told is None else _rows(told),
        symmetric=True,
        smallest_eigenvalue=least,
        psd_enforced=enforced,
    )


def laid_out(values: Array, gram: Gram, diagonal: float = 1.0) -> Array:
    """The matrix that the values fill, float64 [rows, columns]."""
    if not gram.symmetric:
        return values.reshape(gram.rows, gram.columns)
    matrix = np.diag(np.full(gram.rows, diagonal))
    above = np.triu_indices(gram.rows, 1)
    matrix[above] = values
    matrix.T[above] = values
    return matrix


def _crooked(angles: Array, slack: float) -> str | None:
    """Three states of which two are further apart than their ways to the third one together."""
    for via in range(len(angles)):
        over = angles - (angles[:, via : via + 1] + angles[via : via + 1, :])
        if float(over.max()) > slack:
            i, j = np.unravel_index(int(over.argmax()), over.shape)
            return f"points {i} and {j} are further apart than their ways to point {via} together"
    return None


def _rows(matrix: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))
