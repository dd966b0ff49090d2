"""Runs of one-qubit gates as one 2x2 each: turns about one axis added, constants folded, the kind known beforehand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from quire_gpu_simulation.engine.compiled import CROSSED, GENERAL, REAL, Affine, OneQubit, Turn
from quire_gpu_simulation.engine.steps import One, added, scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

_PAULI: Final = {
    "x": np.array([[0, 1], [1, 0]], np.complex128),
    "y": np.array([[0, -1j], [1j, 0]], np.complex128),
    "z": np.array([[1, 0], [0, -1]], np.complex128),
}
_HADAMARD: Final = np.array([[1, 1], [1, -1]], np.complex128) * math.sqrt(0.5)
_ROUNDING: Final = 1e-15


class Angles:
    """The distinct angles met so far, each at the index of its first meeting."""

    def __init__(self) -> None:
        self._index: dict[Affine, int] = {}

    def index(self, angle: Affine) -> int:
        """The angle's place."""
        return self._index.setdefault(angle, len(self._index))

    def signed(self, angle: Affine) -> tuple[int, int]:
        """The place of the angle or of its opposite, whichever leads with a positive number, and the sign to it."""
        leading = angle.terms[0][1] if angle.terms else angle.offset
        sign = 1 if leading >= 0 else -1
        return self.index(scaled(angle, sign)), sign

    def all(self) -> tuple[Affine, ...]:
        """Every angle, by place."""
        return tuple(self._index)


def merged(gates: Mapping[int, Sequence[One]], angles: Angles) -> tuple[OneQubit, ...]:
    """One 2x2 for each qubit that has gates, by rising qubit; `gates` are by qubit, the first to be applied first."""
    return tuple(_merged(qubit, _joined(gates[qubit]), angles) for qubit in sorted(gates) if gates[qubit])


def _joined(gates: Iterable[One]) -> list[One]:
    """Neighbours about the same axis as one turn."""
    joined: list[One] = []
    for gate in gates:
        if joined and gate.axis != "h" and joined[-1].axis == gate.axis:
            joined[-1] = One(gate.axis, gate.qubit, added((joined[-1].angle, gate.angle)))
        else:
            joined.append(gate)
    return joined


def _merged(qubit: int, gates: Sequence[One], angles: Angles) -> OneQubit:
    kind = _kind(gates)
    turns: list[Turn] = []
    constant: NDArray[np.complex128] | None = None
    for gate in gates:
        if gate.angle.terms:
            turns += [_fixed(constant)] if constant is not None else []
            turns.append(Turn(gate.axis, angles.index(gate.angle)))
            constant = None
        else:
            matrix = _matrix(gate, kind)
            constant = matrix if constant is None else matrix @ constant
    turns += [_fixed(constant)] if constant is not None else []
    return OneQubit(qubit, kind, tuple(turns))


def _kind(gates: Iterable[One]) -> int:
    if all(gate.axis in "yh" or _is_pauli(gate) for gate in gates):
        return REAL
    if all(gate.axis == "x" or _is_pauli(gate) for gate in gates):
        return CROSSED
    return GENERAL


def _is_pauli(gate: One) -> bool:
    """A half turn is a Pauli matrix up to a phase: real or crossed, as its neighbours need."""
    return gate.axis != "h" and not gate.angle.terms and abs(gate.angle.offset) == math.pi


def _matrix(gate: One, kind: int) -> NDArray[np.complex128]:
    """A constant gate's 2x2, exact where it is a Pauli matrix."""
    if gate.axis == "h":
        return _HADAMARD
    pauli = _PAULI[gate.axis]
    if _is_pauli(gate):
        turned = {"x": kind == CROSSED, "y": kind == REAL, "z": False}[gate.axis]
        return -1j * pauli if turned else pauli
    half = gate.angle.offset / 2
    return np.asarray(math.cos(half) * np.eye(2) - 1j * math.sin(half) * pauli)


def _fixed(matrix: NDArray[np.complex128]) -> Turn:
    entries = matrix.reshape(-1)
    entries = np.where(abs(entries.real) < _ROUNDING, 0, entries.real) + 1j * np.where(
        abs(entries.imag) < _ROUNDING, 0, entries.imag
    )
    m00, m01, m10, m11 = entries.tolist()
    return Turn("matrix", 0, (m00, m01, m10, m11))
