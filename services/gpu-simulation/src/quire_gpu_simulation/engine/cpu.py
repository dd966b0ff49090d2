"""The engine's back end on processors: rows of a batch in blocks, each block one call that holds no lock."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from quire_gpu_simulation.engine import draws, kernel
from quire_gpu_simulation.engine.backend import Sweep, Tallies
from quire_gpu_simulation.engine.encode import Program, encode
from quire_gpu_simulation.engine.readout import all_qubits, strings, sums
from quire_gpu_simulation.engine.rooms import Rooms, bytes_for
from quire_quantum.observables import normalise

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from quire_gpu_simulation.engine.compiled import Compiled, Layer
    from quire_gpu_simulation.engine.readout import Bits, Strings, Sums
    from quire_gpu_simulation.engine.team import Team

BLOCK_SECONDS: Final = 2e-3
"""About how long a block takes: long beside the handing over, short beside a batch that waits for its turn."""

SHARED_SECONDS: Final = 2e-4
"""Less work than this is not shared among threads."""

AMPLITUDE_SECONDS: Final = 1e-9
SHOT_SECONDS: Final = 1e-8
ROW_SECONDS: Final = 1e-6
"""A rough cost law of one core, for the size of blocks: per amplitude and pass, per shot, per row."""

ENTRIES: Final = 1 << 17
"""Counts that a block has room for, unless a single row needs more."""

_NO_STRINGS: Final = strings((), 1)
_NO_SUMS: Final = sums((normalise({"I": 0.0}, 1),), 1)
_NO_BITS: Final = all_qubits(0)


class Prepared(NamedTuple):
    """A program, and the bytes that one row of it takes."""

    program: Program
    row_bytes: int


class CpuBackend:
    """See `backend.Backend`. `dtype` is float64 or float32; the team's threads may serve other back ends too."""

    def __init__(self, team: Team, dtype: type[np.float64 | np.float32] = np.float64) -> None:
        self._team = team
        self._dtype = dtype
        self._local = threading.local()

    @property
    def precision(self) -> str:
        """The numbers' name."""
        return np.dtype(self._dtype).name

    @property
    def device(self) -> str:
        """A processor."""
        return "cpu"

    def close(self) -> None:
        """End the team."""
        self._team.close()

    def prepare(self, compiled: Compiled, bases: tuple[Layer, ...]) -> Prepared:
        """Flat arrays."""
        program = encode(compiled, bases)
        return Prepared(program, bytes_for(program, np.dtype(self._dtype).itemsize))

    def needed(self, prepared: Prepared) -> int:
        """Bytes of a state, of its spare one where something moves, and of the probabilities."""
        return prepared.row_bytes

    def probabilities(self, prepared: Prepared, bits: Bits, sweep: Sweep) -> NDArray[np.float64]:
        """See the protocol."""
        found = np.zeros((sweep.rows, 1 << len(bits.qubits)))
        task = _Task(kernel.PROBABILITIES, prepared, sweep, bits=bits)
        self._blocks(task, lambda first, last: _answer(values=found[first:last]))
        return found

    def values(self, prepared: Prepared, strings: Strings, sweep: Sweep) -> NDArray[np.float64]:
        """See the protocol."""
        found = np.zeros((sweep.rows, len(strings.constants))) + strings.constants
        plan = strings._replace(tables=strings.tables.astype(self._dtype))
        task = _Task(kernel.EXACT, prepared, sweep, bits=_NO_BITS, strings=plan)
        self._blocks(task, lambda first, last: _answer(values=found[first:last]))
        return found

    def counts(self, prepared: Prepared, bits: Bits, sweep: Sweep, shots: int) -> Tallies:
        """See the protocol."""
        groups, octets = len(prepared.program.bases), (bits.width + 7) // 8
        most = groups * min(shots, 1 << len(bits.qubits))
        parts: dict[int, Tallies] = {}

        def room(first: int, last: int) -> kernel.Answer:
            return _answer(
                outcomes=np.empty((most * (last - first), octets), np.uint8),
                tallies=np.empty(most * (last - first), np.uint32),
                lengths=np.zeros(groups * (last - first), np.int64),
            )

        def keep(first: int, written: int, answer: kernel.Answer) -> None:
            # Copies, because a block has room for the most that there could be.
            parts[first] = Tallies(answer.lengths, answer.tallies[:written].copy(), answer.outcomes[:written].copy())

        task = _Task(kernel.COUNTS, prepared, sweep, bits=bits, shots=shots, most=most)
        self._blocks(task, room, keep)
        ordered = [parts[first] for first in sorted(parts)]
        return Tallies(
            np.concatenate([np.zeros(0, np.int64), *(each.lengths for each in ordered)]),
            np.concatenate([np.zeros(0, np.uint32), *(each.tallies for each in ordered)]),
            np.concatenate([np.zeros((0, octets), np.uint8), *(each.outcomes for each in ordered)]),
        )

    def estimates(
        self, prepared: Prepared, sums: Sums, sweep: Sweep, shots: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See the protocol."""
        columns = int(sums.observables.max()) + 1
        found, errors = np.zeros((sweep.rows, columns)), np.zeros((sweep.rows, columns))
        bits = all_qubits(prepared.program.num_qubits)
        task = _Task(kernel.ESTIMATES, prepared, sweep, bits=bits, sums=sums, shots=shots)
        self._blocks(task, lambda first, last: _answer(values=found[first:last], errors=errors[first:last]))
        return found, errors

    def _blocks(
        self,
        task: _Task,
        answer: Callable[[int, int], kernel.Answer],
        keep: Callable[[int, int, kernel.Answer], None] | None = None,
    ) -> None:
        """Run the task's rows in blocks, on the caller's thread where there is one small block only."""
        rows = task.rows_at_once(self._team.threads)
        firsts = range(0, task.sweep.rows, rows)
        blocks = [
            partial(self._block, task, first, min(first + rows, task.sweep.rows), answer, keep) for first in firsts
        ]
        if len(blocks) == 1 and task.seconds() * task.sweep.rows <= BLOCK_SECONDS:
            blocks[0]()
        else:
            self._team.run(blocks, task.prepared.row_bytes)

    def _block(
        self,
        task: _Task,
        first: int,
        last: int,
        answer: Callable[[int, int], kernel.Answer],
        keep: Callable[[int, int, kernel.Answer], None] | None,
    ) -> None:
        rooms: Rooms | None = getattr(self._local, "rooms", None)
        if rooms is None:
            rooms = self._local.rooms = Rooms(self._dtype)
        measured = 1 << len(task.bits.qubits)
        program, sweep = task.prepared.program, task.sweep
        count = draws.cells(measured, task.shots)
        where = answer(first, last)
        written = kernel.run(
            program,
            rooms.space(program),
            rooms.room(measured, count, task.shots),
            task.strings or _NO_STRINGS._replace(tables=np.zeros((0, 0), self._dtype)),
            task.sums or _NO_SUMS,
            task.bits,
            sweep.parameters,
            sweep.keys,
            sweep.places,
            first,
            last,
            task.mode,
            task.shots,
            count,
            where,
        )
        rooms.forget_large()
        if keep is not None:
            keep(first, written, where)


class _Task:
    """What one call of the back end asks of every row."""

    def __init__(
        self,
        mode: int,
        prepared: Prepared,
        sweep: Sweep,
        *,
        bits: Bits,
        strings: Strings | None = None,
        sums: Sums | None = None,
        shots: int = 0,
        most: int = 1,
    ) -> None:
        self.mode, self.prepared, self.sweep, self.bits = mode, prepared, sweep, bits
        self.strings, self.sums, self.shots, self.most = strings, sums, shots, most

    def seconds(self) -> float:
        """About the time that a row takes."""
        program = self.prepared.program
        passes = len(program.passes) + 2 + len(program.bases) * (self.shots > 0)
        return ROW_SECONDS + AMPLITUDE_SECONDS * passes * (1 << program.num_qubits) + SHOT_SECONDS * self.shots

    def rows_at_once(self, threads: int) -> int:
        """Rows of a block: of few rows each thread gets its share."""
        share = -(-self.sweep.rows // threads)
        least = int(SHARED_SECONDS / self.seconds())
        return max(1, min(int(BLOCK_SECONDS / self.seconds()), ENTRIES // self.most, max(share, least)))


def _answer(
    values: NDArray[np.float64] | None = None,
    errors: NDArray[np.float64] | None = None,
    outcomes: NDArray[np.uint8] | None = None,
    tallies: NDArray[np.uint32] | None = None,
    lengths: NDArray[np.int64] | None = None,
) -> kernel.Answer:
    return kernel.Answer(
        np.zeros((0, 0)) if values is None else values,
        np.zeros((0, 0)) if errors is None else errors,
        np.zeros((0, 0), np.uint8) if outcomes is None else outcomes,
        np.zeros(0, np.uint32) if tallies is None else tallies,
        np.zeros(0, np.int64) if lengths is None else lengths,
    )
