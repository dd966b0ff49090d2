"""A task's answer as its user reads it, or packed where it is too large for that."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quire_aggregation.evidence import Evidence
from quire_contracts.result import EstimateResult, SampleResult
from quire_quantum.counts import PackedCounts, unpack

RESULT_BYTES: Final = 48 * 1024
"""JSON of a result that still travels in a message; above, counts stay packed and values go by reference."""

_ENTRY_BYTES: Final = 4
"""Of JSON around an outcome's own characters and its tally: two quotes, a colon and a comma."""


def counts_result(counts: PackedCounts) -> SampleResult | None:
    """One object of counts for each row, or None where its JSON would be above `RESULT_BYTES`.

    Outcomes are in Qiskit's order, by rising number, so that equal counts give equal results.
    """
    digits = np.char.str_len(counts.tallies.astype(str)).sum() if len(counts.tallies) else 0
    size = len(counts.tallies) * (counts.bits + _ENTRY_BYTES) + int(digits) + 3 * counts.rows
    return None if size > RESULT_BYTES else SampleResult(counts=tuple(unpack(counts)))


def estimate_result(values: NDArray[np.float64], errors: NDArray[np.float64]) -> EstimateResult:
    """Values and standard errors of shape [parameter sets, observables]."""
    return EstimateResult(_rows(values), _rows(errors))


def shots_run(evidence: Evidence) -> int:
    """All shots of a task, over its parameter sets and measurement groups."""
    return int(evidence.counts.shots.sum()) if evidence.sampled else 0


def _rows(values: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, values.tolist()))
