"""What is said of an event while a job runs, in one line."""

from __future__ import annotations

from typing import Any

import pytest

from quire.events import Event
from quire.watching import words

ROUND: dict[str, Any] = {"round": 3, "objective": 3.5, "best": 4.0, "target": "simulation"}


@pytest.mark.parametrize(
    ("round_", "line"),
    [
        (ROUND, "round  3/12  objective 3.5000  best 4.0000  on simulation"),
        (ROUND | {"layers": 1}, "round  3/12  1 layer  objective 3.5000  best 4.0000  on simulation"),
        (ROUND | {"layers": 2}, "round  3/12  2 layers  objective 3.5000  best 4.0000  on simulation"),
    ],
)
def test_a_round_says_where_the_loop_stands_and_how_far_it_has_climbed(round_: dict[str, Any], line: str) -> None:
    assert words(Event("loop.advanced", {"rounds": 12, "round": round_})) == line
