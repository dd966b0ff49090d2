"""Rules on a job's own answer, as a document may give them."""

from __future__ import annotations

import msgspec
import pytest

from quire_contracts.document import OptimizeJob
from quire_contracts.intake import DocumentError, content_sha256, encode_document, parse_document
from quire_contracts.verdict import AnswerRules

DOCUMENT = {"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}}


def body(**rules: object) -> bytes:
    return msgspec.json.encode(DOCUMENT | {"rules": rules})


def test_rules_are_read_as_they_stand() -> None:
    job = parse_document(body(objective_at_least=1, confidence_at_least=0.5, otherwise="classical"))
    assert isinstance(job, OptimizeJob)
    assert job.rules == AnswerRules(objective_at_least=1.0, confidence_at_least=0.5, otherwise="classical")
    assert parse_document(encode_document(job)) == job


def test_a_document_without_rules_has_the_digest_that_it_always_had() -> None:
    job = parse_document(msgspec.json.encode(DOCUMENT))
    assert b"rules" not in encode_document(job)
    assert content_sha256(job) != content_sha256(parse_document(body()))


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        ({"objective_at_least": 2.0, "objective_at_most": 1.0}, "/rules/objective_at_least"),
        ({"confidence_at_least": 1.5}, "/rules/confidence_at_least"),
        ({"gap_at_most": -1}, "/rules/gap_at_most"),
        ({"otherwise": "ignore"}, "/rules/otherwise"),
        ({"objective_atleast": 1}, "/rules/objective_atleast"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused_with_their_place(rules: dict[str, object], pointer: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse_document(body(**rules))
    (problem,) = refused.value.problems
    assert problem.pointer == pointer
    assert problem.hint
