"""The AsyncAPI document: its structure, its references, and that it names everybody who says or hears a message."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft7Validator

from quire_contracts import generate
from quire_contracts.asyncapi import asyncapi
from quire_contracts.flow import SENDERS, UPSTREAM, receivers
from quire_contracts.registry import REGISTRY
from quire_contracts.schema import file_name, references
from quire_contracts.topology import CONSUMERS

DOCUMENT = asyncapi()
GOLDEN = generate.HOME / "golden"
REF = {"type": "object", "properties": {"$ref": {"type": "string", "pattern": "^#/"}}, "required": ["$ref"]}

# What AsyncAPI 3.0.0 demands of the objects used here. The whole document was held against the specification's own
# JSON Schema (npm @asyncapi/specs 6.11.1, schemas/3.0.0) when this was written; it is too large to keep here.
STRUCTURE = {
    "type": "object",
    "required": ["asyncapi", "info"],
    "additionalProperties": False,
    "properties": {
        "asyncapi": {"const": "3.0.0"},
        "info": {
            "required": ["title", "version"],
            "additionalProperties": False,
            "properties": {
                "title": {"type": "string"},
                "version": {"type": "string"},
                "description": {"type": "string"},
                "license": {"type": "object", "required": ["name"], "propertyNames": {"enum": ["name", "url"]}},
            },
        },
        "defaultContentType": {"type": "string"},
        "servers": {"additionalProperties": {"required": ["host", "protocol"]}},
        "channels": {
            "additionalProperties": {
                "type": "object",
                "required": ["address", "messages"],
                "additionalProperties": False,
                "patternProperties": {"^x-": {}},
                "properties": {
                    "address": {"type": "string"},
                    "title": {"type": "string"},
                    "summary": {"type": "string"},
                    "messages": {"type": "object", "additionalProperties": REF},
                    "parameters": {"propertyNames": {"pattern": "^[A-Za-z0-9_-]+$"}, "additionalProperties": REF},
                    "bindings": {"const": {"nats": {}}},
                },
            }
        },
        "operations": {
            "additionalProperties": {
                "type": "object",
                "required": ["action", "channel"],
                "additionalProperties": False,
                "patternProperties": {"^x-": {}},
                "properties": {
                    "action": {"enum": ["send", "receive"]},
                    "channel": REF,
                    "title": {"type": "string"},
                    "tags": {"type": "array", "items": {"required": ["name"]}},
                    "messages": {"type": "array", "items": REF},
                    "reply": {"properties": {"address": {"required": ["location"]}, "messages": {"items": REF}}},
                    "bindings": {
                        "properties": {
                            "nats": {
                                "properties": {"queue": {"maxLength": 255}, "bindingVersion": {"const": "0.1.0"}},
                                "additionalProperties": False,
                            }
                        }
                    },
                },
            }
        },
        "components": {
            "additionalProperties": False,
            "properties": {
                "messages": {
                    "propertyNames": {"pattern": r"^[\w\d.\-_]+$"},
                    "additionalProperties": {
                        "required": ["name", "payload"],
                        "properties": {"payload": REF, "traits": {"type": "array", "items": REF}},
                    },
                },
                "messageTraits": {"additionalProperties": {"properties": {"headers": {"type": "object"}}}},
                "parameters": {"additionalProperties": {"propertyNames": {"enum": ["description", "enum", "default"]}}},
                "schemas": {"propertyNames": {"pattern": r"^[\w\d.\-_]+$"}},
            },
        },
    },
}


def follow(pointer: str):
    place = DOCUMENT
    for step in pointer.removeprefix("#/").split("/"):
        place = place[step]
    return place


def payload_validator(name: str) -> Draft7Validator:
    """Of a message's payload, with the schemas where its references look for them."""
    schema = {"components": {"schemas": DOCUMENT["components"]["schemas"]}}
    return Draft7Validator(schema | DOCUMENT["components"]["messages"][name]["payload"])


def test_structure_is_that_of_the_specification():
    Draft7Validator.check_schema(STRUCTURE)
    Draft7Validator(STRUCTURE).validate(DOCUMENT)


def test_every_reference_leads_somewhere():
    found = list(references(DOCUMENT))
    assert len(found) > 200
    for reference in found:
        assert isinstance(follow(reference), dict), reference


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_schemas_are_draft_7(name):
    schema = DOCUMENT["components"]["schemas"][name]
    Draft7Validator.check_schema(schema)
    assert not {"prefixItems", "$defs", "discriminator"} & set(re.findall(r'"([$\w]+)":', json.dumps(schema)))


def test_pairs_of_an_edge_are_checked_in_draft_7_too():
    validator = payload_validator("SubmitJob")
    edge = {"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}}
    validator.validate(edge)
    for wrong in ([0, 1], [0, 1, "w"], [0, 1, 1.0, 2], [-1, 1, 1.0]):
        assert not validator.is_valid({"kind": "optimize", "problem": {"type": "maxcut", "edges": [wrong]}}), wrong


@pytest.mark.parametrize("entry", REGISTRY, ids=lambda entry: entry.name)
def test_golden_samples_are_what_the_document_says(entry):
    channel = DOCUMENT["channels"][f"{entry.name}.v{entry.version}"]
    address = re.escape(channel["address"])
    for parameter in channel["parameters"]:
        address = address.replace(re.escape(f"{{{parameter}}}"), "[A-Za-z0-9_-]+")
    (name,) = channel["messages"]
    headers = Draft7Validator(DOCUMENT["components"]["messageTraits"]["CloudEvent"]["headers"])
    for sample in json.loads((GOLDEN / file_name(entry)).read_text(encoding="utf-8")):
        assert re.fullmatch(address, sample["subject"])
        headers.validate(sample["headers"])
        payload_validator(name).validate(sample["body"])


def test_parameters_are_those_of_the_address():
    for name, channel in DOCUMENT["channels"].items():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel.get("parameters", {})), name


def test_everybody_who_says_or_hears_a_message_is_named():
    operations = DOCUMENT["operations"]
    for entry in REGISTRY:
        channel = f"{entry.name}.v{entry.version}"
        for service in SENDERS[entry.message]:
            assert operations[f"{service}.send.{channel}"]["action"] == "send"
        for consumer in receivers(entry):
            operation = operations[f"{consumer.service}.receive.{channel}"]
            assert operation["bindings"]["nats"]["queue"] == consumer.durable


def test_every_message_is_said_by_somebody_and_heard_by_somebody():
    assert set(SENDERS) == {entry.message for entry in REGISTRY}
    assert [entry.name for entry in REGISTRY if not receivers(entry)] == []
    assert {consumer.durable for entry in REGISTRY for consumer in receivers(entry)} == {
        consumer.durable for consumer in CONSUMERS
    }


def test_an_upstream_team_finds_its_own_operations():
    mine = {name for name in DOCUMENT["operations"] if name.startswith(f"{UPSTREAM}.")}
    assert {"upstream.send.job.submit.v1", "upstream.send.job.cancel.v1", "upstream.receive.job.completed.v1"} <= mine
    assert "upstream.receive.batch.executed.v1" not in mine
