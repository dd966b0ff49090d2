"""A state from a program and one parameter set: the numbers first, then pass after pass."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from quire_gpu_simulation.engine import phases
from quire_gpu_simulation.engine.encode import LAYER, LOW_BITS, PERMUTATION, PHASES, Program
from quire_gpu_simulation.engine.jit import part
from quire_gpu_simulation.engine.layers import BLOCK_ROWS, turn
from quire_gpu_simulation.engine.moves import exchange, permute
from quire_gpu_simulation.engine.vector import BYTES, fma, fnma, lanes, load, multiply, splat, store

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


class Space(NamedTuple):
    """One thread's room: a state and a spare one, the numbers of one parameter set, tables of phases, scratch."""

    re: NDArray[np.floating]
    im: NDArray[np.floating]
    spare_re: NDArray[np.floating]
    spare_im: NDArray[np.floating]
    matrices: NDArray[np.floating]
    cosines: NDArray[np.float64]
    sines: NDArray[np.float64]
    halves: NDArray[np.float64]
    tables_re: NDArray[np.floating]
    tables_im: NDArray[np.floating]
    changes_re: NDArray[np.floating]
    changes_im: NDArray[np.floating]
    highs_re: NDArray[np.floating]
    highs_im: NDArray[np.floating]
    singles: NDArray[np.float64]
    side: NDArray[np.floating]


def space(program: Program, dtype: DTypeLike) -> Space:
    """Room for a program; float64 or float32. A state of fewer amplitudes than a vector holds is filled up to one."""
    width = BYTES // np.dtype(dtype).itemsize
    size = max(width, 1 << program.num_qubits)
    low = min(LOW_BITS, program.num_qubits)
    high = program.num_qubits - low
    table = max(width, 1 << low)
    angles = len(program.angle_offsets)
    moves = has_spare(program)
    return Space(
        re=aligned(size, dtype),
        im=aligned(size, dtype),
        spare_re=aligned(size if moves else width, dtype),
        spare_im=aligned(size if moves else width, dtype),
        matrices=aligned(8 * len(program.gate_qubits), dtype),
        cosines=np.zeros(angles),
        sines=np.zeros(angles),
        halves=np.zeros(2 * angles),
        tables_re=aligned(table * (high + 2), dtype),
        tables_im=aligned(table * (high + 2), dtype),
        changes_re=aligned(table * high, dtype),
        changes_im=aligned(table * high, dtype),
        highs_re=aligned(2 * max(width, 1 << high), dtype),
        highs_im=aligned(2 * max(width, 1 << high), dtype),
        singles=np.zeros(2 * program.num_qubits),
        side=aligned(4 * width, dtype),
    )


def has_spare(program: Program) -> bool:
    """Whether a program needs a second state: for a permutation, or for a copy in another basis."""
    return bool((program.passes[:, 0] == PERMUTATION).any() or (program.bases[:, 0] < program.bases[:, 1]).any())


def aligned(numbers: int, dtype: DTypeLike) -> NDArray[np.floating]:
    """Zeros that begin at the edge of a vector."""
    size = np.dtype(dtype).itemsize
    room = np.zeros(numbers * size + BYTES, np.uint8)
    start = -room.ctypes.data % BYTES
    return room[start : start + numbers * size].view(dtype)


@part
def _angles(program: Any, values: Any, space: Any) -> None:
    """Cosine and sine of each angle and of its half."""
    for k in range(len(program.angle_offsets)):
        angle = program.angle_offsets[k]
        for term in range(program.angle_starts[k], program.angle_starts[k + 1]):
            angle += program.angle_scales[term] * values[program.angle_parameters[term]]
        c, s = math.cos(angle / 2), math.sin(angle / 2)
        space.halves[2 * k], space.halves[2 * k + 1] = c, s
        space.cosines[k], space.sines[k] = (c - s) * (c + s), 2 * c * s


@part
def _matrices(program: Any, space: Any) -> None:
    """The product of each gate's turns."""
    for gate in range(len(program.gate_qubits)):
        a, b, c, d = 1.0 + 0.0j, 0.0 + 0.0j, 0.0 + 0.0j, 1.0 + 0.0j
        for turned in range(program.gate_turns[gate], program.gate_turns[gate + 1]):
            axis, index = program.turn_axes[turned], program.turn_indices[turned]
            co, si = 0.0, 0.0
            if axis > 0:
                co, si = space.halves[2 * index], space.halves[2 * index + 1]
            if axis == 1:
                m, n, o, p = complex(co, 0.0), complex(0.0, -si), complex(0.0, -si), complex(co, 0.0)
            elif axis == 2:  # noqa: PLR2004 - x, y, z
                m, n, o, p = complex(co, 0.0), complex(-si, 0.0), complex(si, 0.0), complex(co, 0.0)
            elif axis == 3:  # noqa: PLR2004
                m, n, o, p = complex(co, -si), 0.0j, 0.0j, complex(co, si)
            else:
                k = program.constants[index]
                m, n, o, p = complex(k[0], k[1]), complex(k[2], k[3]), complex(k[4], k[5]), complex(k[6], k[7])
            a, b, c, d = m * a + n * c, m * b + n * d, o * a + p * c, o * b + p * d
        out = space.matrices
        out[8 * gate], out[8 * gate + 1], out[8 * gate + 2], out[8 * gate + 3] = a.real, a.imag, b.real, b.imag
        out[8 * gate + 4], out[8 * gate + 5], out[8 * gate + 6], out[8 * gate + 7] = c.real, c.imag, d.real, d.imag


