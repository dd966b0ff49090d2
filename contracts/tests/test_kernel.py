"""A kernel job is accepted as its author would write it, and every mistake is named with what to do."""

from __future__ import annotations

import json

import pytest

from quire_contracts.intake import DocumentError, encode_document, parse_document
from quire_contracts.kernel import Features, Gram, PauliMap, ProgramMap, ZMap, ZZMap

POINTS = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]
SHORT = {"kind": "kernel", "points": POINTS}
PROGRAM = {"name": "program", "program": "OPENQASM 3.0; input float a; qubit[1] q; rx(a) q[0];"}


def parsed(document):
    return parse_document(json.dumps(document).encode())


def test_points_are_enough():
    job = parsed(SHORT)
    assert (job.others, job.feature_map, job.features, job.shots) == ((), ZZMap(), Features(), None)
    assert parse_document(encode_document(job)) == job


@pytest.mark.parametrize(
    ("asked", "type_"),
    [
        ({"name": "z", "repetitions": 1}, ZMap),
        ({"name": "zz", "entanglement": "circular"}, ZZMap),
        ({"name": "pauli", "paulis": ["Z", "YY", "ZXZ"], "alpha": 1.0}, PauliMap),
        (PROGRAM, ProgramMap),
    ],
)
def test_each_feature_map_is_read(asked, type_):
    assert isinstance(parsed(SHORT | {"feature_map": asked}).feature_map, type_)


WIDE = [[float(column) for column in range(13)] for _ in range(2)]
MANY = [[0.1]] * 202


@pytest.mark.parametrize(
    ("change", "pointer", "limit"),
    [
        ({"points": POINTS[:1]}, "/points", "of length >= 2"),
        ({"points": [*POINTS, [1.0]]}, "/points/3", None),
        ({"others": [[1.0, 2.0]]}, "/others/0", None),
        ({"points": MANY}, "/points", "at most 20000 entries"),
        ({"points": MANY, "others": [[0.1]] * 100}, "/others", "at most 20000 entries"),
        ({"points": WIDE}, "/features", "at most 12 features"),
        ({"features": {"columns": [0, 3]}}, "/features/columns/1", "below 3"),
        ({"features": {"columns": [2, 0, 2]}}, "/features/columns/2", None),
        ({"features": {"columns": [0, 1], "most_varied": 3}}, "/features/most_varied", "at most 2"),
        ({"features": {"scaling": "minmax", "low": 1.0}}, "/features/high", "above 1"),
        ({"features": {"scaling": "log"}}, "/features/scaling", None),
        ({"feature_map": {"name": "pauli", "paulis": ["ZZZZ"]}}, "/feature_map/paulis/0", "at most 3 letters"),
        ({"feature_map": {"name": "pauli", "paulis": ["I"]}}, "/feature_map/paulis/0", "matching regex '^[XYZ]{1,4}$'"),
        ({"feature_map": {"name": "zz", "repetitions": 11}}, "/feature_map/repetitions", "<= 10"),
        ({"feature_map": {"name": "fourier"}}, "/feature_map/name", None),
        ({"others": POINTS[:1], "shots": 100, "enforce_psd": True}, "/enforce_psd", None),
        ({"shots": 0}, "/shots", ">= 1"),
        ({"mitigation": {"zne": {"scale_factors": [1, 3], "extrapolation": "linear"}}}, "/mitigation", None),
    ],
)
def test_a_mistake_is_named_by_field_reason_limit_and_hint(change, pointer, limit):
    with pytest.raises(DocumentError) as caught:
        parsed(SHORT | change)
    (told,) = caught.value.problems
    assert (told.pointer, told.limit) == (pointer, limit)
    assert told.reason
    assert told.hint


def test_many_columns_are_fine_where_few_are_encoded():
    assert parsed(SHORT | {"points": WIDE, "features": {"most_varied": 4}}).features.most_varied == 4
    assert parsed(SHORT | {"points": WIDE, "feature_map": PROGRAM})


def test_a_mistake_in_every_row_is_told_ten_times():
    with pytest.raises(DocumentError) as caught:
        parsed(SHORT | {"others": [[1.0]] * 40})
    assert len(caught.value.problems) == 10


def test_a_symmetric_matrix_has_its_upper_entries_and_another_all():
    assert Gram(rows=60, columns=60, symmetric=True).sets == 1770
    assert Gram(rows=20, columns=60).sets == 1200
