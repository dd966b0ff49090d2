import contextlib
import uuid
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quire_bus import headers as h
from quire_bus.codec import Arrived, decode_any, decode_body, encode_body, envelope_lines, open_envelope
from quire_bus.envelope import NAMESPACE, Meta, message_id
from quire_bus.errors import DecodeError
from quire_bus.message import parse_head
from quire_contracts.job import CancelJob, SubmitJob
from quire_contracts.limits import MESSAGE_BYTES
from quire_contracts.registry import entry_of

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
CANCEL = entry_of(CancelJob)
SUBMIT = entry_of(SubmitJob)
SUBJECT = "quire.cmd.acme.job.cancel.v1.j1"
FOUR = {"ce-specversion": "1.0", "ce-id": "m1", "ce-source": "/me", "ce-type": "io.quire.job.cancel.v1"}
BODY = b'{"job_id": "j1", "tenant": "acme"}'


def arrived(headers=FOUR, body=BODY, subject=SUBJECT):
    return Arrived(subject=subject, headers=headers, body=body, time=NOW)


def decode(**changes):
    return decode_body(CANCEL, open_envelope(arrived(**changes)))


def test_four_headers_and_a_body_are_enough():
    opened = open_envelope(arrived())
    assert opened.meta == Meta(
        id="m1",
        source="/me",
        type="io.quire.job.cancel.v1",
        time=NOW,
        tenant="acme",
        key="j1",
        correlation_id="j1",
        subject=SUBJECT,
    )
    assert decode_body(CANCEL, opened) == CancelJob(job_id="j1", tenant="acme")


@pytest.mark.parametrize("missing", sorted(FOUR))
def test_each_of_the_four_is_needed_and_named(missing):
    with pytest.raises(DecodeError) as caught:
        open_envelope(arrived({name: value for name, value in FOUR.items() if name != missing}))
    assert caught.value.pointer == f"/headers/{missing}"


def test_what_is_sent_is_what_arrives():
    meta = Meta(
        id="a",
        source="/quire/b",
        type=CANCEL.type,
        time=NOW,
        tenant="acme",
        key="j1",
        correlation_id="c",
        causation_id="d",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate="vendor=1",
        subject=SUBJECT,
    )
    message = CancelJob(job_id="j1", tenant="acme", reason="no longer needed")
    body, content_type = encode_body(CANCEL, message)
    headers = parse_head(h.block(envelope_lines(meta, content_type, meta.traceparent, meta.tracestate)))
    opened = open_envelope(arrived(headers, body))
    assert (opened.meta, decode_any(opened)) == (meta, message)


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_text_begins_another_header(id_, correlation_id):
    with contextlib.suppress(UnicodeEncodeError):  # a lone surrogate is no text
        meta = replace(open_envelope(arrived()).meta, id=id_ or "x", correlation_id=correlation_id or "y")
        headers = parse_head(h.block(envelope_lines(meta, "application/json")))
        assert set(headers) == {*FOUR, "ce-time", "ce-subject", "ce-datacontenttype", "ce-correlationid"}
        assert open_envelope(arrived(headers)).meta == replace(meta, time=open_envelope(arrived(headers)).meta.time)


@given(st.dictionaries(st.from_regex(r"[A-Za-z-]{1,20}", fullmatch=True), st.text(max_size=40)))
def test_a_line_break_in_a_value_does_not_leave_it(headers):
    try:
        block = h.block(h.lines(headers))
    except UnicodeEncodeError:
        return
    kept = {name: value.replace("\r", "").replace("\n", "").strip() for name, value in headers.items()}
    assert {name: value.strip() for name, value in parse_head(block).items()} == kept
    assert block.count(b"\n") == block.count(b"\r\n") == len(headers) + 2


@given(st.text(max_size=200).filter(lambda text: len(h.encoded(text)) <= 1024))
def test_any_text_survives_a_header(text):
    try:
        wire = h.encoded(text)
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    assert all(0x21 <= ord(character) <= 0x7E and character != '"' for character in wire)
    assert h.decoded("ce-source", wire) == text


@pytest.mark.parametrize("value", ["%ff%fe", "%c3%28"])
def test_percent_encoding_that_is_no_utf8_is_refused(value):
    with pytest.raises(DecodeError, match="percent-encoded UTF-8"):
        open_envelope(arrived(FOUR | {"ce-source": value}))


def test_header_names_are_normalised_once():
    spelled = {"Ce-Specversion": "1.0", "CE-ID": " m1 ", "ce-Source": "/me", "ce-type": "io.quire.job.cancel.v1"}
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    opened = open_envelope(arrived(spelled | {"Traceparent": parent}))
    assert (opened.meta.id, opened.meta.traceparent) == ("m1", parent)


def test_two_spellings_that_disagree_are_refused_and_that_agree_are_one():
    assert open_envelope(arrived(FOUR | {"CE-ID": "m1"})).meta.id == "m1"
    with pytest.raises(DecodeError, match="twice"):
        open_envelope(arrived(FOUR | {"CE-ID": "m2"}))


@pytest.mark.parametrize("parent", ["", "00-zz", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "x" * 900])
def test_a_malformed_trace_context_is_ignored(parent):
    assert open_envelope(arrived(FOUR | {"traceparent": parent})).meta.traceparent is None


def test_structured_mode_is_binary_mode_in_another_dress():
    data = b'{"job_id":"j1","tenant":"acme","reason":"\\u00e9"}'
    event = {"specversion": "1.0", "id": "m1", "source": "/me", "type": CANCEL.type, "time": "2026-01-01T00:00:00Z"}
    event |= {"correlationid": "run 7", "extension": 3, "data": msgspec.Raw(data)}
    structured = open_envelope(
        arrived({"content-type": "application/cloudevents+json; charset=utf-8"}, msgspec.json.encode(event))
    )
    binary = open_envelope(arrived(FOUR | {"ce-time": "2026-01-01T00:00:00Z", "ce-correlationid": "run%207"}, data))
    assert structured == binary
    assert structured.body == data  # not parsed and written again: a digest of it still holds


