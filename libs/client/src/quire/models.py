"""Problems from what people have already: a networkx graph, a dimod model, an LP file."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from quire_contracts import limits

if TYPE_CHECKING:
    from os import PathLike


@dataclass(frozen=True)
class Model:
    """A problem of a job document, and what its variables, nodes or cities are called where it comes from."""

    problem: dict[str, Any]
    labels: tuple[Hashable, ...]

    def document(self, **fields: Any) -> dict[str, Any]:
        """The job document, with more of its fields; up to 32 labels become the tags by which answers are read."""
        tags = {f"node.{i}": str(label)[:256] for i, label in enumerate(self.labels)}
        named = tags if len(tags) + len(fields.get("tags", {})) <= limits.TAGS else {}
        return {"kind": "optimize", "problem": self.problem, **fields, "tags": named | fields.get("tags", {})}

    def sample(self, assignment: Sequence[int]) -> dict[Hashable, int]:
        """An assignment by label; of an `ising` problem spins, of any other 0 and 1.

        Raises:
            ValueError: if it is not one number for each label, as where a tour has more variables than cities.
        """
        spins = self.problem["type"] == "ising"
        values = [1 - 2 * bit for bit in assignment] if spins else assignment
        return dict(zip(self.labels, values, strict=True))


def maxcut(graph: Any, weight: str = "weight") -> Model:
    """Maximum cut of an undirected networkx graph; an edge without that attribute weighs 1."""
    nodes, at = _nodes(graph)
    edges = [[at[u], at[v], float(w)] for u, v, w in graph.edges(data=weight, default=1.0)]
    return Model({"type": "maxcut", "edges": edges, "n": len(nodes)}, nodes)


def independent_set(graph: Any, weight: str = "weight") -> Model:
    """Maximum independent set of a networkx graph; a node without that attribute weighs 1."""
    nodes, at = _nodes(graph)
    edges = [[at[u], at[v]] for u, v in graph.edges()]
    weights = [float(w) for _, w in graph.nodes(data=weight, default=1.0)]
    return Model({"type": "independent-set", "edges": edges, "n": len(nodes), "weights": weights}, nodes)


def travelling_salesman(graph: Any, weight: str = "weight") -> Model:
    """A tour through every node of a networkx graph, directed or not, that starts at the first one.

    Raises:
        ValueError: if two nodes have no edge: then there is no distance, and not every order is a tour.
    """
    nodes, _ = _nodes(graph)
    distances = [[0.0 if u == v else _distance(graph, u, v, weight) for v in nodes] for u in nodes]
    return Model({"type": "travelling-salesman", "distances": distances}, nodes)


def from_bqm(model: Any) -> Model:
    """A dimod binary quadratic model, spins as `ising` and bits as `qubo`; the least energy is the best."""
    labels = tuple(model.variables)
    at = {label: i for i, label in enumerate(labels)}
    linear = [float(model.linear[label]) for label in labels]
    pairs = [[at[u], at[v], float(w)] for (u, v), w in model.quadratic.items()]
    size, offset = len(labels), float(model.offset)
    if model.vartype.name == "SPIN":
        return Model({"type": "ising", "n": size, "h": linear, "j": pairs, "offset": offset}, labels)
    return Model({"type": "qubo", "n": size, "linear": linear, "quadratic": pairs, "offset": offset}, labels)


@dataclass(frozen=True)
class Solution:
    """An assignment in the terms of an LP file: its variables, its objective, and the constraints that do not hold."""

    values: dict[Hashable, float]
    objective: float
    violations: tuple[str, ...]

    @property
    def feasible(self) -> bool:
        """Whether every constraint holds."""
        return not self.violations


@dataclass(frozen=True)
class Program:
    """A mixed integer program as a problem over bits; its integers and constraints are in them, with penalties.

    `sense` is what the file asks for; the problem's objective is to be minimised, and has penalties beside it.
    """

    model: Model
    sense: Literal["min", "max"]
    _constrained: Any
    _bits: tuple[Hashable, ...]
    _invert: Callable[[Mapping[Hashable, int]], Mapping[Hashable, float]]

    def document(self, **fields: Any) -> dict[str, Any]:
        """As `Model.document`."""
        return self.model.document(**fields)

    def solution(self, assignment: Sequence[int]) -> Solution:
        """An assignment held against the program itself."""
        values = self._invert(dict(zip(self._bits, assignment, strict=True)))
        objective = float(self._constrained.objective.energy(values))
        sign = -1.0 if self.sense == "max" else 1.0
        broken = [
            f"{label} is violated by {excess:g}"
            for label, excess in self._constrained.violations(values, skip_satisfied=True).items()
        ]
        return Solution(dict(values), sign * objective + 0.0, tuple(broken))


def from_lp(path: str | PathLike[str], penalty: float | None = None) -> Program:
    """A linear or quadratic program of bounded integers and bits, from a file in LP format (needs `quire[models]`).

    Each constraint becomes a square with slack bits (dimod's `cqm_to_bqm`). Its weight is `penalty`; by default more
    than the objective can differ by, so that no violation of one unit pays.

    Raises:
        ValueError: if the file is no such program, or has variables that are not whole numbers.
    """
    import dimod

    text = Path(path).read_text(encoding="utf-8")
    program = dimod.lp.loads(text)
    weight = penalty if penalty is not None else 1.0 + _reach(program)
    bits, invert = dimod.cqm_to_bqm(program, lagrange_multiplier=weight)
    model = from_bqm(bits.change_vartype(dimod.BINARY, inplace=False))
    own = set(program.variables)
    named = tuple(
        str(label) if label in own else f"bit {i}" for i, label in enumerate(model.labels)
    )  # dimod's slack bits are named anew each time
    return Program(Model(model.problem, named), _sense(text), program, model.labels, invert)


def _sense(text: str) -> Literal["min", "max"]:
    """What the first word that is no comment says."""
    words = (line.partition("\\")[0].strip().lower() for line in text.splitlines())
    return "max" if next(filter(None, words), "").startswith("max") else "min"


def _reach(program: Any) -> float:
    """What the objective can differ by between two assignments, at most."""
    objective = program.objective

    def span(label: Hashable) -> float:
        return max(abs(float(program.lower_bound(label))), abs(float(program.upper_bound(label))))

    linear = (abs(w) * span(v) for v, w in objective.linear.items())
    quadratic = (abs(w) * span(u) * span(v) for (u, v), w in objective.quadratic.items())
    return 2 * math.fsum((*linear, *quadratic))


def _nodes(graph: Any) -> tuple[tuple[Hashable, ...], dict[Hashable, int]]:
    nodes = tuple(graph.nodes)
    return nodes, {node: i for i, node in enumerate(nodes)}


def _distance(graph: Any, u: Hashable, v: Hashable, weight: str) -> float:
    if not graph.has_edge(u, v):
        raise ValueError(f"there is no edge from {u!r} to {v!r}: give every pair of nodes a distance")
    return float(graph.edges[u, v].get(weight, 1.0))
