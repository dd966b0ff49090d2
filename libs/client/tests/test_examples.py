"""The committed examples are what their page says: valid documents with sources and right answers."""

import itertools
import json
import math
from functools import reduce
from importlib.resources import files

import networkx as nx
import numpy as np
import pytest

from quire.documents import as_json, checked

CHEMICAL_ACCURACY = 1.6e-3
H2_EXACT_HARTREE = -1.137306
LIH_PUBLISHED_HARTREE = -7.8810720440309145
"""Qiskit's textbook, "Simulating molecules using VQE": 1.6 angstrom, core frozen, two orbitals removed, parity."""

ANGSTROM_IN_BOHR = 1 / 0.529177210903
PAULI = {"I": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1])}


NAMES = [
    *("bell.json", "h2-energy.json", "florentine-maxcut.json", "qubo.yaml", "sweep.json"),
    *("german-tour.json", "deliveries.json", "broadcasters.json", "teams.json", "portfolio.json"),
    *("h2.json", "lih.json", "h2_dissociation.json", "kernel.json", "climb.json", "which-circuit.json"),
]


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_a_valid_document(examples, name):
    assert checked(as_json(examples / name)).name


def test_the_florentine_example_is_the_network_of_networkx(examples):
    document = json.loads((examples / "florentine-maxcut.json").read_text())
    graph = nx.florentine_families_graph()
    names = [document["tags"][f"node.{index}"] for index in range(document["problem"]["n"])]
    assert names == list(graph.nodes)
    edges = document["problem"]["edges"]
    assert {frozenset((names[i], names[j])) for i, j, _ in edges} == {frozenset(edge) for edge in graph.edges}
    assert len(edges) == graph.number_of_edges() == 20
    assert {weight for _, _, weight in edges} == {1.0}


def test_the_demo_runs_the_example(examples):
    assert (
        files("quire").joinpath("florentine-maxcut.json").read_bytes()
        == (examples / "florentine-maxcut.json").read_bytes()
    )


def test_the_best_cut_of_the_florentine_network_is_17(examples):
    edges = json.loads((examples / "florentine-maxcut.json").read_text())["problem"]["edges"]
    sides = np.arange(2**14)  # the last node's side is fixed: a cut and its mirror image are one
    bits = [(sides >> node) & 1 for node in range(15)]
    cuts = sum(bits[i] ^ bits[j] for i, j, _ in edges)
    assert (cuts.max(), (cuts == cuts.max()).sum()) == (17, 5)


def test_the_cut_of_the_two_examples_of_verdicts_is_93_and_no_other_cut_is_worth_as_much(examples):
    alone, swept = (json.loads((examples / name).read_text()) for name in ("outdone.json", "five-seeds.json"))
    assert alone["problem"] == swept["base"]["problem"]
    sides = np.arange(2**9)  # the last node's side is fixed
    bits = [(sides >> node) & 1 for node in range(10)]
    cuts = sum(weight * (bits[i] ^ bits[j]) for i, j, weight in alone["problem"]["edges"])
    assert (cuts.max(), (cuts == cuts.max()).sum()) == (93.0, 1)


def test_the_best_portfolio_is_worth_15(examples):
    problem = checked(as_json(examples / "qubo.yaml")).problem

    def objective(x):
        return sum(v * x[i] for i, v in enumerate(problem.linear)) + sum(
            w * x[i] * x[j] for i, j, w in problem.quadratic
        )

    ranked = sorted(itertools.product((0, 1), repeat=6), key=objective)
    assert (ranked[0], objective(ranked[0])) == ((0, 1, 1, 1, 0, 1), -15)
    assert objective(ranked[1]) > -15


def operator(observable):
    """The matrix of a Pauli sum; the right-most character is qubit 0, the least significant bit."""
    return sum(c * reduce(np.kron, [PAULI[letter] for letter in label]) for label, c in observable.items())


def ansatz(theta):
    """The state of the example's program, written out: cos(theta/2) |01> + sin(theta/2) |10>."""
    return np.array([0, math.cos(theta / 2), math.sin(theta / 2), 0])


def test_the_h2_example_reaches_the_ground_state_of_its_hamiltonian(examples):
    document = json.loads((examples / "h2-energy.json").read_text())
    hamiltonian = operator(document["observables"][0])
    least = np.linalg.eigvalsh(hamiltonian)[0]
    (hartree_fock,), (theta,) = document["parameters"]
    assert least == pytest.approx(H2_EXACT_HARTREE, abs=1e-6)
    assert ansatz(theta) @ hamiltonian @ ansatz(theta) == pytest.approx(least, abs=1e-9)
    assert ansatz(hartree_fock) @ hamiltonian @ ansatz(hartree_fock) == pytest.approx(-1.116999, abs=1e-5)


