"""Mitigation in a job document: kept out of digests where nobody asks for it, and refused where it does not apply."""

from __future__ import annotations

import json

import msgspec
import pytest

from quire_contracts.intake import DocumentError, content_sha256, encode_document, parse_document
from quire_contracts.mitigation import Mitigation, Readout, Zne

ESTIMATE = {"kind": "estimate", "program": "qubit[1] q;", "observables": [{"Z": 1.0}], "precision": 0.01}
SAMPLE = {"kind": "sample", "program": "qubit[1] q;"}
OPTIMIZE = {"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}}


def parsed(document, **changes):
    return parse_document(json.dumps({**document, **changes}).encode())


def refused(document, mitigation, **changes):
    with pytest.raises(DocumentError) as caught:
        parsed(document, mitigation=mitigation, **changes)
    (problem,) = caught.value.problems
    return problem


def test_defaults_are_filled_in_and_travel():
    document = parsed(ESTIMATE, mitigation={"readout": {"method": "mthree"}, "zne": {}})
    assert document.mitigation.readout.shots == 8_192
    assert document.mitigation.zne.scale_factors == (1.0, 3.0, 5.0)
    asked = msgspec.convert(msgspec.to_builtins(document.mitigation), Mitigation)
    assert asked == Mitigation(readout=Readout(), zne=Zne())
    assert parse_document(encode_document(document)) == document


def test_a_document_that_does_not_ask_keeps_its_digest():
    assert b"mitigation" not in encode_document(parsed(ESTIMATE))
    asks = parsed(ESTIMATE, mitigation={"readout": {}})
    assert content_sha256(asks) != content_sha256(parsed(ESTIMATE))


@pytest.mark.parametrize("mitigation", [{"readout": {}}, {"zne": {"scale_factors": [1, 3], "extrapolation": "linear"}}])
def test_estimates_from_shots_are_mitigated(mitigation):
    assert parsed(ESTIMATE, mitigation=mitigation).mitigation


def test_counts_have_their_read_out_errors_mitigated():
    assert parsed(SAMPLE, mitigation={"readout": {"shots": 100}}).mitigation.readout.shots == 100


@pytest.mark.parametrize(
    ("document", "mitigation", "pointer", "word"),
    [
        (SAMPLE, {"zne": {}}, "/mitigation/zne", "counts"),
        (SAMPLE, {"zne": {}, "readout": {}}, "/mitigation/zne", "counts"),
        (ESTIMATE | {"precision": 0}, {"readout": {}}, "/mitigation", "exact"),
        (OPTIMIZE, {"readout": {}}, "/mitigation", "optimisation"),
        (ESTIMATE, {}, "/mitigation", "nothing"),
        (ESTIMATE, {"zne": {"scale_factors": [3, 1]}}, "/mitigation/zne/scale_factors", "rise"),
        (ESTIMATE, {"zne": {"scale_factors": [1, 1]}}, "/mitigation/zne/scale_factors", "different"),
        (
            ESTIMATE,
            {"zne": {"scale_factors": [1, 3], "extrapolation": "exponential"}},
            "/mitigation/zne/scale_factors",
            "exponential",
        ),
        (ESTIMATE, {"zne": {"scale_factors": [0.5, 3]}}, "/mitigation/zne/scale_factors/0", ">= 1"),
        (ESTIMATE, {"readout": {"method": "magic"}}, "/mitigation/readout/method", "magic"),
        (ESTIMATE, {"zne": {"scales": [1, 3]}}, "/mitigation/zne/scales", "unknown"),
    ],
)
def test_where_it_does_not_apply_it_is_refused_with_the_field_the_reason_and_what_to_do(
    document, mitigation, pointer, word
):
    problem = refused(document, mitigation)
    assert problem.pointer == pointer
    assert word in problem.reason
    assert problem.hint
