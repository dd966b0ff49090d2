"""The compiled form as the GPU runs it: sweeps over the state, each with all that its blocks can do in shared memory.

A block of a sweep holds 2^tile_bits amplitudes that share all bits but those of the sweep's tile. Diagonals fit any
tile; a one-qubit gate, an exchange or a map of basis states must stay within it, else a new sweep begins. A circuit of
at most `tile_bits` qubits is one sweep: the state is read from nowhere and written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_gpu_simulation.engine.compiled import Exchange, Layer, OneQubit, Permutation, Phases
from quire_gpu_simulation.engine.gpu_source import (
    AXES,
    EXCHANGE,
    GATHER,
    LOAD,
    MOVE,
    OP_WORDS,
    PHASES,
    PRODUCT,
    TURN_1,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from quire_gpu_simulation.engine.compiled import Affine, Compiled, Pass

COALESCED_BITS: Final = 4
"""Every tile has the lowest qubits, so that a warp reads runs of 2^4 amplitudes."""

_AT_ONCE: Final = 3
"""Gates of so many qubits are applied for one reading of shared memory."""

_STILL: Final = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Sweep:
    """One launch: `qubits` are the tile's, rising, then the others; operations begin..end; `gather` is in `columns`."""

    qubits: tuple[int, ...]
    mode: int
    gather: int
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class GpuProgram:
    """A circuit as flat arrays, in the words of `gpu_source`; gates 0 to num_qubits - 1 make the product state."""

    num_qubits: int
    tile_bits: int
    sweeps: tuple[Sweep, ...]
    ops: NDArray[np.int32]
    parities: NDArray[np.int32]
    columns: NDArray[np.int32]
    gate_first: NDArray[np.int32]
    turns: NDArray[np.int32]
    constants: NDArray[np.float64]
    offsets: NDArray[np.float64]
    angle_first: NDArray[np.int32]
    angle_columns: NDArray[np.int32]
    angle_scales: NDArray[np.float64]

    @property
    def gates(self) -> int:
        """How many 2x2 matrices a set has."""
        return len(self.gate_first) - 1


def width_of(num_qubits: int, least: int) -> int:
    """The qubits of the state on the GPU: idle ones are added to circuits that are too small for a warp."""
    return max(num_qubits, least)


def plan(compiled: Compiled, tile_bits: int, width: int) -> GpuProgram:
    """The sweeps of a circuit on `width` qubits, at least its own; `tile_bits` is at most `width`."""
    planner = _Planner(width, tile_bits)
    planner.start(compiled.start.gates)
    for each in compiled.passes:
        planner.add(each)
    return planner.finished(compiled.angles)


def plan_layer(layer: Layer, tile_bits: int, width: int) -> GpuProgram:
    """One more layer of constant gates on a state that is there already."""
    planner = _Planner(width, tile_bits)
    planner.start(())
    planner.mode = LOAD
    planner.add(layer)
    return planner.finished(())


