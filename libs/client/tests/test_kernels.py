"""Kernels from Python: what is submitted, and the matrices that come back as numbers."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from fake_quire import Answer
from rich.console import Console

from quire import kernels
from quire.answer import JobView
from quire.client import Client
from quire.errors import ServerError
from quire.gram_table import gram_table
from quire_contracts.intake import parse_document
from quire_contracts.result import EstimateResult, KernelResult

POINTS = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])


def done(**result):
    whole = {"job_id": "j1", "tenant": "default", "state": "completed", "kind": "kernel"}
    return whole | {"result": {"kind": "kernel", **result}, "links": {"self": "", "events": ""}}


def test_a_document_is_what_the_contract_takes():
    job = parse_document(json.dumps(kernels.document(POINTS, POINTS[:1] + 1, shots=100)).encode())
    assert job.points == tuple(map(tuple, POINTS.tolist()))
    assert job.others == ((1.1, 1.2),)
    assert job.shots == 100
    assert "others" not in kernels.document(POINTS)


def test_a_matrix_comes_as_numbers():
    view = JobView("j", "default", "completed", result=KernelResult(((1.0, 0.5),), ((0.0, 0.1),)))
    matrix, errors = kernels.matrix(view)
    assert (matrix.dtype, matrix.tolist(), errors.tolist()) == (np.float64, [[1.0, 0.5]], [[0.0, 0.1]])
    assert kernels.matrix(JobView("j", "default", "completed", result=KernelResult(((1.0,),))))[1] is None
    with pytest.raises(ServerError, match="no kernel matrix"):
        kernels.matrix(JobView("j", "default", "completed", result=EstimateResult(((1.0,),), ((0.0,),))))


@pytest.mark.parametrize("y", [None, POINTS.copy()])
def test_scikit_learns_points_alone_are_one_symmetric_job(fake, y):
    fake.say("POST", "/v1/jobs", Answer(202, {"job_id": "j1", "tenant": "default"}))
    fake.say("GET", "/v1/jobs/j1", Answer(body=done(matrix=np.eye(3).tolist(), symmetric=True)))
    with Client(fake.url) as client:
        found = kernels.QuantumKernel(client, shots=50, enforce_psd=True)(POINTS, y)
    assert found.tolist() == np.eye(3).tolist()
    (asked,) = fake.of("POST", "/v1/jobs")
    assert json.loads(asked.body) == {"kind": "kernel", "points": POINTS.tolist(), "shots": 50, "enforce_psd": True}


def test_new_points_are_rows_and_those_learnt_from_are_columns(fake):
    fake.say("POST", "/v1/jobs", Answer(202, {"job_id": "j1", "tenant": "default"}))
    fake.say("GET", "/v1/jobs/j1", Answer(body=done(matrix=[[0.1, 0.2, 0.3]])))
    with Client(fake.url) as client:
        found = kernels.QuantumKernel(client, enforce_psd=True).evaluate(POINTS[:1] + 1, POINTS)
    assert found.shape == (1, 3)
    (asked,) = fake.of("POST", "/v1/jobs")
    assert json.loads(asked.body) == {"kind": "kernel", "points": POINTS.tolist(), "others": [[1.1, 1.2]]}


def printed(result):
    console = Console(file=io.StringIO(), width=200)
    console.print(gram_table(result))
    return console.file.getvalue()


def test_a_person_sees_a_corner_of_a_large_matrix_and_what_was_done_to_it():
    text = printed(KernelResult(((0.25,) * 20,) * 20, ((0.01,) * 20,) * 20, True, -0.02, True))
    assert "kernel, 20 x 20, symmetric" in text
    assert text.count("0.2500 ± 0.0100") == 12 * 8
    assert "the first 12 x 8 entries" in text
    assert "smallest eigenvalue -0.02" in text
    assert "raised to 0" in text
    assert "±" not in printed(KernelResult(((1.0, 0.5),)))
