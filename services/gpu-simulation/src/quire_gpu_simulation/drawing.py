"""Counts of circuits that measure at their end alone: each row from its own probabilities, by a stream of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quire_gpu_simulation.slicing import cuts, member_rows
from quire_plane.sampling import draw, read_out
from quire_quantum.counts import pack_integers
from quire_quantum.executor import MemberOutcome, row_generator
from quire_quantum.observables import final_measurements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from quire_quantum.executor import Work
    from quire_quantum.structure import Structure

    Pairs = tuple[NDArray[np.uint64], NDArray[np.int64]]
    """A circuit's outcomes and how often each came."""

    ProbabilitiesOf = Callable[[int, NDArray[np.float64]], Iterable[NDArray[np.float64]]]
    """Of a circuit's place and parameters [rows, parameters]: the rows' probabilities of the basis states, in order."""


def drawn(
    work: Work, circuits: Sequence[Structure], at_once: int, probabilities_of: ProbabilitiesOf
) -> tuple[MemberOutcome, ...]:
    """Counts of work with shots; rows of all members are worked out together, at most `at_once` of them at a time.

    Counts of place r in a task by circuit c come from the stream of (the member's seed, r, c).
    """
    owners = [(member.seed, row) for member in work.members for row in member.places]
    together = np.concatenate([member.parameters for member in work.members])
    table: list[list[Pairs]] = [[] for _ in owners]
    for index, circuit in enumerate(circuits):
        measured = final_measurements(circuit)
        for cut in cuts(len(together), at_once):
            found = probabilities_of(index, together[cut])
            for row, probabilities in zip(range(cut.start, cut.stop), found, strict=True):
                seed, place = owners[row]
                states, tallies = draw(probabilities, work.shots or 0, row_generator(seed, place, index))
                table[row].append((read_out(states, measured), tallies))
    return in_members(work, table, circuits[0].num_bits)


def in_members(work: Work, table: Sequence[Sequence[Pairs]], bits: int) -> tuple[MemberOutcome, ...]:
    """Each member's share of a table of all rows: of each row its circuits' counts, in order."""
    return tuple(
        MemberOutcome(counts=pack_integers([pair for row in table[cut] for pair in row], bits=bits))
        for cut in member_rows(work.members)
    )
