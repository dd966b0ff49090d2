"""A classical win is reported as one, a planted wrong result is caught by its own check, rules decide what counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from quire.client import Client
from quire.embedded import Embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quire.answer import JobView

HERE = Path(__file__).parent
HEAD = 'OPENQASM 3.0; include "stdgates.inc";'
WEIGHTS = ((0, 1, 3.0), (1, 2, 1.0), (2, 3, 2.0), (0, 2, 4.0))
"""Ties of four nodes that are not the same read backwards; the best cut is 9."""


class LyingHouse(Embedded):
    """A Quire of `lying_house.py`."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir=data_dir)
        self._command[1:3] = [str(HERE / "lying_house.py")]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with LyingHouse(tmp_path_factory.mktemp("quire")) as running:
        yield running


def maxcut(edges: Any, *, rounds: int = 3, shots: int = 512, layers: int = 1, **fields: Any) -> dict[str, Any]:
    algorithm = {"name": "qaoa", "layers": layers, "sweep": 16, "optimizer": {"name": "spsa", "rounds": rounds}}
    problem = {"type": "maxcut", "edges": [list(edge) for edge in edges]}
    return {"kind": "optimize", "problem": problem, "algorithm": algorithm, "shots": shots, "seed": 3} | fields


def answered(house: Embedded, document: dict[str, Any], tenant: str = "honest") -> JobView:
    with Client(house.http, tenant=tenant) as client:
        view = client.submit(document).wait(90)
    assert view.state == "completed", view
    return view


def checks_failed(view: JobView) -> set[str]:
    return {decision.fault_code for decision in view.decisions if decision.fault_code}


SAMPLE = {
    "kind": "sample",
    "program": f"{HEAD} qubit[2] q; bit[2] c; x q[0]; c = measure q;",
    "shots": 100,
    "seed": 1,
}
ESTIMATE = {
    "kind": "estimate",
    "program": f"{HEAD} qubit[2] q; x q[0];",
    "observables": [{"IZ": 1.0}, {"ZI": 0.5}],
    "seed": 1,
}


@pytest.mark.parametrize(
    ("tenant", "document", "check"),
    [
        ("altered", SAMPLE, "check-totals"),
        ("magnified", ESTIMATE, "check-bounds"),
        ("altered", maxcut(WEIGHTS), "check-totals"),
        ("turned", maxcut(WEIGHTS, rounds=8, shots=2048), "check-steady"),
    ],
    ids=lambda value: value.get("kind") if isinstance(value, dict) else value,
)
def test_a_planted_wrong_result_is_caught_by_its_own_check_and_the_work_runs_again(
    house: Embedded, tenant: str, document: dict[str, Any], check: str
) -> None:
    view = answered(house, document, tenant)
    assert checks_failed(view) == {check}
    assert not view.degraded
    honest = answered(house, document)
    assert checks_failed(honest) == set()
    if view.kind == "sample":
        assert view.counts == honest.counts == ({"01": 100},)
    elif view.kind == "estimate":
        assert view.values == honest.values == ((-1.0, 0.5),)
    else:
        assert view.best == honest.best
        assert view.verdict.confidence.parts[2].value < honest.verdict.confidence.parts[2].value == 1.0


def test_outcomes_in_a_bit_order_that_nobody_knows_are_no_answer(house: Embedded) -> None:
    """The wire itself refuses them: a counted job fails with the reason, an optimisation has its classical answer."""
    with Client(house.http, tenant="foreign") as client:
        failed = client.submit(SAMPLE).wait(90)
    assert failed.state == "failed"
    assert "could not be read" in failed.fault.reason
    view = answered(house, maxcut(WEIGHTS), "foreign")
    assert (view.degraded, view.result.source, view.best.value) == (True, "classical", 9.0)
    assert view.verdict.call == "inconclusive"
    assert "could not be read" in view.verdict.reason


