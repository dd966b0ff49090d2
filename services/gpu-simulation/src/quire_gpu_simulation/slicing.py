"""How many parameter sets go into one call of the simulator, so that memory stays bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATE_BYTES = 16
_PROBABILITY_BYTES = 2 * 8
"""Each probability exists twice for a moment: in the simulator's result and in ours."""


_VALUES_BYTES = 4 * 1024
"""A row without probabilities: its values and Aer's words about it."""


def rows_at_once(qubits: int, memory_bytes: int, threads: int, *, keeps_probabilities: bool) -> int:
    """Rows whose results, with the states of the threads that make them, fit into the memory; at least one."""
    amplitudes = 1 << qubits
    room = memory_bytes - threads * _STATE_BYTES * amplitudes
    each = _PROBABILITY_BYTES * amplitudes if keeps_probabilities else _VALUES_BYTES
    return max(1, room // each)


def cuts(rows: int, at_once: int) -> Iterator[slice]:
    """Row ranges of at most `at_once` that cover `rows` rows in order."""
    for start in range(0, rows, at_once):
        yield slice(start, min(start + at_once, rows))
