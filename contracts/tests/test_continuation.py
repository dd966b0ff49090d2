"""`from`: an earlier job that a loop goes on from, as documents say it."""

from __future__ import annotations

import msgspec
import pytest

from quire_contracts.continuation import From
from quire_contracts.intake import DocumentError, content_sha256, encode_document, parse_document


def body(*, initial: list[float] | None = None, **fields: object) -> bytes:
    algorithm = {"name": "qaoa", "layers": 1, "optimizer": {"name": "spsa", "rounds": 6}}
    return msgspec.json.encode(
        {
            "kind": "optimize",
            "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]},
            "algorithm": algorithm | ({"initial": initial} if initial else {}),
        }
        | fields
    )


def problems(document: bytes) -> list[str]:
    with pytest.raises(DocumentError) as refused:
        parse_document(document)
    return [problem.pointer for problem in refused.value.problems]


def test_a_document_that_goes_on_from_nothing_is_what_it_always_was() -> None:
    plain, warm = parse_document(body()), parse_document(body(**{"from": {"job": "job-1"}}))
    assert b"from" not in encode_document(plain)
    assert content_sha256(plain) != content_sha256(warm)
    assert warm.start == From(job="job-1")
    assert parse_document(encode_document(warm)) == warm


@pytest.mark.parametrize("round_", [0, 6])
def test_the_rounds_of_the_earlier_job_count(round_) -> None:
    assert parse_document(body(**{"from": {"job": "job-1", "round": round_}})).start.round == round_


def test_what_cannot_be_is_refused_with_its_place() -> None:
    assert problems(body(**{"from": {"job": "job-1", "round": 7}})) == ["/from/round"]
    assert problems(body(**{"from": {"job": "job-1", "round": -1}})) == ["/from/round"]
    assert problems(body(**{"from": {"round": 1}})) == ["/from/job"]
    assert problems(body(**{"from": {"job": "a.b"}})) == ["/from/job"]
    assert problems(body(initial=[0.1, 0.2], **{"from": {"job": "job-1"}})) == ["/algorithm/initial"]
    assert problems(body(**{"from": {"job": "job-1", "round": 2, "interpolate": True}})) == ["/from/interpolate"]
