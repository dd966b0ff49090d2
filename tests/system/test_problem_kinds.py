"""Each kind of problem through the whole house: a feasible answer in its own words, its objective worked out again."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

if TYPE_CHECKING:
    from quire.client import Client
    from quire.embedded import Embedded

ROOT = Path(__file__).parents[2]


def way(distances: list[list[float]], stops: list[int]) -> float:
    return sum(distances[a][b] for a, b in itertools.pairwise((0, *stops, 0)))


def tour(problem: dict, answer: dict) -> float:
    assert sorted(answer["stops"]) == list(range(len(problem["distances"])))
    return way(problem["distances"], answer["stops"][1:])


def routes(problem: dict, answer: dict) -> float:
    served = sorted(itertools.chain(*answer["routes"]))
    assert served == list(range(1, len(problem["demands"])))
    assert len(answer["routes"]) <= problem["vehicles"]
    for route, load in zip(answer["routes"], answer["loads"], strict=True):
        assert sum(problem["demands"][place] for place in route) == load <= problem["capacity"]
    return sum(way(problem["distances"], route) for route in answer["routes"])


def independent(problem: dict, answer: dict) -> float:
    members = set(answer["members"])
    assert not any(i in members and j in members for i, j in problem["edges"])
    return len(members)


def difference(problem: dict, answer: dict) -> float:
    assert sorted(itertools.chain(*answer["parts"])) == list(range(len(problem["numbers"])))
    one, other = (sum(problem["numbers"][i] for i in part) for part in answer["parts"])
    return abs(one - other)


def utility(problem: dict, answer: dict) -> float:
    assets = answer["assets"]
    assert len(assets) == problem["choose"]
    risk = sum(problem["covariance"][i][j] for i in assets for j in assets)
    return sum(problem["returns"][i] for i in assets) - problem["risk_aversion"] * risk


EXAMPLES = {
    "german-tour.json": (tour, 1884.0, "min", "distance"),
    "deliveries.json": (routes, 50.0, "min", "distance"),
    "broadcasters.json": (independent, 4.0, "max", "weight"),
    "teams.json": (difference, 0.0, "min", "difference"),
    "portfolio.json": (utility, 0.176, "max", "return less risk"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_answer_is_feasible_and_worth_what_is_reported(
    client: Client, examples: dict[str, dict[str, object]], name: str
) -> None:
    recomputed, optimum, sense, unit = EXAMPLES[name]
    problem = examples[name]["problem"]
    view = client.submit(examples[name]).wait(100)
    assert (view.state, view.degraded) == ("completed", False), view
    result = msgspec.to_builtins(view.result)
    assert (result["sense"], result["unit"], result["source"]) == (sense, unit, "quantum")
    for said in (result["best"], result["baseline"]):
        assert said["feasible"]
        assert recomputed(problem, said["answer"]) == pytest.approx(said["value"], abs=1e-9)
    assert result["baseline"]["value"] == pytest.approx(optimum)
    assert result["best"]["value"] == pytest.approx(optimum), "the loops of the examples find their optimum"
    assert result["quality"]["optimal"] is True
    share = result["quality"]["feasible_share"]
    assert (share is None) == (name == "teams.json")
    assert share is None or 0 < share <= 1


def test_a_person_reads_the_tour_and_a_program_its_fields(quire: Embedded) -> None:
    run = [sys.executable, "-m", "quire", "run", "--url", quire.http, "examples/german-tour.json"]
    person = subprocess.run(run, capture_output=True, check=True, cwd=ROOT, timeout=110, text=True).stdout
    assert "value (min distance)" in person
    assert "Hamburg → " in person
    program = subprocess.run([*run, "--json"], capture_output=True, check=True, cwd=ROOT, timeout=110).stdout
    best = json.loads(program)["result"]["best"]
    assert best["answer"]["type"] == "tour"
    assert best["answer"]["stops"][0] == 0


def test_what_cannot_be_served_is_rejected_with_its_reason(client: Client) -> None:
    square = [[int(i != j) for j in range(4)] for i in range(4)]
    fleet = {"type": "vehicle-routing", "distances": square, "demands": [0, 2, 2, 2], "capacity": 3, "vehicles": 2}
    view = client.submit({"kind": "optimize", "problem": fleet}).wait(60)
    assert view.state == "rejected"
    assert view.fault.code == "problem-infeasible"
    assert view.problems[0].hint
