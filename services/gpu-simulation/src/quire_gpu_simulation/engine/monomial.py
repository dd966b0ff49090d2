"""Runs of diagonal gates and maps of basis states as one phase polynomial and one affine map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quire_gpu_simulation.engine.compiled import Affine, Exchange, Parity, Pass, Permutation, Phases
from quire_gpu_simulation.engine.steps import Move, One, Phase, Step, added, scaled

if TYPE_CHECKING:
    from quire_gpu_simulation.engine.merging import Angles


NEAR_BITS: Final = 2
"""Parities of so few bits take no pass of their own."""


class MonomialRun:
    """Steps gathered in order, told as passes at the end.

    Label q of a basis state is now the parity of the bits `rows[q]` of the state it came from, turned over where
    `flips[q]`; a parity of labels is therefore a parity of the bits at the run's beginning.
    """

    def __init__(self, num_qubits: int, angles: Angles) -> None:
        self._qubits = num_qubits
        self._angles = angles
        self._done: list[Pass] = []
        self._begin()

    def add(self, step: Step) -> None:
        """The next step: a phase, a map, or a one-qubit gate that is either."""
        if isinstance(step, Phase):
            for mask, angle in step.parities:
                self._phase(mask, angle)
        elif isinstance(step, Move):
            self._move(step)
        else:
            self._one(step)

    def passes(self) -> list[Pass]:
        """The steps so far as passes over a state."""
        return [*self._done, *self._so_far()]

    def _begin(self) -> None:
        self._rows = [1 << qubit for qubit in range(self._qubits)]
        self._flips = [0] * self._qubits
        self._phases: dict[int, Affine] = {}

    def _phase(self, labels: int, angle: Affine) -> None:
        mask, flip = 0, 0
        for qubit in range(self._qubits):
            if labels >> qubit & 1:
                mask ^= self._rows[qubit]
                flip ^= self._flips[qubit]
        self._phases[mask] = added((self._phases.get(mask, Affine()), scaled(angle, -1.0 if flip else 1.0)))

    def _one(self, gate: One) -> None:
        """Z turns are phases; a half turn about y is one about z and then one about x."""
        if gate.axis == "z":
            self._phase(1 << gate.qubit, scaled(gate.angle, -0.5))
            return
        if gate.axis == "y":
            self._phase(1 << gate.qubit, scaled(gate.angle, -0.5))
        self._flips[gate.qubit] ^= 1

    def _move(self, move: Move) -> None:
        name, qubits = move
        if name == "cx":
            control, target = qubits
            self._rows[target] ^= self._rows[control]
            self._flips[target] ^= self._flips[control]
        elif name == "swap":
            a, b = qubits
            for labels in (self._rows, self._flips):
                labels[a], labels[b] = labels[b], labels[a]
        else:
            self._done += [*self._so_far(), _exchange(name, qubits)]
            self._begin()

    def _so_far(self) -> list[Pass]:
        """Phases, then the map, then the phases of parities that are of fewer bits behind it."""
        identity = [1 << qubit for qubit in range(self._qubits)]
        if self._rows == identity and not any(self._flips):
            return self._diagonal(self._phases)
        columns = _columns(_inverse(self._rows), self._qubits)
        before: dict[int, Affine] = {}
        behind: dict[int, Affine] = {}
        for mask, angle in self._phases.items():
            labels = sum(((column & mask).bit_count() & 1) << bit for bit, column in enumerate(columns))
            if mask.bit_count() > NEAR_BITS >= labels.bit_count():
                odd = sum(self._flips[bit] for bit in range(self._qubits) if labels >> bit & 1) % 2
                behind[labels] = scaled(angle, -1.0 if odd else 1.0)
            else:
                before[mask] = angle
        offset = 0
        for column, flip in zip(columns, self._flips, strict=True):
            offset ^= column if flip else 0
        return [*self._diagonal(before), Permutation(columns, offset), *self._diagonal(behind)]

    def _diagonal(self, phases: dict[int, Affine]) -> list[Pass]:
        parities = [
            Parity(mask, *self._angles.signed(phases[mask]))
            for mask in sorted(phases)
            if mask and phases[mask] != Affine()
        ]
        return [Phases(tuple(parities))] if parities else []


def _exchange(name: str, qubits: tuple[int, ...]) -> Exchange:
    a, b, c = (1 << qubit for qubit in qubits)
    if name == "ccx":
        return Exchange(a | b | c, a | b, c)
    return Exchange(a | b | c, a | b, b | c)


def _inverse(rows: list[int]) -> list[int]:
    """The inverse of an invertible matrix over GF(2), each row the bits of its columns (Gauss and Jordan)."""
    work, inverse = list(rows), [1 << row for row in range(len(rows))]
    for column in range(len(rows)):
        pivot = next(row for row in range(column, len(rows)) if work[row] >> column & 1)
        for matrix in (work, inverse):
            matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        for row in range(len(rows)):
            if row != column and work[row] >> column & 1:
                work[row] ^= work[column]
                inverse[row] ^= inverse[column]
    return inverse


def _columns(rows: list[int], size: int) -> tuple[int, ...]:
    return tuple(sum((rows[row] >> column & 1) << row for row in range(size)) for column in range(size))