@part
def _column(program: Any, m: Any, gate: int, qubit: int) -> Any:
    """What the start makes of a qubit's 0: re and im of its two amplitudes; and the next gate to look at."""
    if gate < program.start_gates and program.gate_qubits[gate] == qubit:
        at = 8 * gate
        return (np.float64(m[at]), np.float64(m[at + 1]), np.float64(m[at + 4]), np.float64(m[at + 5])), gate + 1
    return (1.0, 0.0, 0.0, 0.0), gate


@part
def _begin(program: Any, space: Any, re: Any, im: Any) -> None:
    """The product of the start layer's single-qubit states: that of the low qubits, times that of the high ones."""
    for x in range(lanes(re)):
        re[x], im[x] = 0.0, 0.0
    re[0] = 1.0
    low, gate = min(LOW_BITS, program.num_qubits), 0
    for qubit in range(low):
        column, gate = _column(program, space.matrices, gate, qubit)
        phases.doubled(re, im, 0, 1 << qubit, column, space.side)
    highs_re, highs_im = space.highs_re, space.highs_im
    highs_re[0], highs_im[0] = 1.0, 0.0
    for qubit in range(low, program.num_qubits):
        column, gate = _column(program, space.matrices, gate, qubit)
        phases.doubled(highs_re, highs_im, 0, 1 << (qubit - low), column, space.side)
    rows = (1 << low) // lanes(re)
    for high in range((1 << (program.num_qubits - low)) - 1, -1, -1):
        c, s = splat(highs_re, high), splat(highs_im, high)
        for row in range(rows):
            r, i = load(re, row), load(im, row)
            store(re, high * rows + row, fnma(s, i, multiply(c, r)))
            store(im, high * rows + row, fma(s, r, multiply(c, i)))


@part
def _near(program: Any, space: Any, re: Any, im: Any, phase: int, begin: int, end: int) -> None:
    """A pass of phases (-1: none) and then gates whose qubits are low, block by block of the state."""
    rows = len(re) // lanes(re)
    block = min(rows, BLOCK_ROWS)
    low = min(LOW_BITS, program.num_qubits)
    if phase >= 0:
        phases.prepare(program.couplings[phase], space.cosines, space.sines, space)
    of_phase = max(1, (1 << low) // lanes(re))
    for first in range(0, rows, block):
        if phase >= 0:
            phases.apply(re, im, first // of_phase, (first + block) // of_phase, low, space)
            for far in range(program.far_starts[phase], program.far_starts[phase + 1]):
                phases.apply_far(
                    re,
                    im,
                    first,
                    block,
                    program.far_masks[far],
                    program.far_angles[far],
                    space.cosines,
                    space.sines,
                    space.side,
                )
        if begin < end:
            turn(re, im, first, block, program.gate_qubits, program.gate_kinds, begin, end, space.matrices, space.side)


@part
def layer(program: Any, space: Any, re: Any, im: Any, phase: int, begin: int, end: int) -> None:
    """Phases (-1: none), then the gates begin..end."""
    rows = len(re) // lanes(re)
    high = begin
    while high < end and (2 << program.gate_qubits[high]) <= BLOCK_ROWS * lanes(re):
        high += 1
    if phase >= 0 or high > begin:
        _near(program, space, re, im, phase, begin, high)
    if high < end:
        turn(re, im, 0, rows, program.gate_qubits, program.gate_kinds, high, end, space.matrices, space.side)


@part
def evolve(program: Any, space: Any, values: Any) -> Any:
    """The state of one parameter set: re, im, and the spare arrays, which change places with every permutation."""
    re, im, to_re, to_im = space.re, space.im, space.spare_re, space.spare_im
    _angles(program, values, space)
    _matrices(program, space)
    _begin(program, space, re, im)
    step = 0
    while step < len(program.passes):
        what, first, last = program.passes[step]
        if what == LAYER:
            layer(program, space, re, im, -1, first, last)
        elif what == PHASES:
            if step + 1 < len(program.passes) and program.passes[step + 1, 0] == LAYER:
                step += 1
                layer(program, space, re, im, first, program.passes[step, 1], program.passes[step, 2])
            else:
                layer(program, space, re, im, first, 0, 0)
        elif what == PERMUTATION:
            permute(re, im, to_re, to_im, program.columns[first], program.offsets[first], program.sources[first])
            re, im, to_re, to_im = to_re, to_im, re, im
        else:
            exchange(re, im, program.num_qubits, *_exchange(program, first))
        step += 1
    return re, im, to_re, to_im


@part
def _exchange(program: Any, number: int) -> Any:
    return program.exchanges[number, 0], program.exchanges[number, 1], program.exchanges[number, 2]
