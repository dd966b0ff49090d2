"""Each kind of problem through the whole house: a feasible answer in its own words, its objective worked out again."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from random import Random
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


def random_distances(random: Random, places: int) -> list[list[float]]:
    return [[0.0 if i == j else round(random.uniform(1, 9), 2) for j in range(places)] for i in range(places)]


def random_problem(name: str, random: Random) -> dict:
    """Eight variables or so, whatever the kind."""
    match name:
        case "travelling-salesman":
            return {"distances": random_distances(random, random.choice((3, 4)))}
        case "vehicle-routing":
            demands = [0, *(random.randint(1, 4) for _ in range(3))]
            fleet = {"demands": demands, "capacity": random.randint(4, 8), "vehicles": 3}
            return {"distances": random_distances(random, 4)} | fleet
        case "independent-set":
            edges = [[i, j] for i in range(8) for j in range(i) if random.random() < 0.4]
            return {"edges": edges or [[0, 1]]}
        case "number-partitioning":
            return {"numbers": [random.randint(1, 40) for _ in range(random.randint(3, 9))]}
        case "maxcut" | "qubo" | "ising":
            pairs = [[i, j, random.randint(-5, 5)] for i in range(7) for j in range(i)]
            single = [random.randint(-5, 5) for _ in range(7)]
            fields = {"maxcut": {"edges": pairs}, "qubo": {"n": 7, "linear": single, "quadratic": pairs, "offset": 2.5}}
            return fields.get(name, {"n": 7, "h": single, "j": pairs, "offset": -1.0})
        case _:
            factors = [random.gauss(0, 0.3) for _ in range(7)]
            risks = [[round(a * b, 4) + 0.02 * (i == j) for j, b in enumerate(factors)] for i, a in enumerate(factors)]
            returns = [round(random.gauss(0.1, 0.1), 3) for _ in factors]
            return {"returns": returns, "covariance": risks, "choose": random.randint(1, 6), "risk_aversion": 0.7}


def energy(problem: dict, assignment: list[int]) -> float:
    """Of a cut, a QUBO or an Ising problem, term by term."""
    match problem["type"]:
        case "maxcut":
            return sum(w for i, j, w in problem["edges"] if assignment[i] != assignment[j])
        case "qubo":
            x, single, pairs = assignment, problem["linear"], problem["quadratic"]
        case _:
            x, single, pairs = [1 - 2 * bit for bit in assignment], problem["h"], problem["j"]
    return problem["offset"] + sum(a * x[i] for i, a in enumerate(single)) + sum(w * x[i] * x[j] for i, j, w in pairs)


RECOMPUTED = {
    "maxcut": energy,
    "qubo": energy,
    "ising": energy,
    "travelling-salesman": tour,
    "vehicle-routing": routes,
    "independent-set": independent,
    "number-partitioning": difference,
    "portfolio": utility,
}


@pytest.mark.parametrize("kind", RECOMPUTED)
def test_twenty_random_instances_are_worth_what_is_reported(client: Client, kind: str) -> None:
    short = {"name": "qaoa", "layers": 1, "sweep": 8, "optimizer": {"name": "spsa", "rounds": 1}}
    problems = [{"type": kind} | random_problem(kind, Random(f"{kind} {seed}")) for seed in range(20)]
    jobs = [
        client.submit({"kind": "optimize", "seed": seed, "shots": 256, "algorithm": short, "problem": problem})
        for seed, problem in enumerate(problems)
    ]
    for job, problem in zip(jobs, problems, strict=True):
        view = job.wait(100)
        assert (view.state, view.degraded) == ("completed", False), view
        result = msgspec.to_builtins(view.result)
        for said in (result["best"], result["baseline"]):
            assert said["feasible"]
            meaning = said["assignment"] if RECOMPUTED[kind] is energy else said["answer"]
            assert RECOMPUTED[kind](problem, meaning) == pytest.approx(said["value"], abs=1e-9)
        sign = {"min": 1, "max": -1}[result["sense"]]
        assert sign * (result["best"]["value"] - result["baseline"]["value"]) >= -1e-9, "no better than the optimum"
        assert result["quality"]["optimal"] == (abs(result["best"]["value"] - result["baseline"]["value"]) < 1e-9)
