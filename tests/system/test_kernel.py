"""A fidelity kernel of sixty wines through the whole house, beside qiskit-machine-learning's of the same points."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qiskit.circuit.library import zz_feature_map
from qiskit_machine_learning.kernels import FidelityStatevectorKernel
from sklearn.datasets import load_iris, load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from quire import kernels
from quire.errors import InvalidDocumentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire.client import Client
    from quire.embedded import Embedded

    Matrix = NDArray[np.float64]

ROOT = Path(__file__).parents[2]
COLUMNS = [0, 6, 9, 12]
"""Alcohol, flavanoids, colour and proline."""

ENCODED: dict[str, Any] = {"features": {"columns": COLUMNS, "scaling": "minmax"}, "feature_map": {"name": "zz"}}


@pytest.fixture(scope="module")
def wines() -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """Sixty wines to learn from, forty to tell apart, and the cultivar of each."""
    points, cultivars = load_wine(return_X_y=True)
    return tuple(train_test_split(points, cultivars, train_size=60, test_size=40, random_state=7, stratify=cultivars))


def reference(points: Matrix, others: Matrix | None = None) -> Matrix:
    """Features scaled by scikit-learn, fidelities by qiskit-machine-learning."""
    scaler = MinMaxScaler().fit(points[:, COLUMNS])
    kernel = FidelityStatevectorKernel(feature_map=zz_feature_map(len(COLUMNS)))
    encoded = scaler.transform(points[:, COLUMNS])
    return (
        kernel.evaluate(encoded) if others is None else kernel.evaluate(scaler.transform(others[:, COLUMNS]), encoded)
    )


def test_sixty_wines_are_one_fan_out_and_told_apart_as_elsewhere(
    client: Client, wines: tuple[Matrix, Matrix, Matrix, Matrix]
) -> None:
    points, others, known, hidden = wines
    learnt = client.submit(kernels.document(points, **ENCODED)).wait(100)
    told = client.submit(kernels.document(points, others, **ENCODED)).wait(100)
    assert (learnt.state, told.state) == ("completed", "completed"), learnt
    for view, sets in ((learnt, 60 * 59 // 2), (told, 40 * 60)):
        assert len({each.task_id for each in view.executions}) == 1
        assert sum(each.parameter_sets for each in view.executions) == sets
    (square, errors), (oblong, _) = kernels.matrix(learnt), kernels.matrix(told)
    theirs, theirs_of_others = reference(points), reference(points, others)
    assert np.abs(square - theirs).max() < 1e-9
    assert np.abs(oblong - theirs_of_others).max() < 1e-9
    assert errors is None
    assert learnt.result.smallest_eigenvalue == pytest.approx(np.linalg.eigvalsh(theirs)[0], abs=1e-9)
    mine = SVC(kernel="precomputed").fit(square, known)
    own = SVC(kernel="precomputed").fit(theirs, known)
    assert mine.score(oblong, hidden) == own.score(theirs_of_others, hidden) > 0.8
    assert mine.predict(oblong).tolist() == own.predict(theirs_of_others).tolist()


def test_scikit_learn_takes_the_kernel_as_it_is(client: Client, wines: tuple[Matrix, Matrix, Matrix, Matrix]) -> None:
    points, others, known, hidden = wines
    machine = SVC(kernel=kernels.QuantumKernel(client, timeout=100, **ENCODED)).fit(points[:20], known[:20])
    own = SVC(kernel="precomputed").fit(reference(points[:20]), known[:20])
    assert machine.score(others[:10], hidden[:10]) == own.score(reference(points[:20], others[:10]), hidden[:10])


@pytest.mark.parametrize("target", ["simulation", "qiskit:aer", "braket:local"])
def test_every_plane_gives_the_same_matrix(
    client: Client, wines: tuple[Matrix, Matrix, Matrix, Matrix], target: str
) -> None:
    points = wines[0][:6]
    view = client.submit(kernels.document(points, targets=[target], **ENCODED)).wait(100)
    assert view.state == "completed", view
    assert {each.target for each in view.executions} == {target}
    assert np.abs(kernels.matrix(view)[0] - reference(points)).max() < 1e-9


@pytest.mark.parametrize("target", ["simulation", "braket:local"])
def test_shots_give_shares_with_their_errors(
    client: Client, wines: tuple[Matrix, Matrix, Matrix, Matrix], target: str
) -> None:
    points = wines[0][:8]
    asked = {"shots": 500, "seed": 3, "targets": [target], "enforce_psd": target == "simulation", **ENCODED}
    views = [client.submit(kernels.document(points, **asked)).wait(100) for _ in range(2)]
    assert [view.state for view in views] == ["completed"] * 2, views[0]
    (matrix, errors), (again, _) = map(kernels.matrix, views)
    assert matrix.tolist() == again.tolist(), "the same seed gives the same"
    above = np.triu_indices(8, 1)
    assert errors is not None
    assert np.all(errors[above] >= 1 / 500)
    assert views[0].shots == 28 * 500
    result = views[0].result
    if target == "simulation":
        assert np.linalg.eigvalsh(matrix)[0] > -1e-9
        assert result.psd_enforced == (result.smallest_eigenvalue < 0)
    if not result.psd_enforced:
        assert np.all(np.abs(matrix - reference(points))[above] < 6 * errors[above])
        assert np.diag(matrix).tolist() == [1.0] * 8


def test_too_many_points_are_refused_with_the_limit(client: Client) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        client.submit(kernels.document([[0.1]] * 202))
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.limit) == ("/points", "at most 20000 entries")
    assert problem.hint


def test_a_person_reads_the_matrix_and_a_program_all_of_it(quire: Embedded) -> None:
    run = [sys.executable, "-m", "quire", "run", "--url", quire.http, "examples/kernel.json"]
    person = subprocess.run(run, capture_output=True, check=True, cwd=ROOT, timeout=110, text=True).stdout
    assert "kernel, 12 x 12, symmetric" in person
    assert "smallest eigenvalue" in person
    program = subprocess.run([*run, "--json"], capture_output=True, check=True, cwd=ROOT, timeout=110).stdout
    result = json.loads(program)["result"]
    assert len(result["matrix"]) == len(result["matrix"][0]) == 12
    within = [result["matrix"][i][j] for i in range(12) for j in range(i) if (i < 6) == (j < 6)]
    across = [result["matrix"][i][j] for i in range(6) for j in range(6, 12)]
    assert sum(within) / len(within) == pytest.approx(0.26, abs=0.005), "flowers of one kind are alike"
    assert sum(across) / len(across) == pytest.approx(0.06, abs=0.005)
    assert result["smallest_eigenvalue"] == pytest.approx(0.0332, abs=0.0001)


def test_the_example_is_of_scikit_learns_irises(examples: dict[str, dict[str, Any]]) -> None:
    points = load_iris().data[[*range(6), *range(50, 56)]]
    assert examples["kernel.json"]["points"] == points.tolist()
