"""What people have already becomes a document that Quire accepts, and means the same."""

from __future__ import annotations

import itertools

import dimod
import networkx as nx
import pytest

from quire.documents import as_json, checked
from quire.models import from_bqm, from_lp, independent_set, maxcut, travelling_salesman
from quire_problems import kind_of

LP = r"""\ a comment: Minimize nothing
Maximize
 obj: 3 x + 2 y + 4 z - 2.5
Subject To
 room: x + y + z <= 2
 pair: x - y >= 0
Bounds
 0 <= z <= 3
Binary
 x y
General
 z
End
"""


def kind(model, **fields):
    return kind_of(checked(as_json(model.document(**fields))).problem)


def every(variables):
    return itertools.product((0, 1), repeat=variables)


def test_a_graphs_cut_is_the_networks():
    graph = nx.Graph([("a", "b", {"weight": 2.0}), ("b", "c", {})])
    graph.add_node("alone")
    model = maxcut(graph)
    judge = kind(model)
    for bits in every(4):
        ones = {label for label, bit in model.sample(bits).items() if bit}
        assert judge.objective(bits) == nx.cut_size(graph, ones, weight="weight")
    assert judge.objective((0, 1, 0, 0)) == 3.0
    assert model.document(seed=3, tags={"team": "x"})["tags"] == {
        "node.0": "a", "node.1": "b", "node.2": "c", "node.3": "alone", "team": "x",
    }  # fmt: skip


def test_an_independent_set_is_the_networks():
    graph = nx.petersen_graph()
    graph.nodes[3]["weight"] = 2.5
    judge = kind(independent_set(graph))
    for bits in every(10):
        nodes = [node for node, bit in enumerate(bits) if bit]
        apart = graph.subgraph(nodes).number_of_edges() == 0
        assert (judge.violations(bits) == ()) == apart
        if apart:
            assert judge.objective(bits) == sum(graph.nodes[node].get("weight", 1.0) for node in nodes)


def test_a_tour_goes_along_directed_edges():
    graph = nx.complete_graph(4, nx.DiGraph)
    for number, edge in enumerate(graph.edges):
        graph.edges[edge]["km"] = float(number)
    judge = kind(travelling_salesman(graph, weight="km"))
    assert judge.problem.distances[1][2] == graph.edges[1, 2]["km"]
    assert judge.problem.distances[2][1] == graph.edges[2, 1]["km"]


def test_a_tour_needs_every_distance():
    with pytest.raises(ValueError, match="no edge from 0 to 2"):
        travelling_salesman(nx.path_graph(3))


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_a_dimod_model_has_the_same_energies(vartype):
    source = dimod.BinaryQuadraticModel({"u": 1.5, 7: -2.0}, {("u", 7): 0.5, ("u", "w"): -1.0}, 3.25, vartype)
    model = from_bqm(source)
    judge = kind(model)
    for bits in every(3):
        assert judge.objective(bits) == source.energy(model.sample(bits))


def test_many_labels_are_left_out_of_the_tags():
    model = maxcut(nx.path_graph(40))
    assert model.document()["tags"] == {}
    assert checked(as_json(model.document()))


@pytest.fixture
def program(tmp_path):
    (tmp_path / "small.lp").write_text(LP)
    return from_lp(tmp_path / "small.lp")


def test_an_lp_files_least_energy_is_its_optimum(program):
    judge = kind(program)
    best = min(every(judge.variables), key=judge.objective)
    solution = program.solution(best)
    allowed = [
        (3 * x + 2 * y + 4 * z - 2.5, {"x": x, "y": y, "z": z})
        for x, y, z in itertools.product((0, 1), (0, 1), range(4))
        if x + y + z <= 2 and x >= y
    ]
    value, values = max(allowed, key=lambda each: each[0])
    assert (solution.feasible, solution.objective, solution.values) == (True, value, values)
    assert program.sense == "max"


def test_an_lp_files_violations_are_named(program):
    labels = list(program.model.labels)
    wrong = [int(label in {"x", "y"} or not label.isalpha()) for label in labels]
    solution = program.solution(wrong)
    assert not solution.feasible
    assert solution.violations[0].startswith("room is violated by ")


def test_the_same_file_gives_the_same_document(program, tmp_path):
    assert from_lp(tmp_path / "small.lp").document() == program.document()
