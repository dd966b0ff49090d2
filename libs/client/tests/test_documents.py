"""A document from an object, a file or a pipe, in JSON or YAML, is the same document."""

import json

import msgspec
import pytest

from quire.documents import as_json, checked, read
from quire.errors import InvalidDocumentError
from quire_contracts.document import OptimizeJob
from quire_contracts.problems import MaxCut


def test_json_is_taken_byte_for_byte(tmp_path):
    path = tmp_path / "job.json"
    path.write_bytes(b'{ "kind" : "sample" }')
    assert read(str(path)) == b'{ "kind" : "sample" }' == as_json(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-2.5E+2", -250.0),
        (".5", 0.5),
        ("1_0", 10),
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_yaml_means_what_its_writer_means(tmp_path, text, value):
    path = tmp_path / "job.yaml"
    path.write_text(f"x: {text}\n")
    assert json.loads(read(str(path))) == {"x": value}


@pytest.mark.parametrize(
    "text", ["a: &x [1, 2]\nb: *x\n", "a: !!python/object/apply:os.getcwd []\n", "a: [1\n", "? [1, 2]\n: 3\n", "\x00"]
)
def test_yaml_that_is_more_than_data_is_refused(tmp_path, text):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(InvalidDocumentError) as caught:
        read(str(path))
    assert "neither JSON nor YAML" in caught.value.problems[0].reason


def test_a_missing_file_is_an_invalid_document():
    with pytest.raises(InvalidDocumentError) as caught:
        read("/nowhere/job.json")
    assert "No such file" in caught.value.problems[0].reason


def test_a_contract_value_is_a_document():
    document = OptimizeJob(problem=MaxCut(edges=((0, 1, 1.0),)))
    assert checked(as_json(document)) == document


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(InvalidDocumentError):
        as_json({"kind": "sample", "program": object()})


def test_every_problem_is_found_at_home():
    body = msgspec.json.encode({"kind": "sample", "program": "x", "parameters": [[1], [1, 2], []]})
    with pytest.raises(InvalidDocumentError) as caught:
        checked(body)
    assert [problem.pointer for problem in caught.value.problems] == ["/parameters/1", "/parameters/2"]