def test_structured_mode_with_binary_data():
    event = {
        "specversion": "1.0",
        "id": "m1",
        "source": "/me",
        "type": CANCEL.type,
        "data_base64": "eyJqb2JfaWQiOiJqMSIsInRlbmFudCI6ImFjbWUifQ==",
    }
    assert (
        decode(headers={"Content-Type": "application/cloudevents+json"}, body=msgspec.json.encode(event)).job_id == "j1"
    )
    event["data_base64"] = "!"
    with pytest.raises(DecodeError, match="structured"):
        decode(headers={"Content-Type": "application/cloudevents+json"}, body=msgspec.json.encode(event))


@pytest.mark.parametrize("content_type", ["application/msgpack", "application/x-msgpack"])
def test_msgpack_is_taken_where_it_is_named(content_type):
    message = CancelJob(job_id="j1", tenant="acme")
    assert decode(headers=FOUR | {"ce-datacontenttype": content_type}, body=msgspec.msgpack.encode(message)) == message


def test_another_content_type_is_refused():
    with pytest.raises(DecodeError, match="neither JSON nor msgpack"):
        decode(headers=FOUR | {"content-type": "text/plain"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"job_id": 7, "tenant": "acme"}',
        b'{"tenant": "acme"}',
        b'{"job_id": "a.b", "tenant": "acme"}',
        b'{"job_id": "j1", "tenant": "acme", "reason": NaN}',
        b"[" * 100_000,
        b'{"job_id": "j1", "tenant": "acme", "more": ' + b"[" * 100_000,
        b'{"job_id": "j1", "tenant": "acme", "reason": "' + b"x" * 3_000 + b'"}',
    ],
    ids=range(11),
)
def test_a_body_of_another_type_is_refused_never_converted(body):
    with pytest.raises(DecodeError):
        decode(body=body)


def test_unknown_fields_and_attributes_are_ignored():
    body = b'{"job_id": "j1", "tenant": "acme", "new": {"deep": [1]}}'
    assert decode(headers=FOUR | {"ce-new": "1"}, body=body) == CancelJob(job_id="j1", tenant="acme")


def test_the_limit_holds_for_headers_and_body_together():
    room = MESSAGE_BYTES - h.wire_size(FOUR, BODY)
    assert decode(body=BODY + b" " * room).job_id == "j1"
    with pytest.raises(DecodeError, match=f"{MESSAGE_BYTES + 1} bytes"):
        decode(body=BODY + b" " * (room + 1))


def test_the_type_must_be_the_subject_s():
    with pytest.raises(DecodeError, match="ce-type"):
        decode(headers=FOUR | {"ce-type": "io.quire.job.submit.v1"})


@pytest.mark.parametrize("version", ["0.3", "2.0"])
def test_another_specversion_is_refused(version):
    with pytest.raises(DecodeError, match="specversion"):
        decode(headers=FOUR | {"ce-specversion": version})


@pytest.mark.parametrize(
    "subject",
    [
        "quire.cmd.acme.job.cancel.v1",
        "quire.cmd.ACME.job.cancel.v1.j1",
        "quire.cmd.acme.job.cancel.v1.j1.x",
        "quire.rec.a.b.c.v1.d",
    ],
)
def test_a_subject_that_is_not_ours_is_refused(subject):
    with pytest.raises(DecodeError, match="subject"):
        open_envelope(arrived(subject=subject))


def test_a_raw_message_is_its_bytes_and_the_subject_s_tokens():
    headers = FOUR | {"ce-type": SUBMIT.type, "ce-datacontenttype": "application/yaml"}
    opened = open_envelope(arrived(headers, b"kind: sample", "quire.cmd.acme.job.submit.v1.j-9"))
    expected = SubmitJob(job_id="j-9", tenant="acme", body=b"kind: sample", media_type="application/yaml")
    assert decode_body(SUBMIT, opened) == expected
    assert encode_body(SUBMIT, expected) == (b"kind: sample", "application/yaml")


def test_a_type_that_this_release_does_not_know_is_said():
    with pytest.raises(DecodeError, match="not known here"):
        decode_any(open_envelope(arrived(FOUR | {"ce-type": "io.quire.job.sang.v3"})))


def test_ids_are_deterministic_and_differ_in_every_part():
    ids = [
        message_id("t", "i", cause_id="c"),
        message_id("t", "i", cause_id="d"),
        message_id("t", "j", cause_id="c"),
        message_id("u", "i", cause_id="c"),
        message_id("t", "i", cause_id="c", attempt=1),
    ]
    assert len(set(ids)) == 5
    assert (
        ids[0] == "77b38a30-506e-5844-b954-204703a14285"
    )  # frozen: another value would make every redelivered message new


@given(st.text(), st.text())
def test_ids_are_uuids_of_version_5(identity, cause):
    with contextlib.suppress(UnicodeEncodeError):
        assert message_id("t", identity, cause_id=cause) == str(uuid.uuid5(NAMESPACE, f"{cause}|t|{identity}|0"))


@given(
    st.binary(max_size=300),
    st.dictionaries(st.sampled_from([*FOUR, "content-type", "traceparent", "ce-time"]), st.text(max_size=40)),
)
def test_nothing_that_arrives_raises_anything_else(body, headers):
    for base in ({}, FOUR):
        with contextlib.suppress(DecodeError):
            decode_any(open_envelope(arrived(base | headers, body)))