def test_the_hamiltonian_is_that_of_h2_from_first_principles(examples):
    document = json.loads((examples / "h2-energy.json").read_text())
    least = ground(document["observables"][0])
    assert least == pytest.approx(h2_full_ci(0.735), abs=1e-6)
    assert abs(least - h2_full_ci(0.735)) < CHEMICAL_ACCURACY


def ground(terms):
    return np.linalg.eigvalsh(operator(terms))[0]


def test_the_hamiltonian_of_the_minimisation_is_the_estimates(examples):
    estimate = json.loads((examples / "h2-energy.json").read_text())["observables"][0]
    minimised = json.loads((examples / "h2.json").read_text())["hamiltonian"]
    assert minimised == pytest.approx(estimate, abs=1e-11)


def test_lithium_hydride_has_its_published_energy(examples):
    terms = json.loads((examples / "lih.json").read_text())["hamiltonian"]
    assert len(terms) == 100
    assert ground(terms) == pytest.approx(LIH_PUBLISHED_HARTREE, abs=1e-9)


def test_the_dissociation_curve_is_that_of_h2_from_first_principles(examples):
    variants = json.loads((examples / "h2_dissociation.json").read_text())["variants"]
    assert [variant["x"] for variant in variants] == [round(0.3 + 0.1 * step, 1) for step in range(20)]
    energies = [ground(variant["patch"]["hamiltonian"]) for variant in variants]
    assert energies == pytest.approx([h2_full_ci(variant["x"]) for variant in variants], abs=1e-6)
    assert variants[int(np.argmin(energies))]["x"] == 0.7


def h2_full_ci(angstrom):
    """Full configuration interaction of H2 in STO-3G (hartree), by closed-form integrals over s-type Gaussians.

    Basis: Hehre, Stewart, Pople, J. Chem. Phys. 51, 2657 (1969), zeta 1.24. Integrals: Szabo and Ostlund, Modern
    Quantum Chemistry, appendix A. The two symmetry orbitals need no self-consistent field.
    """
    distance = angstrom * ANGSTROM_IN_BOHR
    exponents, weights = (3.425250914, 0.6239137298, 0.1688554040), (0.1543289673, 0.5353281423, 0.4446345422)
    shell = [(a, d * (2 * a / math.pi) ** 0.75) for a, d in zip(exponents, weights, strict=True)]
    sites = (0.0, distance)

    def boys(t):
        return 1.0 if t < 1e-12 else 0.5 * math.sqrt(math.pi / t) * math.erf(math.sqrt(t))

    def overlap(a, x, b, y):
        return (math.pi / (a + b)) ** 1.5 * math.exp(-a * b / (a + b) * (x - y) ** 2)

    def core(a, x, b, y):
        p, mu = a + b, a * b / (a + b)
        centre = (a * x + b * y) / p
        kinetic = mu * (3 - 2 * mu * (x - y) ** 2) * overlap(a, x, b, y)
        nuclear = sum(boys(p * (centre - z) ** 2) for z in sites) * 2 * math.pi / p
        return kinetic - nuclear * math.exp(-mu * (x - y) ** 2)

    def repulsion(*gaussians):
        a, x, b, y, c, z, d, w = gaussians
        p, q = a + b, c + d
        between = (a * x + b * y) / p - (c * z + d * w) / q
        decay = math.exp(-a * b / p * (x - y) ** 2 - c * d / q * (z - w) ** 2)
        return 2 * math.pi**2.5 / (p * q * math.sqrt(p + q)) * decay * boys(p * q / (p + q) * between**2)

    def contracted(integral, *atoms):
        total = 0.0
        for primitives in itertools.product(shell, repeat=len(atoms)):
            flat = [value for (a, _), atom in zip(primitives, atoms, strict=True) for value in (a, sites[atom])]
            total += math.prod(d for _, d in primitives) * integral(*flat)
        return total

    s = contracted(overlap, 0, 1)
    orbitals = np.array([[1, 1], [1, -1]]) / np.sqrt([2 * (1 + s), 2 * (1 - s)])
    one = np.array([[contracted(core, i, j) for j in (0, 1)] for i in (0, 1)])
    two = np.array([contracted(repulsion, *atoms) for atoms in itertools.product((0, 1), repeat=4)]).reshape(2, 2, 2, 2)
    one = orbitals.T @ one @ orbitals
    two = np.einsum("pi,qj,rk,sl,pqrs", *[orbitals] * 4, two)
    diagonal = [2 * one[k, k] + two[k, k, k, k] for k in (0, 1)]
    exchange = two[0, 1, 0, 1]
    return np.linalg.eigvalsh([[diagonal[0], exchange], [exchange, diagonal[1]]])[0] + 1 / distance


def test_the_broadcasters_are_the_petersen_graph(examples):
    edges = checked(as_json(examples / "broadcasters.json")).problem.edges
    assert nx.is_isomorphic(nx.Graph(edges), nx.petersen_graph())
