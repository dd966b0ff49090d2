"""Circuits as lists of unitaries, their exact distribution, and shots drawn from it with simple noise."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_emulator.gates import Array

if TYPE_CHECKING:
    from quire_emulator.configuration import Noise

MOST_QUBITS: Final = 22
"""64 MiB of amplitudes; an emulator is no simulator."""


class CannotRunError(Exception):
    """The program is not one that this cloud can run; the message is for its owner."""


@dataclass(frozen=True)
class Gate:
    """A unitary on some qubits; the first qubit is the most significant of the matrix."""

    matrix: Array
    qubits: tuple[int, ...]


@dataclass(frozen=True)
class Bit:
    """Bit `index` of register `register` receives qubit `qubit`."""

    register: str
    index: int
    qubit: int


@dataclass(frozen=True)
class Circuit:
    """Gates, then measurements.

    Attributes:
        gates: in order; qubits are the program's own numbers.
        bits: the measurements, by register in order of declaration and by rising index.
        registers: sizes of the classical registers that were declared, in order.
    """

    gates: tuple[Gate, ...]
    bits: tuple[Bit, ...]
    registers: dict[str, int]

    @property
    def qubits(self) -> tuple[int, ...]:
        """Those in use, rising."""
        used = {qubit for gate in self.gates for qubit in gate.qubits} | {bit.qubit for bit in self.bits}
        return tuple(sorted(used))


@dataclass(frozen=True)
class Distribution:
    """The chances of the patterns of the measured bits; a pattern is an integer whose highest bit is the first bit."""

    patterns: Array
    chances: Array
    bits: int
    one_qubit_gates: int
    two_qubit_gates: int


def distribution(circuit: Circuit) -> Distribution:
    """The exact one.

    Raises:
        CannotRunError: too many qubits.
    """
    used = circuit.qubits
    if len(used) > MOST_QUBITS:
        raise CannotRunError(f"the program uses {len(used)} qubits, the emulator runs up to {MOST_QUBITS}")
    axis = {qubit: index for index, qubit in enumerate(used)}
    state = np.zeros((2,) * len(used), complex)
    state[(0,) * len(used)] = 1.0
    for gate in circuit.gates:
        state = _applied(state, gate.matrix, [axis[qubit] for qubit in gate.qubits])
    chances = np.abs(state) ** 2
    measured = list(dict.fromkeys(axis[bit.qubit] for bit in circuit.bits))
    others = tuple(index for index in range(len(used)) if index not in measured)
    kept = sorted(measured)
    chances = chances.sum(axis=others) if others else chances
    chances = np.transpose(chances, [kept.index(index) for index in measured]).reshape(-1)
    patterns = np.flatnonzero(chances > 1e-14)  # noqa: PLR2004 - rounding
    chances = chances[patterns]
    columns = [measured.index(axis[bit.qubit]) for bit in circuit.bits]
    if columns != list(range(len(measured))):  # a qubit that is read into two bits
        spread = [(patterns >> (len(measured) - 1 - column)) & 1 for column in columns]
        patterns = sum((bit << (len(columns) - 1 - place) for place, bit in enumerate(spread)), np.zeros_like(patterns))
    wide = sum(len(gate.qubits) > 1 for gate in circuit.gates)
    return Distribution(patterns, chances / chances.sum(), len(columns), len(circuit.gates) - wide, wide)


def shots(found: Distribution, count: int, noise: Noise, generator: np.random.Generator) -> Array:
    """Draw shots: a matrix (count, bits) of 0 and 1, shuffled.

    Noise is depolarisation of the whole register, one part for each gate, and independent flips of the bits read.
    """
    drawn = np.repeat(found.patterns, generator.multinomial(count, found.chances))
    generator.shuffle(drawn)
    places = np.arange(found.bits - 1, -1, -1)
    bits = ((drawn[:, None] >> places) & 1).astype(np.uint8)
    kept = (1 - noise.one_qubit) ** found.one_qubit_gates * (1 - noise.two_qubit) ** found.two_qubit_gates
    if kept < 1:
        lost = generator.random(count) >= kept
        bits[lost] = generator.integers(0, 2, (int(lost.sum()), found.bits), dtype=np.uint8)
    if noise.readout:
        bits ^= (generator.random(bits.shape) < noise.readout).astype(np.uint8)
    return bits


def _applied(state: Array, matrix: Array, axes: list[int]) -> Array:
    """The matrix on some axes of the state, by one contraction."""
    count = state.ndim
    letters = string.ascii_letters
    inside = [letters[index] for index in range(count)]
    fresh = [letters[count + place] for place in range(len(axes))]
    outside = list(inside)
    for place, index in enumerate(axes):
        outside[index] = fresh[place]
    formula = f"{''.join(fresh)}{''.join(inside[index] for index in axes)},{''.join(inside)}->{''.join(outside)}"
    found: Array = np.einsum(formula, matrix.reshape((2,) * (2 * len(axes))), state)
    return found
