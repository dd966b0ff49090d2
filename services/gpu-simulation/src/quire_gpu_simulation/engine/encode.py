"""The compiled form as flat arrays, which numba's functions can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from quire_gpu_simulation.engine.compiled import Compiled, Exchange, Layer, Permutation, Phases
from quire_gpu_simulation.engine.monomial import NEAR_BITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from quire_gpu_simulation.engine.compiled import Parity

LAYER: Final = 0
PHASES: Final = 1
PERMUTATION: Final = 2
EXCHANGE: Final = 3

LOW_BITS: Final = 8
"""Phases and permutations are worked out in tables over so many low bits."""

_AXES: Final = {"matrix": 0, "x": 1, "y": 2, "z": 3}


class Program(NamedTuple):
    """`passes` is int64 [passes, 3]: what, and the range of gates or the place in the arrays of its sort.

    A signed angle is `sign * (index + 1)`, 0 for none. `couplings` [phases, n, n] holds those of single bits on the
    diagonal and of pairs below it; parities of more bits are `far`. `sources` is where each low row of a permutation
    comes from.
    """

    num_qubits: int
    angle_starts: NDArray[np.int64]
    angle_parameters: NDArray[np.int64]
    angle_scales: NDArray[np.float64]
    angle_offsets: NDArray[np.float64]
    gate_qubits: NDArray[np.int64]
    gate_kinds: NDArray[np.int64]
    gate_turns: NDArray[np.int64]
    turn_axes: NDArray[np.int64]
    turn_indices: NDArray[np.int64]
    constants: NDArray[np.float64]
    start_gates: int
    passes: NDArray[np.int64]
    couplings: NDArray[np.int64]
    far_starts: NDArray[np.int64]
    far_masks: NDArray[np.int64]
    far_angles: NDArray[np.int64]
    columns: NDArray[np.int64]
    offsets: NDArray[np.int64]
    sources: NDArray[np.int64]
    exchanges: NDArray[np.int64]
    bases: NDArray[np.int64]


def encode(compiled: Compiled, bases: Sequence[Layer] = ()) -> Program:
    """The arrays of a compiled structure, and of layers that may be applied after it (`bases`: their gates)."""
    of = [each for each in compiled.passes if isinstance(each, Layer)]
    layers = [compiled.start, *of, *bases]
    gates = [gate for layer in layers for gate in layer.gates]
    edges = np.cumsum([0, *(len(layer.gates) for layer in layers)])
    turns = [turn for gate in gates for turn in gate.turns]
    constants = [turn.entries for turn in turns if turn.axis == "matrix"]
    numbers = iter(range(len(constants)))
    phases = [each for each in compiled.passes if isinstance(each, Phases)]
    far = [[parity for parity in each.parities if parity.mask.bit_count() > NEAR_BITS] for each in phases]
    permutations = [each for each in compiled.passes if isinstance(each, Permutation)]
    exchanges = [(each.mask, each.value, each.flip) for each in compiled.passes if isinstance(each, Exchange)]
    angles = compiled.angles
    return Program(
        num_qubits=compiled.num_qubits,
        angle_starts=_starts(len(angle.terms) for angle in angles),
        angle_parameters=_integers(parameter for angle in angles for parameter, _ in angle.terms),
        angle_scales=np.array([scale for angle in angles for _, scale in angle.terms], np.float64),
        angle_offsets=np.array([angle.offset for angle in angles], np.float64),
        gate_qubits=_integers(gate.qubit for gate in gates),
        gate_kinds=_integers(gate.kind for gate in gates),
        gate_turns=_starts(len(gate.turns) for gate in gates),
        turn_axes=_integers(_AXES[turn.axis] for turn in turns),
        turn_indices=_integers(next(numbers) if turn.axis == "matrix" else turn.angle for turn in turns),
        constants=np.array(constants, np.complex128).reshape(-1, 4).view(np.float64),
        start_gates=len(compiled.start.gates),
        passes=_passes(compiled, edges),
        couplings=np.array([_couplings(each, compiled.num_qubits) for each in phases], np.int64).reshape(
            -1, compiled.num_qubits, compiled.num_qubits
        ),
        far_starts=_starts(len(parities) for parities in far),
        far_masks=_integers(parity.mask for parities in far for parity in parities),
        far_angles=_integers(_signed(parity) for parities in far for parity in parities),
        columns=np.array([each.columns for each in permutations], np.int64).reshape(-1, compiled.num_qubits),
        offsets=_integers(each.offset for each in permutations),
        sources=np.array([_sources(each) for each in permutations], np.int64).reshape(
            -1, 1 << min(LOW_BITS, compiled.num_qubits)
        ),
        exchanges=np.array(exchanges, np.int64).reshape(-1, 3),
        bases=np.stack([edges[1 + len(of) : -1], edges[2 + len(of) :]], axis=1).astype(np.int64),
    )


def _passes(compiled: Compiled, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    met = {Layer: 0, Phases: 0, Permutation: 0, Exchange: 0}
    rows = []
    for each in compiled.passes:
        number = met[type(each)]
        met[type(each)] += 1
        if isinstance(each, Layer):
            rows.append((LAYER, int(edges[number + 1]), int(edges[number + 2])))
        else:
            rows.append(({Phases: PHASES, Permutation: PERMUTATION, Exchange: EXCHANGE}[type(each)], number, 0))
    return np.array(rows, np.int64).reshape(-1, 3)


def _couplings(phases: Phases, num_qubits: int) -> NDArray[np.int64]:
    table = np.zeros((num_qubits, num_qubits), np.int64)
    for parity in phases.parities:
        if parity.mask.bit_count() <= NEAR_BITS:
            high = parity.mask.bit_length() - 1
            low = (parity.mask & -parity.mask).bit_length() - 1
            table[high, low] = _signed(parity)
    return table


def _signed(parity: Parity) -> int:
    return parity.sign * (parity.angle + 1)


def _sources(permutation: Permutation) -> NDArray[np.int64]:
    """Sources of the low rows, less the offset."""
    low = min(LOW_BITS, len(permutation.columns))
    table = np.zeros(1, np.int64)
    for column in permutation.columns[:low]:
        table = np.concatenate((table, table ^ column))
    return table


def _integers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, np.int64)


def _starts(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *lengths], dtype=np.int64)
