"""The committed schemas are today's, valid, closed in themselves, and say of the golden samples that they are right."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

from quire_contracts import generate
from quire_contracts.document import JobDocument
from quire_contracts.golden import DOCUMENTS
from quire_contracts.registry import REGISTRY
from quire_contracts.schema import components, file_name, references

SCHEMAS = generate.HOME / "schemas"
GOLDEN = generate.HOME / "golden"
FILES = sorted(path.name for path in SCHEMAS.glob("*.json") if path.name != "asyncapi.json")


def schema(name: str) -> dict:
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


def test_committed_schemas_are_todays():
    assert generate.differences(SCHEMAS) == []
    assert generate.main(["--check"]) == 0


def test_every_message_has_its_schema():
    assert {file_name(entry) for entry in REGISTRY} | {"job-document.json", "job-result.json"} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_schema_is_valid_and_refers_only_to_itself(name):
    data = schema(name)
    Draft202012Validator.check_schema(data)
    assert data["$id"] == f"https://quire.dev/schemas/{name}"
    assert data["description"]
    assert {ref.removeprefix("#/$defs/") for ref in references(data)} <= data.get("$defs", {}).keys()
    assert '"discriminator"' not in json.dumps(data)


@pytest.mark.parametrize("entry", REGISTRY, ids=lambda entry: entry.name)
def test_golden_samples_are_valid_by_the_schema(entry):
    validator = Draft202012Validator(schema(file_name(entry)), format_checker=Draft202012Validator.FORMAT_CHECKER)
    for sample in json.loads((GOLDEN / file_name(entry)).read_text(encoding="utf-8")):
        validator.validate(sample["body"])


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"shots": 0}, ["shots"]),
        ({"kind": "other"}, []),
        ({"seed": 2**53}, ["seed"]),
        ({"surprise": 1}, []),
        ({"tenant": "Acme"}, ["tenant"]),
        ({"parameters": []}, ["parameters"]),
    ],
)
def test_schema_of_the_document_refuses_what_the_intake_refuses(change, path):
    errors = list(Draft202012Validator(schema("job-document.json")).iter_errors(DOCUMENTS[1] | change))
    assert errors
    inner = [list(each.absolute_path) for error in errors for each in (error, *error.context)]
    assert path in inner


def test_times_and_bytes_say_what_they_are():
    (_,), defs = components([entry.message for entry in REGISTRY if entry.name == "job.completed"])
    assert defs["Execution"]["properties"]["started_at"] == {"type": "string", "format": "date-time"}
    inline = defs["BlobRef"]["properties"]["inline"]["anyOf"][0]
    assert inline["contentEncoding"] == "base64"
    (_,), defs = components([entry.message for entry in REGISTRY if entry.name == "job.accepted"])
    assert {"type": "string", "format": "date-time"} in defs["JobAccepted"]["properties"]["deadline_at"]["anyOf"]


def test_patterns_are_written_as_every_language_reads_them():
    (_,), defs = components([JobDocument])
    assert defs["SampleJob"]["properties"]["tenant"]["pattern"] == "^[a-z0-9-]{1,40}$"
    assert "\\Z" not in "".join(path.read_text(encoding="utf-8") for path in SCHEMAS.glob("*.json"))


def test_tagged_unions_are_one_of():
    data = schema("job-document.json")
    assert [ref["$ref"] for ref in data["oneOf"]] == [
        f"#/$defs/{kind}Job" for kind in ("Sample", "Estimate", "Optimize", "Minimize", "Kernel", "Sweep")
    ]


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_generation_does_not_depend_on_the_hash_seed(tmp_path, seed):
    command = [sys.executable, "-m", "quire_contracts.generate", "--add-golden", "--home", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
    for path in SCHEMAS.glob("*.json"):
        assert (tmp_path / "schemas" / path.name).read_bytes() == path.read_bytes(), path.name


def test_check_names_what_is_stale_missing_and_left_over(tmp_path, capsys):
    folder = tmp_path / "schemas"
    generate.write_schemas(folder)
    (folder / "job-result.json").unlink()
    (folder / "job-document.json").write_text("{}")
    (folder / "job.forgotten.v1.json").write_text("{}")
    assert generate.main(["--check", "--home", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert [line.rsplit("/", 1)[1] for line in told.splitlines()] == [
        "job-document.json",
        "job-result.json",
        "job.forgotten.v1.json",
    ]
    assert generate.main(["--home", str(tmp_path)]) == 0
    assert generate.differences(folder) == []
