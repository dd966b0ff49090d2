"""A thread's memory between blocks: states are made once for a width, not once for a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from quire_gpu_simulation.engine.evolve import Space, aligned, has_spare, space
from quire_gpu_simulation.engine.kernel import Room
from quire_gpu_simulation.engine.values import BLOCK
from quire_gpu_simulation.engine.vector import BYTES

if TYPE_CHECKING:
    from quire_gpu_simulation.engine.encode import Program

KEPT_BYTES: Final = 1 << 25
"""A state larger than this is given back after each block: making it anew costs little beside running it."""


def bytes_for(program: Program, itemsize: int) -> int:
    """Bytes of one row at work: its state, a spare one where something moves, and probabilities."""
    arrays = 5 if has_spare(program) else 3
    return arrays * itemsize * max(BYTES // itemsize, 1 << program.num_qubits)


class Rooms:
    """One thread's arrays, of float64 or float32; those of the last width are kept."""

    def __init__(self, dtype: type[np.float64 | np.float32]) -> None:
        self._dtype = dtype
        self._space: tuple[object, Space] | None = None
        self._room: tuple[object, Room] | None = None

    def space(self, program: Program) -> Space:
        """Room for a program's passes."""
        shape = (program.num_qubits, has_spare(program), len(program.gate_qubits), len(program.angle_offsets))
        if self._space is None or self._space[0] != shape:
            self._space = None
            self._space = (shape, space(program, self._dtype))
        return self._space[1]

    def room(self, outcomes: int, count: int, shots: int) -> Room:
        """Room for so many outcomes in so many cells, and shots."""
        shape = (outcomes, count, shots)
        if self._room is None or self._room[0] != shape:
            self._room = None
            self._room = (shape, _room(outcomes, count, shots, self._dtype))
        return self._room[1]

    def forget_large(self) -> None:
        """Give large arrays back."""
        if self._space is not None and self._space[1].re.nbytes > KEPT_BYTES:
            self._space = None
        if self._room is not None and self._room[1].probabilities.nbytes > KEPT_BYTES:
            self._room = None


def _room(outcomes: int, count: int, shots: int, dtype: type[np.float64 | np.float32]) -> Room:
    apart = shots if count < outcomes else 0
    most = min(shots, outcomes)  # and one place behind, written to and not kept
    return Room(
        probabilities=aligned(max(outcomes, BLOCK), dtype),
        edges=np.zeros(count),
        guide=np.zeros(count + 1, np.int32),
        hits=np.zeros(count, np.int32),
        cell_of=np.zeros(apart, np.int32),
        place_of=np.zeros(apart),
        sorted_of=np.zeros(apart),
        inner=np.zeros(outcomes // count),
        inner_hits=np.zeros(outcomes // count, np.int32),
        found=np.zeros(most + 1, np.int64),
        tallies=np.zeros(most + 1, np.int64),
        scratch=np.zeros(most),
    )
