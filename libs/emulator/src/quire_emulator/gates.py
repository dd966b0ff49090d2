"""The gates of OpenQASM's standard library and of Braket's language as unitaries, by name."""

from __future__ import annotations

import cmath
import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

Array: TypeAlias = NDArray[Any]

_R: Final = 1 / math.sqrt(2)


def _phase(angle: float) -> complex:
    return cmath.exp(1j * angle)


def _u(theta: float, phi: float, lam: float) -> Array:
    cos, sin = math.cos(theta / 2), math.sin(theta / 2)
    return np.array([[cos, -_phase(lam) * sin], [_phase(phi) * sin, _phase(phi + lam) * cos]])


def _rotation(pauli: Array) -> Callable[[float], Array]:
    unit = np.eye(len(pauli))
    return lambda angle: math.cos(angle / 2) * unit - 1j * math.sin(angle / 2) * pauli


def _controlled(matrix: Array) -> Array:
    size = len(matrix)
    found = np.eye(2 * size, dtype=complex)
    found[size:, size:] = matrix
    return found


def _shifted(place: int) -> Callable[[float], Array]:
    def build(angle: float) -> Array:
        found = np.eye(4, dtype=complex)
        found[place, place] = _phase(angle)
        return found

    return build


def _swap(middle: complex) -> Array:
    return np.array([[1, 0, 0, 0], [0, 0, middle, 0], [0, middle, 0, 0], [0, 0, 0, 1]], complex)


_I: Final = np.eye(2, dtype=complex)
_X: Final = np.array([[0, 1], [1, 0]], complex)
_Y: Final = np.array([[0, -1j], [1j, 0]], complex)
_Z: Final = np.diag([1, -1]).astype(complex)
_H: Final = np.array([[_R, _R], [_R, -_R]], complex)
_S: Final = np.diag([1, 1j])
_SX: Final = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
_SWAP: Final = _swap(1)


def _gpi(phi: float) -> Array:
    return np.array([[0, _phase(-phi)], [_phase(phi), 0]])


def _gpi2(phi: float) -> Array:
    return np.array([[1, -1j * _phase(-phi)], [-1j * _phase(phi), 1]]) * _R


def _prx(theta: float, phi: float) -> Array:
    cos, sin = math.cos(theta / 2), math.sin(theta / 2)
    return np.array([[cos, -1j * _phase(-phi) * sin], [-1j * _phase(phi) * sin, cos]])


def _ms(phi0: float, phi1: float, theta: float = math.pi / 2) -> Array:
    cos, sin = math.cos(theta / 2), math.sin(theta / 2)
    plus, minus = phi0 + phi1, phi0 - phi1
    return np.array(
        [
            [cos, 0, 0, -1j * _phase(-plus) * sin],
            [0, cos, -1j * _phase(-minus) * sin, 0],
            [0, -1j * _phase(minus) * sin, cos, 0],
            [-1j * _phase(plus) * sin, 0, 0, cos],
        ]
    )


def _xy(angle: float) -> Array:
    cos, sin = math.cos(angle / 2), math.sin(angle / 2)
    return np.array([[1, 0, 0, 0], [0, cos, 1j * sin, 0], [0, 1j * sin, cos, 0], [0, 0, 0, 1]], complex)


_RX, _RY, _RZ = _rotation(_X), _rotation(_Y), _rotation(_Z)

FIXED: Final[dict[str, Array]] = {
    "id": _I, "i": _I, "x": _X, "y": _Y, "z": _Z, "h": _H, "s": _S, "sdg": _S.conj(), "si": _S.conj(),
    "t": np.diag([1, _phase(math.pi / 4)]), "tdg": np.diag([1, _phase(-math.pi / 4)]),
    "ti": np.diag([1, _phase(-math.pi / 4)]), "sx": _SX, "sxdg": _SX.conj().T, "v": _SX, "vi": _SX.conj().T,
    "cx": _controlled(_X), "CX": _controlled(_X), "cnot": _controlled(_X), "cy": _controlled(_Y),
    "cz": _controlled(_Z), "ch": _controlled(_H), "cv": _controlled(_SX), "swap": _SWAP, "iswap": _swap(1j),
    "ccx": _controlled(_controlled(_X)), "ccnot": _controlled(_controlled(_X)), "cswap": _controlled(_SWAP),
    "ecr": np.array([[0, 0, 1, 1j], [0, 0, 1j, 1], [1, -1j, 0, 0], [-1j, 1, 0, 0]]) * _R,
}  # fmt: skip
"""Without angles. Controls come first."""

TURNED: Final[dict[str, tuple[int, Callable[..., Array]]]] = {
    "rx": (1, _RX), "ry": (1, _RY), "rz": (1, _RZ),
    "p": (1, lambda a: np.diag([1, _phase(a)])), "phase": (1, lambda a: np.diag([1, _phase(a)])),
    "phaseshift": (1, lambda a: np.diag([1, _phase(a)])), "u1": (1, lambda a: np.diag([1, _phase(a)])),
    "u2": (2, lambda a, b: _u(math.pi / 2, a, b)), "u3": (3, _u), "u": (3, _u), "U": (3, _u),
    "crx": (1, lambda a: _controlled(_RX(a))), "cry": (1, lambda a: _controlled(_RY(a))),
    "crz": (1, lambda a: _controlled(_RZ(a))), "cp": (1, _shifted(3)), "cphase": (1, _shifted(3)),
    "cphaseshift": (1, _shifted(3)), "cphaseshift00": (1, _shifted(0)), "cphaseshift01": (1, _shifted(1)),
    "cphaseshift10": (1, _shifted(2)), "cu1": (1, _shifted(3)),
    "rxx": (1, _rotation(np.kron(_X, _X))), "xx": (1, _rotation(np.kron(_X, _X))),
    "ryy": (1, _rotation(np.kron(_Y, _Y))), "yy": (1, _rotation(np.kron(_Y, _Y))),
    "rzz": (1, _rotation(np.kron(_Z, _Z))), "zz": (1, _rotation(np.kron(_Z, _Z))),
    "xy": (1, _xy), "pswap": (1, lambda a: _swap(_phase(a))), "gpi": (1, _gpi), "gpi2": (1, _gpi2), "prx": (2, _prx),
    "ms": (3, _ms),
}  # fmt: skip
"""With angles: how many, and the unitary."""


def unitary(name: str, angles: list[float]) -> Array | None:
    """The gate's matrix, the first qubit its most significant; None for a gate that is not known in this form."""
    if not angles:
        return FIXED.get(name)
    count, build = TURNED.get(name, (0, None))
    if build is None or len(angles) != count:
        return None
    return build(*angles)
