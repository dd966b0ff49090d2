"""A task's answer as its user reads it, or packed where it is too large for that."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quire_contracts.result import EstimateResult, SampleResult
from quire_quantum.counts import PackedCounts, unpack

RESULT_BYTES: Final = 48 * 1024
"""JSON of a result that still travels in a message; above, counts stay packed and values go by reference."""

_ENTRY_BYTES: Final = 4
"""Of JSON around an outcome's own characters and its tally: two quotes, a colon and a comma."""

_POWERS: Final = 10 ** np.arange(1, 10, dtype=np.uint32)
"""A tally has one digit, and one more for each of these that it reaches."""


def counts_result(counts: PackedCounts) -> SampleResult | None:
    """One object of counts for each row, or None where its JSON would be above `RESULT_BYTES`.

    Outcomes are in Qiskit's order, by rising number, so that equal counts give equal results.
    """
    least = len(counts.tallies) * (counts.bits + _ENTRY_BYTES + 1)
    return None if least > RESULT_BYTES else counts_results(counts, [counts.rows])[0]


def counts_results(counts: PackedCounts, rows: Sequence[int]) -> list[SampleResult | None]:
    """The results of answers whose counts were laid after each other, `rows` of each; as `counts_result` of each."""
    digits = 1 + np.searchsorted(_POWERS, counts.tallies, side="right")
    sizes = np.concatenate(([0], np.cumsum(digits + (counts.bits + _ENTRY_BYTES))))[counts.offsets]
    edges = list(accumulate(rows, initial=0))
    objects = unpack(counts)
    return [
        SampleResult(counts=tuple(objects[start:end]))
        if sizes[end] - sizes[start] + 3 * (end - start) <= RESULT_BYTES
        else None
        for start, end in pairwise(edges)
    ]


def estimate_result(values: NDArray[np.float64], errors: NDArray[np.float64]) -> EstimateResult:
    """Values and standard errors of shape [parameter sets, observables]."""
    return EstimateResult(_rows(values), _rows(errors))


def _rows(values: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, values.tolist()))
