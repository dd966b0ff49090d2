"""Which rows go together: those of one call of the simulator, so that memory stays bounded, and those of a member."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from quire_quantum.executor import Member

_STATE_BYTES = 16
_PROBABILITY_BYTES = 2 * 8
"""Each probability exists twice for a moment: in the simulator's result and in ours."""


_VALUES_BYTES = 4 * 1024
"""A row without probabilities: its values and Aer's words about it."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a call may take: `rows` parameter sets, worked on by `threads` threads, each on a state of its own."""

    rows: int
    threads: int


def room(qubits: int, memory_bytes: int, threads: int, *, keeps_probabilities: bool) -> Room:
    """The most rows whose results fit into the memory with the states of the threads that make them; at least one.

    Where memory is short there are fewer threads than `threads`.
    """
    amplitudes = 1 << qubits
    each = _PROBABILITY_BYTES * amplitudes if keeps_probabilities else _VALUES_BYTES
    state = _STATE_BYTES * amplitudes
    used = max(1, min(threads, memory_bytes // (state + each)))
    return Room(max(1, (memory_bytes - used * state) // each), used)


def cuts(rows: int, at_once: int) -> Iterator[slice]:
    """Row ranges of at most `at_once` that cover `rows` rows in order."""
    for start in range(0, rows, at_once):
        yield slice(start, min(start + at_once, rows))


def member_rows(members: Sequence[Member]) -> list[slice]:
    """The rows of each member among those of all of them, one member's after the other's."""
    lengths = [len(member.parameters) for member in members]
    return [slice(end - length, end) for end, length in zip(accumulate(lengths), lengths, strict=True)]
