"""What siblings take beside each other: shots as they are planned, also of loops and of what is solved in parts."""

from __future__ import annotations

import json
import math

import pytest

from quire_contracts.document import OptimizeJob
from quire_contracts.intake import parse_document
from quire_preprocessing.families import planning
from quire_preprocessing.families.needing import need_of, need_of_loop, need_of_parts

PROGRAM = "OPENQASM 3.0; input float t; qubit[1] q; bit[1] c; rx(t) q[0]; c = measure q;"


def need(document, widest=24):
    return need_of(parse_document(json.dumps(document).encode()), widest)


def cut(nodes, **more):
    ring = [[node, (node + 1) % nodes, 1.0] for node in range(nodes)]
    return {"kind": "optimize", "problem": {"type": "maxcut", "edges": ring}, "shots": 100} | more


def qaoa(optimizer, **more):
    return {"algorithm": {"name": "qaoa", "layers": 1, "sweep": 16, "optimizer": {"rounds": 5} | optimizer} | more}


def chosen(layers, *, name="spsa", **more):
    candidates = [{"layers": each} for each in layers]
    optimizer = {"name": name, "rounds": 5}
    return {"algorithm": {"name": "qaoa", "sweep": 16, "candidates": candidates, "optimizer": optimizer, **more}}


def climbing(layers):
    optimizer = {"name": "spsa", "rounds": 5}
    asked = {"name": "qaoa", "layers": layers, "sweep": 16, "initialisation": "interpolated", "optimizer": optimizer}
    return {"algorithm": asked}


@pytest.mark.parametrize(
    ("document", "shots"),
    [
        ({"kind": "sample", "program": PROGRAM, "parameters": [[0.1], [0.2]], "shots": 50}, 100),
        ({"kind": "sample", "program": PROGRAM, "parameters": [[0.1]], "shots": 50, "budget": {"max_shots": 20}}, 20),
        ({"kind": "estimate", "program": PROGRAM, "observables": [{"Z": 1.0}], "precision": 0.1}, 100),
        ({"kind": "estimate", "program": PROGRAM, "observables": [{"Z": 1.0}], "parameters": [[1], [2], [3]]}, 3),
        (cut(6, **qaoa({"name": "spsa"})), 100 * (16 + 5 * 3 + 1)),
        (cut(6, **qaoa({"name": "spsa"}, initial=[0.1, 0.2])), 100 * (5 * 3 + 1)),
        (cut(6, **chosen([1, 3], starts=3)), 100 * (2 * 16 + 3 * 5 * 3 + 1)),
        (cut(6, **chosen([1, 2], name="parameter-shift")), 100 * (2 * 16 + 5 * (1 + 2 * 4 * 6) + 1)),
        (cut(6, **climbing(2)), 100 * (16 + 5 * 3 + 1)),
        (cut(6, **qaoa({"name": "nft"})), 100 * (16 + 5 * 13 + 1)),
        (cut(6, **qaoa({"name": "parameter-shift"})), 100 * (16 + 5 * 25 + 1)),
        ({"kind": "minimize", "hamiltonian": {"ZZ": 1.0}, "precision": 0.1,
          "algorithm": {"name": "vqe", "sweep": 1, "optimizer": {"name": "nft", "rounds": 4}}}, 100 * (4 * 3 + 1)),
    ],
)  # fmt: skip
def test_a_document_needs_the_shots_that_it_plans(document, shots):
    assert need(document) == shots


def test_what_is_solved_in_parts_needs_what_its_parts_and_merges_do():
    asked = cut(20, **qaoa({"name": "spsa"}))
    loop = 100 * (16 + 5 * 3 + 1)
    assert need(asked) == loop
    assert need({**asked, "partition": {"max_variables": 5}}) == 5 * loop, "four parts of five, and their merge"
    assert need(asked, widest=4) == (5 + 2 + 1) * loop, "five parts of four, two of them, and a merge of two"


def test_wider_parts_need_more_where_rounds_go_by_curves_and_no_plan_needs_nothing():
    document = parse_document(json.dumps(cut(20, **qaoa({"name": "nft"}))).encode())
    assert isinstance(document, OptimizeJob)
    assert need_of_loop(document, 8) > need_of_loop(document, 4) > 0
    assert math.isclose(need_of_parts(document, 8, 8), need_of_loop(document, 8))


def test_variants_say_what_they_need_where_there_is_a_budget_to_share():
    sweep = {
        "kind": "sweep",
        "base": {"kind": "sample", "program": PROGRAM, "parameters": [[0.1]]},
        "variants": [{"patch": {"shots": 10}}, {"patch": {"shots": 30}}],
    }
    needs = [member.need for member in planning.variants(parse_document(json.dumps(sweep).encode()), 24)]
    assert needs == [1.0, 1.0]
    sweep["budget"] = {"max_shots": 100}
    needs = [member.need for member in planning.variants(parse_document(json.dumps(sweep).encode()), 24)]
    assert needs == [10.0, 30.0]
