"""The frozen wire samples are what the bus reads and writes: envelope, subject and body."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from quire_bus.codec import Arrived, decode_body, encode_body, open_envelope
from quire_contracts import generate
from quire_contracts.registry import REGISTRY
from quire_contracts.schema import file_name

THEN = datetime(2026, 5, 1, 12, tzinfo=UTC)
SAMPLES = [
    pytest.param(entry, sample, id=f"{entry.name}-{sample['name']}")
    for entry in REGISTRY
    for sample in json.loads((generate.HOME / "golden" / file_name(entry)).read_text(encoding="utf-8"))
]


def arrive(sample: dict, **headers: str) -> Arrived:
    return Arrived(sample["subject"], sample["headers"] | headers, json.dumps(sample["body"]).encode(), THEN)


@pytest.mark.parametrize(("entry", "sample"), SAMPLES)
def test_bus_reads_golden_samples(entry, sample):
    opened = open_envelope(arrive(sample))
    message = decode_body(entry, opened)
    headers, meta = sample["headers"], opened.meta
    assert (meta.id, meta.type, meta.source) == (headers["ce-id"], entry.type, "/quire/golden")
    assert meta.time == THEN
    assert meta.correlation_id == headers.get("ce-correlationid", meta.key)
    assert meta.traceparent == headers.get("traceparent")
    assert entry.subject_for(entry.tenant_of(message), entry.key_of(message)) == sample["subject"]
    body, _ = encode_body(entry, message)
    again = decode_body(entry, open_envelope(Arrived(sample["subject"], headers, body, THEN)))
    assert again == message


@pytest.mark.parametrize(("entry", "sample"), SAMPLES)
def test_bus_reads_them_as_structured_events_too(entry, sample):
    attributes = {name.removeprefix("ce-"): value for name, value in sample["headers"].items() if name[:3] == "ce-"}
    body = json.dumps(attributes | {"data": sample["body"]}).encode()
    structured = Arrived(sample["subject"], {"content-type": "application/cloudevents+json"}, body, THEN)
    one, other = open_envelope(structured), open_envelope(arrive(sample))
    assert (one.meta.id, one.meta.correlation_id, one.meta.time) == (
        other.meta.id,
        other.meta.correlation_id,
        other.meta.time,
    )
    if not entry.raw:
        assert decode_body(entry, one) == decode_body(entry, other)
    else:
        assert json.loads(one.body) == json.loads(other.body)
