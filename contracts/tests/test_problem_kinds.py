"""Each kind of problem is accepted as its author would write it, and every mistake is named with what to do."""

from __future__ import annotations

import json

import pytest

from quire_contracts.intake import DocumentError, parse_document

SQUARE = [[0, 1, 2], [1, 0, 3], [2, 3, 0]]
SET = {"type": "independent-set", "edges": [[0, 1], [1, 2]]}
NUMBERS = {"type": "number-partitioning", "numbers": [3, 2, 1]}
TOUR = {"type": "travelling-salesman", "distances": SQUARE}
ROUTES = {"type": "vehicle-routing", "distances": SQUARE, "demands": [0, 1, 2], "capacity": 3, "vehicles": 2}
ASSETS = {"type": "portfolio", "returns": [0.1, 0.2], "covariance": [[1, 0.5], [0.5, 2]], "choose": 1}
KINDS = [SET, NUMBERS, TOUR, ROUTES, ASSETS]


def parsed(problem):
    return parse_document(json.dumps({"kind": "optimize", "problem": problem}).encode())


@pytest.mark.parametrize("problem", KINDS, ids=lambda problem: problem["type"])
def test_plain_json_is_enough(problem):
    assert parsed(problem).problem.__struct_config__.tag == problem["type"]


@pytest.mark.parametrize(
    ("problem", "pointer", "limit"),
    [
        (SET | {"edges": [[0, 1], [2, 2]]}, "/problem/edges/1", None),
        (SET | {"n": 2}, "/problem/edges/1", "indices below n = 2"),
        (SET | {"weights": [1, 2]}, "/problem/weights", "none or exactly 3"),
        (SET | {"weights": [1, 0, 1]}, "/problem/weights/1", "> 0.0"),
        (NUMBERS | {"numbers": [3]}, "/problem/numbers", "of length >= 2"),
        (NUMBERS | {"numbers": [3, -2]}, "/problem/numbers/1", "> 0.0"),
        (TOUR | {"distances": [[0, 1], [1, 0]]}, "/problem/distances", "of length >= 3"),
        (TOUR | {"distances": [[0, 1, 2], [1, 0], [2, 3, 0]]}, "/problem/distances/1", "exactly 3 numbers"),
        (TOUR | {"distances": [[0, 1, 2], [1, 1, 3], [2, 3, 0]]}, "/problem/distances/1/1", "exactly 0"),
        (TOUR | {"distances": [[0, 1, 2], [1, 0, -3], [2, 3, 0]]}, "/problem/distances/1/2", ">= 0.0"),
        (ROUTES | {"demands": [0, 1]}, "/problem/demands", "exactly 3"),
        (ROUTES | {"demands": [1, 1, 1]}, "/problem/demands/0", "exactly 0"),
        (ROUTES | {"demands": [0, 1, 4]}, "/problem/demands/2", "at most 3"),
        (ROUTES | {"demands": [0, 2, 2], "vehicles": 1}, "/problem/vehicles", "at least 4 in all"),
        (ROUTES | {"capacity": 0}, "/problem/capacity", "> 0.0"),
        (ASSETS | {"covariance": [[1, 0.5]]}, "/problem/covariance", "exactly 2 rows"),
        (ASSETS | {"covariance": [[1, 0.5], [0.5]]}, "/problem/covariance/1", "exactly 2 numbers"),
        (ASSETS | {"covariance": [[1, 0.5], [0.4, 2]]}, "/problem/covariance/1/0", None),
        (ASSETS | {"choose": 3}, "/problem/choose", "at most 2"),
        (ASSETS | {"risk_aversion": -1}, "/problem/risk_aversion", ">= 0.0"),
        (ASSETS | {"budget": 3}, "/problem/budget", None),
    ],
)
def test_a_mistake_is_named_by_field_reason_limit_and_hint(problem, pointer, limit):
    with pytest.raises(DocumentError) as caught:
        parsed(problem)
    (told,) = caught.value.problems
    assert (told.pointer, told.limit) == (pointer, limit)
    assert told.reason
    assert told.hint


def test_of_many_mistakes_ten_are_told():
    with pytest.raises(DocumentError) as caught:
        parsed(SET | {"edges": [[i, i] for i in range(20)]})
    assert len(caught.value.problems) == 10
