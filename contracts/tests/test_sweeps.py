"""A sweep's variants: merged as RFC 7396 says, checked as documents, and refused where somebody can mend them."""

from __future__ import annotations

import json

import pytest

from quire_contracts.intake import DocumentError, content_sha256, encode_document, parse_document
from quire_contracts.sweeps import merged, variant_bodies

BASE = {"kind": "estimate", "program": "OPENQASM 3.0;", "observables": [{"Z": 1.0}]}

# The test cases of RFC 7396, appendix A, that are objects.
RFC = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


def sweep(**fields: object) -> bytes:
    return json.dumps({"kind": "sweep", "base": BASE, "variants": [{}]} | fields).encode()


def problems(body: bytes) -> dict[str, str]:
    with pytest.raises(DocumentError) as error:
        parse_document(body)
    return {problem.pointer: problem.reason for problem in error.value.problems}


@pytest.mark.parametrize(("target", "patch", "result"), RFC)
def test_patches_merge_as_the_rfc_says(target: dict, patch: dict, result: dict) -> None:
    assert merged(target, patch) == result


def test_a_variant_is_a_document_that_has_from_its_sweep_what_it_does_not_say() -> None:
    body = sweep(
        name="curve",
        priority="production",
        targets=["simulation"],
        tags={"a": "1"},
        variants=[{"label": "first"}, {"patch": {"precision": 0.5, "targets": ["qiskit:aer"], "name": "mine"}}],
    )
    document = parse_document(body)
    first, second = (parse_document(variant) for variant in variant_bodies(document))
    assert (first.name, first.priority, first.targets, first.tags) == (
        "curve: first",
        "production",
        ("simulation",),
        {"a": "1"},
    )
    assert (second.name, second.precision, second.targets) == ("mine", 0.5, ("qiskit:aer",))


def test_without_a_base_the_patch_is_the_whole_document() -> None:
    document = parse_document(json.dumps({"kind": "sweep", "variants": [{"patch": BASE}]}).encode())
    assert parse_document(variant_bodies(document)[0]).observables == ({"Z": 1.0},)
    assert content_sha256(parse_document(encode_document(document))) == content_sha256(document)


def test_what_is_wrong_is_told_once_and_where_it_is_said() -> None:
    wrong = BASE | {"precision": 7.0}
    assert list(problems(sweep(base=wrong, variants=[{}, {}, {}]))) == ["/base/precision"]
    told = problems(sweep(variants=[{}, {"patch": {"precision": 7.0}}, {"patch": {"shotz": 1}}]))
    assert set(told) == {"/variants/1/patch/precision", "/variants/2/patch/shotz"}


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"kind": "sweep"}, "/variants/0/patch/kind"),
        ({"kind": None}, "/variants/0/patch/kind"),
        ({"deadline_seconds": 5.0}, "/variants/0/patch/deadline_seconds"),
        ({"idempotency_key": "k"}, "/variants/0/patch/idempotency_key"),
        ({"tenant": "acme"}, "/variants/0/patch/tenant"),
    ],
)
def test_what_is_its_sweeps_no_variant_may_say(patch: dict, pointer: str) -> None:
    assert list(problems(sweep(variants=[{"patch": patch}]))) == [pointer]


def test_a_sweep_has_a_limit() -> None:
    assert "/variants" in problems(sweep(variants=[{}] * 101))
    assert "/mitigation" in problems(sweep(mitigation={"readout": {}}))


def test_a_hundred_faulty_variants_are_not_a_hundred_problems() -> None:
    assert len(problems(sweep(variants=[{"patch": {"precision": 7.0}}] * 100))) == 10


def test_a_large_base_times_many_variants_is_refused_by_its_length() -> None:
    base = BASE | {"program": "x" * 100_000}
    told = problems(sweep(base=base, variants=[{}] * 90))
    assert list(told) == ["/base"]
    assert "90 variants" in told["/base"]
