"""What a structure is compiled to: few passes over a state vector, in a form that every back end can run.

Up to a global phase, which no result shows, every gate of the canonical set is made of
one-qubit turns `exp(-i angle/2 P)` and Hadamards; phases `exp(i angle (-1)^(parity of x & mask))` of basis states x;
maps of basis states that are affine over GF(2) (x, cx, swap); and exchanges of amplitudes (ccx, cswap).
All of them are plain numbers here: nothing has 2^n entries, and nothing depends on the parameters' values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GENERAL: Final = 0
REAL: Final = 1
CROSSED: Final = 2
"""Kinds of 2x2 matrices: any; all real (ry, h); real on the diagonal and imaginary off it (rx).

A kind follows from the gates alone, never from an angle's value: rounding is the same whatever else is in the batch.
"""


class Affine(NamedTuple):
    """An angle in radians: `offset + sum of scale * parameter` over `terms`, pairs of (parameter, scale), rising."""

    offset: float = 0.0
    terms: tuple[tuple[int, float], ...] = ()


class Turn(NamedTuple):
    """`exp(-i angle/2 P)` with P the Pauli matrix `axis` (`x`, `y` or `z`); `angle` is an index of `Compiled.angles`.

    With axis `matrix` it is the constant 2x2 `entries` (m00, m01, m10, m11) instead.
    """

    axis: str
    angle: int = 0
    entries: tuple[complex, complex, complex, complex] = (1, 0, 0, 1)


class OneQubit(NamedTuple):
    """All gates of a run on one qubit, the first to be applied first; their product has the kind `kind`."""

    qubit: int
    kind: int
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Layer:
    """One 2x2 on each of some qubits, in rising order; they commute."""

    gates: tuple[OneQubit, ...]


class Parity(NamedTuple):
    """`exp(i sign angle (-1)^(parity of x & mask))`; `angle` is an index of `Compiled.angles`, `sign` 1 or -1."""

    mask: int
    angle: int
    sign: int


@dataclass(frozen=True)
class Phases:
    """A diagonal: the product of its parities, by rising mask, each mask once."""

    parities: tuple[Parity, ...]


@dataclass(frozen=True)
class Permutation:
    """`new[x] = old[source]`, source = `offset` XOR the columns of the bits that are set in x."""

    columns: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Exchange:
    """For each x with `x & mask == value`, amplitudes x and x ^ `flip` change places; the latter never fits itself."""

    mask: int
    value: int
    flip: int


Pass = Layer | Phases | Permutation | Exchange


@dataclass(frozen=True)
class Compiled:
    """A structure's unitary part, from the ground state, up to a global phase.

    `start` is a layer on the ground state, so that the state begins as a product; `passes` follow in order. Qubit i is
    bit i of a basis state. `angles` are all distinct angles that occur.
    """

    num_qubits: int
    num_parameters: int
    angles: tuple[Affine, ...]
    start: Layer
    passes: tuple[Pass, ...]

    def bytes_moved(self, sets: int, *, itemsize: int = 8) -> int:
        """The least that memory moves for so many parameter sets: each pass reads and writes the state once.

        Making the state counts as a write, and reading the result off it as a read. `itemsize` is 8 for float64 and 4
        for float32. Divided by the machine's copy bandwidth (read and write counted) this is the floor in seconds.
        """
        return sets * (len(self.passes) + 1) * 2 * 2 * itemsize << self.num_qubits

    def values(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """The angles in radians, float64 [sets, angles], of parameter sets [sets, num_parameters]."""
        weights = np.zeros((self.num_parameters, len(self.angles)))
        for index, angle in enumerate(self.angles):
            for parameter, scale in angle.terms:
                weights[parameter, index] += scale
        return np.asarray(parameters @ weights + np.array([angle.offset for angle in self.angles]))
