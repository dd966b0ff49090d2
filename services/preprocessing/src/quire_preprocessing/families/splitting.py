"""A problem's variables in parts of a bounded width that are coupled strongly within and weakly between."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from quire_preprocessing.draws import derived_seed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import networkx as nx

    from quire_preprocessing.optimize.ising import Energy

Part = tuple[int, ...]
"""Variables, rising."""

METHOD: Final = "greedy modularity, Kernighan-Lin halves, small parts joined"


def split(energy: Energy, width: int, seed: int) -> tuple[Part, ...]:
    """The variables in parts of at most `width` (at least 4), each variable in one part; by their first variables.

    First the communities of the graph whose edges weigh what the couplings do, signs left out, by greedy modularity
    (Clauset, Newman, Moore, Phys. Rev. E 70, 066111, 2004). Those that are too wide are halved so that the halves are
    coupled weakly (Kernighan, Lin, 1970), again and again. Parts that fit together are joined, the strongest coupled
    first, so that no two are left that do: there are at most ``2 n / width + 1`` of them. Equal arguments give equal
    parts. For 512 variables that are all coupled it takes some seconds.
    """
    import networkx as nx  # noqa: PLC0415 - most problems are not partitioned, and it weighs 20 MB

    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(energy.variables))
    graph.add_weighted_edges_from((i, j, abs(weight)) for i, j, weight in energy.couplings)
    communities = nx.community.greedy_modularity_communities(graph, weight="weight") if energy.couplings else ()
    found = [tuple(sorted(each)) for each in communities] or [(i,) for i in range(energy.variables)]
    narrow = [part for each in sorted(found) for part in _narrowed(graph, each, width, seed)]
    return joined(narrow, energy, width)


def _narrowed(graph: nx.Graph[int], part: Part, width: int, seed: int) -> list[Part]:
    """The part, or the halves of its halves, each at most `width` wide."""
    if len(part) <= width:
        return [part]
    import networkx as nx  # noqa: PLC0415

    within: nx.Graph[int] = nx.Graph()
    within.add_nodes_from(part)  # in this order, which the halves depend on
    within.add_edges_from((i, j, data) for i, j, data in graph.subgraph(part).edges(data=True))
    drawn = derived_seed(seed, f"halves {part[0]} {len(part)}", 31)
    halves = nx.community.kernighan_lin_bisection(within, weight="weight", seed=drawn)
    return [
        each for half in sorted(tuple(sorted(half)) for half in halves) for each in _narrowed(graph, half, width, seed)
    ]


def joined(parts: Sequence[Part], energy: Energy, width: int) -> tuple[Part, ...]:
    """The parts, two at a time made one while two are together at most `width` wide: the strongest coupled first."""
    kept = dict(enumerate(parts))
    where = {variable: name for name, part in kept.items() for variable in part}
    between: defaultdict[tuple[int, int], float] = defaultdict(float)
    for i, j, weight in energy.couplings:
        one, other = sorted((where[i], where[j]))
        if one != other:
            between[one, other] += abs(weight)
    while pair := _best_pair(kept, between, width):
        one, other = pair
        kept[one] = tuple(sorted(kept[one] + kept.pop(other)))
        for third in kept.keys() - {one}:
            moved = between.pop((min(other, third), max(other, third)), 0.0)
            if moved:
                between[min(one, third), max(one, third)] += moved
        between.pop((one, other), None)
    return tuple(sorted(kept.values()))


def _best_pair(
    parts: dict[int, Part], between: defaultdict[tuple[int, int], float], width: int
) -> tuple[int, int] | None:
    """The two that fit together and are coupled most; of equals those that make the smallest part, then the first."""
    sizes = {name: len(part) for name, part in parts.items()}
    fitting = (
        (-between.get((one, other), 0.0), sizes[one] + sizes[other], one, other)
        for one, other in itertools.combinations(sorted(parts), 2)
        if sizes[one] + sizes[other] <= width
    )
    best = min(fitting, default=None)
    return None if best is None else best[2:]


def weight_within(energy: Energy, parts: Iterable[Part]) -> float:
    """The share of the couplings' absolute weight that lies within the parts; 1 where there are no couplings."""
    where = {variable: name for name, part in enumerate(parts) for variable in part}
    inside = total = 0.0
    for i, j, weight in energy.couplings:
        total += abs(weight)
        inside += abs(weight) if where[i] == where[j] else 0.0
    return inside / total if total else 1.0
