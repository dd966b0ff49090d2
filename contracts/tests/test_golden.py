"""What was once on the wire is still read, and what is written still has all of it."""

from __future__ import annotations

import json
import uuid

import msgspec
import pytest

from quire_contracts import generate
from quire_contracts.golden import DOCUMENTS, samples
from quire_contracts.intake import SHARED_TENANT, content_sha256, encode_document, parse_document
from quire_contracts.registry import REGISTRY, entry_named
from quire_contracts.schema import file_name

GOLDEN = generate.HOME / "golden"
SENT = [entry for entry in REGISTRY if not entry.raw]
OPEN = {"transpiler", "mitigation", "provider_metadata", "tags", "counts[]", "method_seconds"}
"""Fields that map any text to something."""


def read(entry) -> list[dict]:
    return json.loads((GOLDEN / file_name(entry)).read_text(encoding="utf-8"))


def covers(now, then) -> bool:
    """Whether everything that was written then is written now with the same value; more fields may be there."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(key in now and covers(now[key], value) for key, value in then.items())
    if isinstance(then, list):
        return isinstance(now, list) and len(now) == len(then) and all(map(covers, now, then))
    return now == then


def test_every_message_has_golden_samples():
    assert {path.name for path in GOLDEN.glob("*.json")} == {file_name(entry) for entry in REGISTRY} | {generate.SHAPES}


@pytest.mark.parametrize("entry", SENT, ids=lambda entry: entry.name)
def test_golden_samples_are_read_and_written_without_loss(entry):
    for sample in read(entry):
        message = msgspec.json.decode(json.dumps(sample["body"]), type=entry.message)
        written = msgspec.json.encode(message)
        assert covers(json.loads(written), sample["body"]), sample["name"]
        assert msgspec.json.decode(written, type=entry.message) == message
        packed = msgspec.msgpack.encode(message)
        assert msgspec.msgpack.decode(packed, type=entry.message) == message


def test_golden_submissions_are_accepted():
    (entry,) = [entry for entry in REGISTRY if entry.raw]
    for sample in read(entry):
        document = parse_document(json.dumps(sample["body"]).encode())
        assert covers(json.loads(encode_document(document)), sample["body"])
        assert parse_document(encode_document(document)) == document


@pytest.mark.parametrize("entry", REGISTRY, ids=lambda entry: entry.name)
def test_golden_envelopes_are_the_registrys(entry):
    for sample in read(entry):
        headers = sample["headers"]
        assert entry_named(headers["ce-type"]) is entry
        assert uuid.UUID(headers["ce-id"]).version == 5
        assert headers.get("Nats-Msg-Id", headers["ce-id"]) == headers["ce-id"]
        _, domain, tenant, noun, verb, version, key = sample["subject"].split(".")
        assert (domain, f"{noun}.{verb}", version) == (entry.domain, entry.name, "v1")
        assert (tenant == SHARED_TENANT) == (entry.tenant is None)
        if not entry.raw:
            message = msgspec.json.decode(json.dumps(sample["body"]), type=entry.message)
            assert (entry.tenant_of(message), entry.key_of(message)) == (tenant, key)


def widened(value, name: str = ""):
    """The value with a field more in each of its objects, but for those that are `OPEN`."""
    if isinstance(value, list):
        return [widened(item, f"{name}[]") for item in value]
    if not isinstance(value, dict) or name in OPEN:
        return value
    return {key: widened(item, key) for key, item in value.items()} | {"from_the_future": {"a": [1]}}


@pytest.mark.parametrize("entry", SENT, ids=lambda entry: entry.name)
def test_a_newer_producers_fields_are_ignored_at_every_depth(entry):
    for sample in read(entry):
        newer = json.dumps(widened(sample["body"]))
        assert newer.count("from_the_future") >= 1
        known = msgspec.json.decode(json.dumps(sample["body"]), type=entry.message)
        assert msgspec.json.decode(newer, type=entry.message) == known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_minimal_and_written_out_documents_are_the_same_content(document):
    short = parse_document(json.dumps(document).encode())
    long = parse_document(encode_document(short))
    spaced = parse_document(json.dumps(dict(reversed(document.items())), indent=7).encode())
    assert content_sha256(short) == content_sha256(long) == content_sha256(spaced)


def test_samples_made_today_are_of_todays_types():
    for entry in SENT:
        made = samples(entry)
        assert made[0]["name"] == "minimal"
        assert len({sample["headers"]["ce-id"] for sample in made}) == len(made)
        for sample in made:
            msgspec.json.decode(json.dumps(sample["body"]), type=entry.message)


def test_every_branch_of_a_result_has_its_sample():
    (completed,) = [entry for entry in SENT if entry.name == "job.completed"]
    kinds = {sample["body"]["result"]["kind"] for sample in read(completed) if sample["body"].get("result")}
    assert kinds == {"sample", "estimate", "optimize"}


def test_adding_golden_samples_edits_none(tmp_path):
    assert set(generate.add_golden(tmp_path)) == {path.name for path in GOLDEN.glob("*.json")}
    frozen = tmp_path / "job.accepted.v1.json"
    frozen.write_text("frozen")
    (tmp_path / "job.failed.v1.json").unlink()
    assert generate.add_golden(tmp_path) == ["job.failed.v1.json"]
    assert frozen.read_text() == "frozen"
    assert generate.add_golden(tmp_path) == []