class _Planner:
    def __init__(self, width: int, tile_bits: int) -> None:
        self.width = width
        self.tile_bits = tile_bits
        self.mode = PRODUCT
        self._gather = -1
        self._tile = tuple(range(tile_bits))
        self._begin = 0
        self._sweeps: list[Sweep] = []
        self._ops: list[list[int]] = []
        self._parities: list[tuple[int, int, int]] = []
        self._columns: list[int] = []
        self._gate_first = [0]
        self._turns: list[tuple[int, int]] = []
        self._constants: list[tuple[float, ...]] = []

    def start(self, gates: Sequence[OneQubit]) -> None:
        """The product state: one gate for each qubit, at the index of the qubit."""
        by_qubit = {gate.qubit: gate for gate in gates}
        for qubit in range(self.width):
            self._gate(by_qubit[qubit]) if qubit in by_qubit else self._still()

    def add(self, each: Pass) -> None:
        """The next pass."""
        if isinstance(each, Layer):
            self._layer(each)
        elif isinstance(each, Phases):
            self._parities += [(_signed(mask), angle, sign) for mask, angle, sign in each.parities]
            self._op(PHASES, len(self._parities) - len(each.parities), len(self._parities))
        elif isinstance(each, Permutation):
            self._permutation(each)
        else:
            self._exchange(each)

    def finished(self, angles: Sequence[Affine]) -> GpuProgram:
        """The program."""
        self._close()
        terms = [angle.terms for angle in angles]
        return GpuProgram(
            num_qubits=self.width,
            tile_bits=self.tile_bits,
            sweeps=tuple(self._sweeps),
            ops=np.array(self._ops, np.int32).reshape(-1, OP_WORDS),
            parities=np.array(self._parities, np.int32).reshape(-1, 3),
            columns=np.array(self._columns, np.int32),
            gate_first=np.array(self._gate_first, np.int32),
            turns=np.array(self._turns, np.int32).reshape(-1, 2),
            constants=np.array(self._constants, np.float64).reshape(-1, 8),
            offsets=np.array([angle.offset for angle in angles]),
            angle_first=np.cumsum([0, *(len(each) for each in terms)], dtype=np.int32),
            angle_columns=np.array([column for each in terms for column, _ in each], np.int32),
            angle_scales=np.array([scale for each in terms for _, scale in each], np.float64),
        )

    def _layer(self, layer: Layer) -> None:
        left = list(layer.gates)
        while left:
            here = [gate for gate in left if gate.qubit in self._tile]
            for first in range(0, len(here), _AT_ONCE):
                some = here[first : first + _AT_ONCE]
                words = [word for gate in some for word in (self._tile.index(gate.qubit), self._gate(gate))]
                self._op(TURN_1 + len(some) - 1, *words)
            left = [gate for gate in left if gate.qubit not in self._tile]
            if left:
                self._open(gate.qubit for gate in left)

    def _permutation(self, moved: Permutation) -> None:
        columns = (*moved.columns, *(1 << qubit for qubit in range(len(moved.columns), self.width)))
        inside = _mask(self._tile)
        strays = moved.offset & ~inside
        for qubit, column in enumerate(columns):
            strays |= (column ^ (1 << qubit)) & ~inside
        if not strays:
            place = len(self._columns)
            order = (*self._tile, *self._others(self._tile))
            # Of a bit outside of the tile only what it changes inside is told: the block's own bits stay.
            self._columns += [self._local(moved.offset), *(self._local(columns[qubit]) for qubit in order)]
            self._op(MOVE, place)
            return
        self._close()
        self._gather, self.mode = len(self._columns), GATHER
        self._columns += [_signed(moved.offset), *map(_signed, columns)]
        self._tile = self._tile_with(())

    def _exchange(self, pairs: Exchange) -> None:
        flipped = [qubit for qubit in range(self.width) if pairs.flip >> qubit & 1]
        if not set(flipped) <= set(self._tile):
            self._open(flipped)
        self._op(EXCHANGE, _signed(pairs.mask), _signed(pairs.value), self._local(pairs.flip))

    def _open(self, wanted: Iterable[int]) -> None:
        """Begin another sweep, with these qubits in its tile as far as there is room."""
        self._close()
        self._tile = self._tile_with(wanted)

    def _close(self) -> None:
        """End the sweep that is under way, if it does anything."""
        if self.mode != LOAD or len(self._ops) > self._begin:
            qubits = (*self._tile, *self._others(self._tile))
            self._sweeps.append(Sweep(qubits, self.mode, self._gather, self._begin, len(self._ops)))
        self.mode, self._gather, self._begin = LOAD, -1, len(self._ops)

    def _tile_with(self, wanted: Iterable[int]) -> tuple[int, ...]:
        low = min(COALESCED_BITS, self.tile_bits - 2)
        order = dict.fromkeys((*range(low), *wanted, *range(self.width)))
        return tuple(sorted(list(order)[: self.tile_bits]))

    def _others(self, tile: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(qubit for qubit in range(self.width) if qubit not in tile)

    def _local(self, bits: int) -> int:
        return sum((bits >> qubit & 1) << place for place, qubit in enumerate(self._tile))

    def _op(self, *words: int) -> None:
        self._ops.append([*words, *[0] * (OP_WORDS - len(words))])

    def _gate(self, gate: OneQubit) -> int:
        for turn in gate.turns:
            if turn.axis == "matrix":
                self._turns.append((AXES["matrix"], len(self._constants)))
                self._constants.append(tuple(part for entry in turn.entries for part in (entry.real, entry.imag)))
            else:
                self._turns.append((AXES[turn.axis], turn.angle))
        self._gate_first.append(len(self._turns))
        return len(self._gate_first) - 2

    def _still(self) -> None:
        self._turns.append((AXES["matrix"], len(self._constants)))
        self._constants.append(_STILL)
        self._gate_first.append(len(self._turns))


def _mask(qubits: Iterable[int]) -> int:
    return sum(1 << qubit for qubit in qubits)


def _signed(bits: int) -> int:
    """32 bits as the int32 that has them."""
    return bits - (1 << 32) if bits >> 31 else bits
