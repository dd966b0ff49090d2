"""Answers to judge: small ones that are right, for tests to spoil."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from quire_aggregation.evidence import Evidence, Piece
from quire_aggregation.question import Question
from quire_contracts.task import Scoring
from quire_contracts.value import BlobRef, CountsTable, Matrix, Observable
from quire_quantum.counts import PackedCounts, pack
from quire_quantum.observables import group


def make_blob(data: bytes, media_type: str = "application/octet-stream") -> BlobRef:
    return BlobRef(hashlib.sha256(data).hexdigest(), len(data), media_type, data)


def counts_piece(first: int, counts: PackedCounts, groups: int = 1, **changes) -> Piece:
    data = counts.to_bytes()
    header = {"rows": counts.rows, "groups": groups, "bits": counts.bits, "data": make_blob(data)} | changes
    return Piece(first, counts.rows // groups, CountsTable(**header), None, data)


def values_piece(first: int, values: np.ndarray, **changes) -> Piece:
    data = values.astype("<f8").tobytes()
    header = {"rows": values.shape[0], "columns": values.shape[1], "data": make_blob(data)} | changes
    return Piece(first, len(values), None, Matrix(**header), data)


@pytest.fixture(scope="session")
def blob():
    """`blob(data, media_type)`: a reference that carries its content."""
    return make_blob


@pytest.fixture(scope="session")
def counted():
    """`counted(first, counts, groups=1, **header)`: a slice that was sampled."""
    return counts_piece


@pytest.fixture
def valued():
    """`valued(first, values, **header)`: a slice that was worked out exactly."""
    return values_piece


@pytest.fixture
def sampling() -> Evidence:
    """Two parameter sets, 100 shots each, two bits."""
    counts = pack([{"00": 60, "11": 40}, {"01": 100}], bits=2)
    return Evidence(Question(bits=2, shots=100), 2, (counts_piece(0, counts),))


@pytest.fixture
def exact() -> Evidence:
    """Three parameter sets, two observables whose values are within 1.5 and 2."""
    observables = (Observable(("IZ", "ZZ"), (1.0, -0.5)), Observable(("XX",), (2.0,)))
    question = Question(bits=2, shots=None, observables=observables, grouping=group(observables))
    return Evidence(question, 3, (values_piece(0, np.array([[1.5, -2.0], [0.0, 0.1], [-1.5, 2.0]])),))


@pytest.fixture
def cut_problem() -> Evidence:
    """MaxCut on a path of three nodes: H = (Z0 Z1 + Z1 Z2 - 2) / 2, objective -H, at most 2, at least 0."""
    observables = (Observable(("III", "IZZ", "ZZI"), (-1.0, 0.5, 0.5)),)
    question = Question(bits=3, shots=100, observables=observables, grouping=group(observables))
    counts = pack([{"010": 30, "000": 50, "001": 20}, {"101": 10, "111": 90}], bits=3)
    scoring = Scoring(scale=-1, reference=2.0, reference_exact=True, worst=0.0)
    return Evidence(question, 2, (counts_piece(0, counts),), scoring)
