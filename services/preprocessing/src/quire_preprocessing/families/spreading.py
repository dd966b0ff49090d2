"""The spread of one document's answers over seeds, from a sweep whose variants differ in nothing else."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING, Final

from quire_contracts.verdict import Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.document import SweepJob
    from quire_contracts.result import Point

_BESIDE_THE_WORK: Final = frozenset({"seed", "name", "tags"})
"""Fields of a patch that leave the work what it is, but for chance."""

_FEWEST: Final = 2


def spread_of(sweep: SweepJob, points: Sequence[Point]) -> Spread | None:
    """The spread of the quantum values; None where variants differ in more than a seed, or there are fewer than two.

    A seed that is named twice makes no spread. The standard deviation is a sample's: divided by one fewer than values.
    """
    if any(set(variant.patch) - _BESIDE_THE_WORK for variant in sweep.variants):
        return None
    named = [str(variant.patch.get("seed", sweep.base.get("seed", ""))) for variant in sweep.variants]
    if any(seed and named.count(seed) > 1 for seed in named):
        return None
    values = [point.value for point in points if point.value is not None and _is_quantum(point)]
    if len(values) < _FEWEST:
        return None
    return Spread(len(values), min(values), fmean(values), max(values), stdev(values))


def _is_quantum(point: Point) -> bool:
    """Whether a value is of circuits that ran; results that say nothing of it are."""
    return getattr(point.result, "source", "quantum") == "quantum"
