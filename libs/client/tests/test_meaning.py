"""Answers are read as their domain reads them."""

from __future__ import annotations

import pytest

from quire.answer import JobView
from quire.meaning import words
from quire.tables import optimum_table
from quire_contracts.answers import Holdings, Parts, Routes, Subset, Tour
from quire_contracts.preparation import Baseline
from quire_contracts.result import Best, OptimizeResult, Quality

TAGS = {"node.0": "Bonn", "node.2": "Köln"}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Parts(((0, 2), (1,))), "Bonn, Köln\n1"),
        (Parts(((0,), ()), (8.0, 0.0)), "Bonn (sum 8)\nnone (sum 0)"),
        (Subset((1, 2)), "1, Köln"),
        (Tour((0, 2, 1)), "Bonn → Köln → 1 → Bonn"),
        (
            Routes(((1,), (2, 3)), (1.0, 2.5), (2.0, 11.0)),
            "Bonn → 1 → Bonn (load 1, distance 2)\nBonn → Köln → 3 → Bonn (load 2.5, distance 11)",
        ),
        (Holdings((0, 1), 0.3, 0.05), "Bonn, 1 (return 0.3, variance 0.05)"),
    ],
)
def test_an_answer_in_words(answer, text):
    assert words(answer, TAGS) == text


def shown(best, baseline, **quality):
    result = OptimizeResult(
        best=best, history=(), baseline=baseline, quality=Quality(**quality), sense="min", unit="distance"
    )
    view = JobView("j1", "acme", "completed", kind="optimize", tags=TAGS, result=result)
    table = optimum_table(view, result)
    return list(zip(*(column.cells for column in table.columns), strict=True))


def test_the_table_says_the_answer_beside_the_classical_one_and_what_it_counts():
    baseline = Baseline("exact enumeration", 8.0, (1, 0, 0, 1), exact=True, answer=Tour((0, 1, 2)))
    rows = shown(Best(8.0, (0, 1, 1, 0), answer=Tour((0, 2, 1))), baseline, feasible_share=0.25)
    assert ("value (min distance)", "8", "8 (proven optimum)") in rows
    assert ("answer", "Bonn → Köln → 1 → Bonn", "Bonn → 1 → Köln → Bonn") in rows
    assert ("share of final shots that are feasible", "25.00%", "") in rows


def test_the_table_says_what_is_wrong_with_an_infeasible_answer():
    bad = Best(99.0, (1, 1), feasible=False, violations=("city 1 is visited 2 times",))
    rows = shown(bad, Baseline("simulated annealing", 8.0, (1, 0), exact=False, answer=Tour((0, 1, 2))))
    assert ("feasible", "[red]no:[/red] city 1 is visited 2 times", "yes") in rows
    assert ("answer", "-", "Bonn → 1 → Köln → Bonn") in rows
