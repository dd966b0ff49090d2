"""The one compiled entry of the CPU back end: rows of a batch, from parameters to what is asked for.

One entry and not four, because compiling the passes is most of what the first start on a machine waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from quire_gpu_simulation.engine import draws, tallies, values
from quire_gpu_simulation.engine.evolve import evolve, layer
from quire_gpu_simulation.engine.jit import digest, entry, part
from quire_gpu_simulation.engine.vector import lanes, load, store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PROBABILITIES: Final = 0
EXACT: Final = 1
COUNTS: Final = 2
ESTIMATES: Final = 3


class Room(NamedTuple):
    """One thread's room for shots; what it holds between rows is zeros in `hits` and `inner_hits`."""

    probabilities: NDArray[np.floating]
    edges: NDArray[np.float64]
    guide: NDArray[np.int32]
    hits: NDArray[np.int32]
    cell_of: NDArray[np.int32]
    place_of: NDArray[np.float64]
    sorted_of: NDArray[np.float64]
    inner: NDArray[np.float64]
    inner_hits: NDArray[np.int32]
    found: NDArray[np.int64]
    tallies: NDArray[np.int64]
    scratch: NDArray[np.float64]


class Answer(NamedTuple):
    """Where the rows first..last leave their answers; each array begins with row `first`.

    values, errors: float64 [rows, observables], zeros before; for probabilities `values` is [rows, 2^qubits].
    outcomes, tallies: the entries of all rows after each other; lengths: int64 [rows * groups], entries of each.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    outcomes: NDArray[np.uint8]
    tallies: NDArray[np.uint32]
    lengths: NDArray[np.int64]


@part
def _based(program: Any, space: Any, re: Any, im: Any, to_re: Any, to_im: Any, group: int) -> Any:
    """The state in a measurement basis: itself, or a turned copy in the spare arrays."""
    begin, end = program.bases[group]
    if begin == end:
        return re, im
    for row in range(len(re) // lanes(re)):
        store(to_re, row, load(re, row))
        store(to_im, row, load(im, row))
    layer(program, space, to_re, to_im, -1, begin, end)
    return to_re, to_im


def _compiled(sources: str) -> Any:
    @entry
    def run(
        program: Any,
        space: Any,
        room: Any,
        strings: Any,
        sums: Any,
        bits: Any,
        parameters: Any,
        keys: Any,
        places: Any,
        first: int,
        last: int,
        mode: int,
        shots: int,
        count: int,
        answer: Any,
    ) -> int:
        """Work rows first..last of `parameters` out and return how many entries of counts were written.

        keys, places: uint64 [rows, 2] and int64 [rows], what the random numbers of each row follow from.
        count: cells that outcomes are drawn from, by `draws.cells`.
        """
        sources  # noqa: B018 - a part of the cached function's name on disk
        size = 1 << program.num_qubits
        outcomes = 1 << len(bits.qubits)
        written = 0
        for row in range(first, last):
            at = row - first
            re, im, to_re, to_im = evolve(program, space, parameters[row])
            if mode == EXACT:
                out = answer.values[at]
                values.tabled(re, im, size, strings.tables, out)
                values.strings(re, im, size, strings, room.probabilities, out)
                continue
            if mode == PROBABILITIES:
                draws.probabilities(re, im, size, bits, room.probabilities)
                for x in range(outcomes):
                    answer.values[at, x] = room.probabilities[x]
                continue
            groups = len(program.bases)
            for group in range(groups):
                of_re, of_im = _based(program, space, re, im, to_re, to_im, group)
                draws.probabilities(of_re, of_im, size, bits, room.probabilities)
                random = draws.stream(keys[row], places[row], group)
                entries = draws.draw(room.probabilities, outcomes, count, shots, random, room, room.found, room.tallies)
                if mode == COUNTS:
                    tallies.write(room.found, room.tallies, entries, bits, written, answer.outcomes, answer.tallies)
                    answer.lengths[at * groups + group] = entries
                    written += entries
                else:
                    tallies.estimate(
                        sums,
                        group,
                        room.found,
                        room.tallies,
                        entries,
                        shots,
                        room.scratch,
                        answer.values[at],
                        answer.errors[at],
                    )
            if mode == ESTIMATES:
                tallies.rooted(answer.errors[at])
        return written

    return run


run: Final = _compiled(digest())
