"""Fidelity kernels for scikit-learn: matrices of numbers out of Quire, with numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quire_contracts.result import KernelResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from quire.answer import JobView
    from quire.client import Client

    Matrix = NDArray[np.float64]


def document(points: ArrayLike, others: ArrayLike | None = None, **fields: Any) -> dict[str, Any]:
    """The job document of a kernel matrix; `fields` are more of its fields, such as `feature_map` or `shots`.

    points: [points, features]: columns of the matrix, and its rows too where there are no others.
    others: [points, features]: rows of the matrix, encoded as the points are.
    """
    found = {"kind": "kernel", "points": _listed(points), **fields}
    return found if others is None else found | {"others": _listed(others)}


def matrix(view: JobView) -> tuple[Matrix, Matrix | None]:
    """A kernel job's matrix and the standard errors of its entries, float64 [rows, columns]; None where it is exact.

    Raises:
        ServerError: for a job of another kind, or without an answer.
    """
    import numpy as np

    from quire.errors import ServerError

    result = view.result
    if not isinstance(result, KernelResult):
        raise ServerError(f"job {view.job_id} ({view.kind or 'of unknown kind'}, {view.state}) has no kernel matrix")
    errors = None if result.std_errors is None else np.array(result.std_errors, np.float64)
    return np.array(result.matrix, np.float64), errors


class QuantumKernel:
    """A kernel as scikit-learn takes it: ``SVC(kernel=QuantumKernel(client))``. Each matrix is one job.

    client: where the jobs go.
    timeout: seconds to wait for each; None waits for ever.
    fields: of each job's document, such as `feature_map`, `features`, `shots` or `targets`.
    """

    def __init__(self, client: Client, *, timeout: float | None = None, **fields: Any) -> None:
        self._client = client
        self._timeout = timeout
        self._fields = fields

    def __call__(self, x: ArrayLike, y: ArrayLike | None = None) -> Matrix:
        """As `evaluate`."""
        return self.evaluate(x, y)

    def evaluate(self, x: ArrayLike, y: ArrayLike | None = None) -> Matrix:
        """The matrix float64 [len(x), len(y)]; without `y`, or with the same points, the symmetric one of `x`.

        `y` are the points that say how features are chosen and scaled: those that a model is trained with, as
        scikit-learn has it.

        Raises:
            InvalidDocumentError, CannotConnectError: as `Client.submit`.
            JobFailedError, JobCancelledError, JobRejectedError, StillRunningError: as `Job.result`.
        """
        import numpy as np

        alone = y is None or np.array_equal(np.asarray(x), np.asarray(y))
        fields = self._fields
        if not alone:  # eigenvalues are those of a symmetric matrix
            fields = {name: value for name, value in fields.items() if name != "enforce_psd"}
        asked = document(x, **fields) if y is None or alone else document(y, x, **fields)
        return matrix(self._client.submit(asked).result(self._timeout))[0]


def _listed(points: ArrayLike) -> list[list[float]]:
    import numpy as np

    found: list[list[float]] = np.asarray(points, np.float64).tolist()
    return found