def test_an_objective_that_the_answer_does_not_have_is_caught_and_the_classical_answer_stands(house: Embedded) -> None:
    view = answered(house, maxcut((*WEIGHTS, (3, 4, 1.0)), targets=["simulation"]))
    assert "check-solution" in checks_failed(view)
    assert view.degraded
    assert "check 'solution'" in view.reason
    assert (view.best.value, view.result.source, view.verdict.answer) == (10.0, "classical", "classical")


def test_a_classical_win_is_reported_so(house: Embedded, examples: dict[str, dict[str, Any]]) -> None:
    """Ten nodes, every pair of them tied, one layer, and so few shots that the best cut is not among them."""
    view = answered(house, {name: value for name, value in examples["outdone.json"].items() if name != "rules"})
    verdict = view.verdict
    assert verdict is not None
    assert view.best.value < verdict.classical == verdict.bound
    assert (verdict.call, verdict.certainty, verdict.proven) == ("classical better", 1.0, True)
    assert (verdict.success_probability, verdict.tts99_shots) == (0.0, None)
    assert (verdict.answer, verdict.confidence.outcome) == ("classical", "blend")
    assert 0.0 < verdict.gap < 1.0


def test_where_both_find_the_optimum_it_is_a_tie_with_a_time_to_solution(house: Embedded) -> None:
    view = answered(house, maxcut(WEIGHTS, seed=77))
    verdict = view.verdict
    assert (verdict.call, verdict.certainty, verdict.value, verdict.classical) == ("tie", 1.0, 9.0, 9.0)
    assert verdict.tts99_shots >= 1
    assert verdict.tts99_seconds > 0.0
    assert verdict.shots == view.shots
    assert any("simulator" in remark for remark in verdict.remarks)
    again = answered(house, maxcut(WEIGHTS, seed=77)).verdict
    assert (again.call, again.tts99_shots, again.tts99_seconds) == ("tie", verdict.tts99_shots, None), "from memory"


@pytest.mark.parametrize(
    ("rules", "source", "review"),
    [
        ({"objective_at_least": 9.0}, "quantum", ""),
        ({"objective_at_least": 20.0}, "quantum", "the objective is 9, it has to be 20 at least"),
        ({"objective_at_most": 8.0, "otherwise": "classical"}, "quantum", "the objective is 9, it has to be 8 at most"),
    ],
    ids=["kept", "a person", "no way out"],
)
def test_rules_of_a_job_decide_what_counts(house: Embedded, rules: dict[str, Any], source: str, review: str) -> None:
    view = answered(house, maxcut(WEIGHTS, rules=rules))
    assert (view.result.source, view.needs_review) == (source, review)
    assert not view.degraded


def test_a_rule_that_says_so_gives_way_to_the_classical_answer(
    house: Embedded, examples: dict[str, dict[str, Any]]
) -> None:
    view = answered(house, examples["outdone.json"])
    assert (view.degraded, view.result.source, view.best.value, view.needs_review) == (True, "classical", 93.0, "")
    assert "the quantum answer was rejected: the gap to the bound is" in view.reason
    assert (view.verdict.confidence.outcome, view.verdict.answer) == ("reject", "classical")
    assert view.verdict.value < view.verdict.classical == 93.0


def test_the_command_line_shows_the_verdict_to_people_and_to_programs(house: Embedded, tmp_path: Path) -> None:
    document = tmp_path / "cut.json"
    document.write_text(json.dumps(maxcut(WEIGHTS, rules={"objective_at_least": 20.0})))
    command = [sys.executable, "-m", "quire", "run", str(document), "--url", house.http]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for words in ("verdict: tie", "time to solution at 99 %", "for a person to look at: the objective is 9"):
        assert words in shown
    whole = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
    assert whole["verdict"]["call"] == "tie"
    assert whole["verdict"]["confidence"]["outcome"] == "person"
    assert whole["needs_review"].startswith("the objective is 9")
