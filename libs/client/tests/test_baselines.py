"""What the classical methods found is told with their seconds and the bound."""

import io

import msgspec
from rich.console import Console

from quire.baselines import methods_table
from quire_contracts.preparation import Baseline, Tried
from quire_contracts.result import Best, OptimizeResult, Quality

BASELINE = Baseline(
    method="tabu search",
    value=60.0,
    assignment=(0, 1),
    exact=False,
    bound=64.0,
    bound_method="eigenvalue bound",
    gap=0.0625,
    tried=(
        Tried(method="greedy", value=58.0, feasible=True, tuning="the strongest field"),
        Tried(method="tabu search", value=60.0, feasible=True, runs=16, hits=5, tuning="16 runs"),
        Tried(method="tree decomposition", note="not tried: too dense"),
    ),
    budget_seconds=0.5,
)
RESULT = OptimizeResult(
    best=Best(value=60.0, assignment=(0, 1)),
    history=(),
    baseline=BASELINE,
    quality=Quality(),
    method_seconds={"greedy": 0.001, "tabu search": 0.4},
    sense="max",
)


def text(table):
    console = Console(width=140, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_each_method_has_a_row_and_the_bound_is_below():
    said = " ".join(text(methods_table(RESULT)).split())
    assert "work for 0.5 s each" in said
    assert "5 of 16" in said
    assert "0.400" in said
    assert "not tried: too dense" in said
    assert "no answer is above 64 (by eigenvalue bound); the classical answer is within 6.25% of it" in said


def test_without_a_choice_of_methods_there_is_no_table():
    one = msgspec.structs.replace(BASELINE, tried=BASELINE.tried[:1])
    for baseline in (None, one):
        assert methods_table(msgspec.structs.replace(RESULT, baseline=baseline)) is None


def test_a_bound_that_is_reached_is_said_to_be():
    proven = msgspec.structs.replace(BASELINE, value=64.0, exact=True, gap=0.0)
    said = " ".join(text(methods_table(msgspec.structs.replace(RESULT, baseline=proven))).split())
    assert "no answer is above 64 (by eigenvalue bound), which the classical answer reaches" in said
