"""What a document may ask of start points and circuits that are chosen between, and how a climb's rounds are shared."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from quire_contracts.document import OptimizeJob
from quire_contracts.intake import DocumentError, encode_document, parse_document
from quire_contracts.loop_circuits import ansaetze_of, circuits_of, last_rounds, starts_of
from quire_contracts.optimizers import CmaEs, Nft, Spsa
from quire_contracts.qaoa_rules import qaoa_rules
from quire_contracts.vqe import HardwareEfficient

TWO = [{"layers": 1}, {"layers": 2}]
ANSAETZE = [{"name": "hardware-efficient", "layers": 1}, {"name": "program", "program": "OPENQASM 3.0;"}]


def optimize(algorithm: dict[str, object], **rest: object) -> OptimizeJob:
    problem = {"type": "maxcut", "edges": [[0, 1, 1.0]]}
    document = {"kind": "optimize", "problem": problem, "algorithm": {"name": "qaoa"} | algorithm} | rest
    parsed = parse_document(msgspec.json.encode(document))
    assert isinstance(parsed, OptimizeJob)
    return parsed


def pointers(algorithm: dict[str, object], **rest: object) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        optimize(algorithm, **rest)
    assert all(problem.hint and problem.reason for problem in caught.value.problems)
    return [problem.pointer for problem in caught.value.problems]


def test_candidates_stand_in_place_of_the_one_circuit():
    algorithm = optimize({"layers": 7, "candidates": [*TWO, {"layers": 2, "angles": "multi"}]}).algorithm
    assert [(each.layers, each.angles) for each in circuits_of(algorithm)] == [
        (1, "shared"),
        (2, "shared"),
        (2, "multi"),
    ]
    assert [(each.layers, each.angles) for each in circuits_of(optimize({"layers": 7}).algorithm)] == [(7, "shared")]
    (multi,) = circuits_of(optimize({"layers": 2, "angles": "multi"}).algorithm)
    assert multi.angles == "multi"


def test_a_climb_goes_through_all_layers():
    algorithm = optimize({"layers": 3, "initialisation": "interpolated"}).algorithm
    assert [each.layers for each in circuits_of(algorithm)] == [1, 2, 3]


def test_a_document_that_says_nothing_of_it_is_what_it_was():
    document = optimize({})
    assert starts_of(document.algorithm) == 1
    text = encode_document(document)
    assert not any(word in text for word in (b"candidates", b"starts", b"initialisation", b"angles"))


@pytest.mark.parametrize(
    ("algorithm", "rest", "expected"),
    [
        ({"candidates": [{"layers": 1}]}, {}, "/algorithm/candidates"),
        ({"candidates": [*TWO, {"layers": 1}]}, {}, "/algorithm/candidates/2"),
        ({"candidates": TWO, "initial": [0.1] * 4}, {}, "/algorithm/candidates"),
        ({"candidates": TWO}, {"from": {"job": "a"}}, "/algorithm/candidates"),
        ({"starts": 3, "initial": [0.1] * 4}, {}, "/algorithm/starts"),
        ({"starts": 3}, {"from": {"job": "a"}}, "/algorithm/starts"),
        ({"starts": 3, "sweep": 2}, {}, "/algorithm/starts"),
        ({"initialisation": "interpolated", "initial": [0.1] * 4}, {}, "/algorithm/initial"),
        ({"initialisation": "interpolated", "candidates": TWO}, {}, "/algorithm/candidates"),
        ({"initialisation": "interpolated", "angles": "multi"}, {}, "/algorithm/angles"),
        (
            {"initialisation": "interpolated", "layers": 5, "optimizer": {"name": "spsa", "rounds": 4}},
            {},
            "/algorithm/optimizer/rounds",
        ),
    ],
)
def test_what_cannot_go_together_is_refused_where_it_stands(algorithm, rest, expected):
    assert pointers(algorithm, **rest) == [expected]


def test_rounds_of_an_earlier_job_bring_its_choice_along():
    assert optimize({"candidates": TWO, "starts": 2}, **{"from": {"job": "a", "round": 3}})


def test_runs_side_by_side_share_a_tasks_room():
    one = optimize({"layers": 16, "optimizer": {"name": "cma-es", "population": 60}}).algorithm
    assert qaoa_rules(one) == []
    (problem,) = qaoa_rules(msgspec.structs.replace(one, starts=2))
    assert problem.pointer == "/algorithm/optimizer/population"
    assert "120 parameter sets" in problem.reason


def test_the_ansaetze_of_a_minimisation_are_looked_at_one_by_one():
    def minimize(candidates: list[dict[str, object]]) -> dict[str, object]:
        algorithm = {"name": "vqe", "candidates": candidates}
        return {"kind": "minimize", "hamiltonian": {"ZZ": 1.0}, "algorithm": algorithm}

    document = parse_document(msgspec.json.encode(minimize(ANSAETZE)))
    first, _ = ansaetze_of(document.algorithm)
    assert first == HardwareEfficient(layers=1)
    with pytest.raises(DocumentError) as caught:
        parse_document(msgspec.json.encode(minimize([*ANSAETZE, ANSAETZE[0] | {"state": "1"}])))
    assert [problem.pointer for problem in caught.value.problems] == ["/algorithm/candidates/2/state"]


@pytest.mark.parametrize(
    ("rounds", "steps", "expected"),
    [(20, 1, (20,)), (20, 2, (6, 20)), (20, 3, (3, 10, 20)), (3, 3, (1, 2, 3)), (60, 4, (6, 18, 36, 60))],
)
def test_a_climbs_steps_have_rounds_in_proportion_to_their_layers(rounds, steps, expected):
    assert last_rounds(rounds, steps) == expected


def test_every_step_has_a_round_and_the_last_one_ends_the_loop():
    for steps in range(1, 33):
        for rounds in range(steps, 200):
            ends = (0, *last_rounds(rounds, steps))
            assert all(before < after for before, after in itertools.pairwise(ends))
            assert ends[-1] == rounds


def test_optimisers_with_one_run_need_the_room_that_they_did():
    for optimizer in (Spsa(), Nft(), CmaEs()):
        assert qaoa_rules(msgspec.structs.replace(optimize({}).algorithm, optimizer=optimizer)) == []


def test_a_climbs_circuits_leave_less_room_for_rounds():
    deep = {"layers": 32, "optimizer": {"name": "spsa", "rounds": 1_000}}
    assert qaoa_rules(optimize(deep).algorithm) == []
    (pointer,) = pointers(deep | {"initialisation": "interpolated"})
    assert pointer == "/algorithm/optimizer/rounds"
    assert optimize(deep | {"initialisation": "interpolated", "optimizer": {"name": "spsa", "rounds": 500}})
