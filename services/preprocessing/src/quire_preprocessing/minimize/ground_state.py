"""The classical answer to a minimisation: the ground energy where the matrix can be held, else a product state's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_contracts.preparation import Baseline, Tried
from quire_preprocessing.draws import uniform
from quire_preprocessing.minimize.pauli_matrix import elements, sparse_rows
from quire_preprocessing.minimize.product_states import least_product

if TYPE_CHECKING:
    from quire_contracts.value import Observable

DENSE: Final = 256
"""Rows of a matrix up to which all eigenvalues are worked out at once: 10 ms, and no library to be loaded."""

ELEMENTS: Final = 4_000_000
"""Of a matrix that is held: 100 MB, and a second for each hundred products with a vector."""

_RESTARTS: Final = 100
"""Of Lanczos' method, each about twenty products with a vector."""

_RESIDUAL: Final = 1e-8
"""By how much an eigenvector may miss, relative to the sum of the absolute coefficients; its value misses by less."""

FLOOR: Final = "sum of absolute coefficients"


def reference(observable: Observable, exact_qubits: int) -> Baseline:
    """The reference of a Hamiltonian, in its units; blocking, so run it in a thread.

    Up to `exact_qubits` qubits and `ELEMENTS` matrix elements it is the ground energy, to twelve digits: all
    eigenvalues of a small matrix (LAPACK, through numpy's eigvalsh), the least one of a large and sparse one by
    Lanczos' method (ARPACK, through SciPy's eigsh). Beyond that, or where Lanczos' method does not converge, it is the
    energy of the best product state found, with the least that any eigenvalue can be as its bound. It depends on the
    Hamiltonian alone.
    """
    tried: tuple[Tried, ...] = ()
    if len(observable.labels[0]) <= exact_qubits and elements(observable) <= ELEMENTS:
        rows = 1 << len(observable.labels[0])
        method = "exact diagonalisation (eigvalsh)" if rows <= DENSE else "sparse diagonalisation (eigsh)"
        ground = _dense(observable) if rows <= DENSE else _sparse(observable)
        if ground is not None:
            value = _rounded(ground)
            return Baseline(
                method=method,
                value=value,
                assignment=(),
                exact=True,
                bound=value,
                bound_method=method,
                gap=0.0,
                tried=(Tried(method=method, value=value, feasible=True, exact=True),),
            )
        tried = (Tried(method=method, note=f"no convergence in {_RESTARTS} restarts"),)
    found = least_product(observable)
    value, floor = _rounded(found.energy), _rounded(_floor(observable))
    product = Tried(
        method="product state", value=value, feasible=True, runs=found.runs, hits=found.hits, tuning=found.tuning
    )
    return Baseline(
        method=product.method,
        value=value,
        assignment=(),
        exact=False,
        bound=floor,
        bound_method=FLOOR,
        gap=abs(value - floor) / max(1.0, abs(floor)),
        tried=(*tried, product),
    )


def _dense(observable: Observable) -> float:
    values, columns = sparse_rows(observable)
    matrix = np.zeros((len(values), len(values)), values.dtype)
    np.put_along_axis(matrix, columns.astype(np.int64), values, axis=1)
    return float(np.linalg.eigvalsh(matrix)[0])


def _sparse(observable: Observable) -> float | None:
    """The least eigenvalue; None where it is not found."""
    # Imported here: few jobs need it, and it weighs 40 MB.
    from scipy.sparse import csr_array  # noqa: PLC0415
    from scipy.sparse.linalg import ArpackError, eigsh  # noqa: PLC0415

    values, columns = sparse_rows(observable)
    rows, width = values.shape
    ends = np.arange(rows + 1, dtype=np.int32) * width
    matrix = csr_array((values.ravel(), columns.ravel(), ends), shape=(rows, rows))
    start = uniform(0, "lanczos", 1, rows)[0] - 0.5
    try:
        energies, vectors = eigsh(matrix, k=1, which="SA", v0=start.astype(values.dtype), maxiter=_RESTARTS)
    except ArpackError:  # of which ArpackNoConvergence is one
        return None
    vector = vectors[:, 0]
    miss = float(np.linalg.norm(matrix @ vector - energies[0] * vector))
    size = math.fsum(map(abs, observable.coefficients))
    return float(energies[0]) if miss <= _RESIDUAL * size else None


def _floor(observable: Observable) -> float:
    """No label's expectation is beyond 1 either way, and the identity's is 1."""
    terms = zip(observable.labels, observable.coefficients, strict=True)
    return math.fsum(-abs(factor) if label.strip("I") else factor for label, factor in terms)


def _rounded(value: float) -> float:
    """Twelve digits: what lies behind them differs with the machine's linear algebra, and preparations must not."""
    return float(f"{value:.12g}")
