"""QAOA's options, as documents say them."""

from __future__ import annotations

import msgspec
import pytest

from quire_contracts.intake import DocumentError, encode_document, parse_document


def body(optimizer: dict[str, object], **options: object) -> bytes:
    return msgspec.json.encode(
        {
            "kind": "optimize",
            "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]},
            "algorithm": {"name": "qaoa", "layers": 1, "optimizer": optimizer} | options,
        }
    )


def test_a_share_of_the_shots_is_an_option_that_old_documents_do_not_have() -> None:
    assert b"cvar" not in encode_document(parse_document(body({"name": "spsa"})))
    assert parse_document(body({"name": "spsa"}, cvar=0.2)).algorithm.cvar == 0.2


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_is_more_than_none_and_at_most_all(share) -> None:
    with pytest.raises(DocumentError) as refused:
        parse_document(body({"name": "spsa"}, cvar=share))
    assert [problem.pointer for problem in refused.value.problems] == ["/algorithm/cvar"]


@pytest.mark.parametrize(
    "optimizer", [{"name": "nft"}, {"name": "parameter-shift"}, {"name": "scipy", "method": "l-bfgs-b"}]
)
def test_optimisers_that_go_by_curves_or_derivatives_refuse_it(optimizer) -> None:
    with pytest.raises(DocumentError, match="no curves") as refused:
        parse_document(body(optimizer, cvar=0.5))
    assert [problem.pointer for problem in refused.value.problems] == ["/algorithm/cvar"]
    parse_document(body(optimizer))
