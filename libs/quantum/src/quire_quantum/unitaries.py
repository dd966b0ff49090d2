"""Matrices of the canonical gates, many angles at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from quire_quantum.lift import Step

    Matrices = NDArray[np.complex128]
    Angles = NDArray[np.float64]

_R: Final = 1 / np.sqrt(2)
_ONE_QUBIT: Final = {
    "id": [[1, 0], [0, 1]],
    "x": [[0, 1], [1, 0]],
    "y": [[0, -1j], [1j, 0]],
    "z": [[1, 0], [0, -1]],
    "h": [[_R, _R], [_R, -_R]],
    "s": [[1, 0], [0, 1j]],
    "sdg": [[1, 0], [0, -1j]],
    "t": [[1, 0], [0, np.exp(0.25j * np.pi)]],
    "tdg": [[1, 0], [0, np.exp(-0.25j * np.pi)]],
    "sx": [[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]],
    "sxdg": [[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]],
}
_SWAP: Final = [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]


def _rx(angles: Angles) -> Matrices:
    cos, sin = np.cos(angles[:, 0] / 2), -1j * np.sin(angles[:, 0] / 2)
    return _stack([[cos, sin], [sin, cos]])


def _ry(angles: Angles) -> Matrices:
    cos, sin = np.cos(angles[:, 0] / 2), np.sin(angles[:, 0] / 2)
    return _stack([[cos, -sin], [sin, cos]])


def _rz(angles: Angles) -> Matrices:
    phase = np.exp(0.5j * angles[:, 0])
    return _stack([[phase.conj(), 0 * phase], [0 * phase, phase]])


def _p(angles: Angles) -> Matrices:
    phase = np.exp(1j * angles[:, 0])
    return _stack([[phase**0, 0 * phase], [0 * phase, phase]])


def _u(angles: Angles) -> Matrices:
    theta, phi, lam = angles.T
    cos, sin = np.cos(theta / 2), np.sin(theta / 2)
    return _stack([[cos, -np.exp(1j * lam) * sin], [np.exp(1j * phi) * sin, np.exp(1j * (phi + lam)) * cos]])


def _pauli_rotation(name: str) -> Callable[[Angles], Matrices]:
    pair = np.kron(np.array(_ONE_QUBIT[name]), np.array(_ONE_QUBIT[name]))

    def matrices(angles: Angles) -> Matrices:
        half = angles[:, 0, None, None] / 2
        return np.asarray(np.cos(half) * np.eye(4) - 1j * np.sin(half) * pair)

    return matrices


_ANGLED: Final[dict[str, Callable[[Angles], Matrices]]] = {
    "rx": _rx,
    "ry": _ry,
    "rz": _rz,
    "p": _p,
    "u": _u,
    "rxx": _pauli_rotation("x"),
    "ryy": _pauli_rotation("y"),
    "rzz": _pauli_rotation("z"),
}


def gate_matrices(name: str, angles: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Unitaries of a canonical gate.

    Args:
        name: a name in `structure.GATES`.
        angles: radians, float64 [rows, angles of the gate]; rows may be 1 for a gate without angles.

    Returns:
        complex128 [rows, d, d] in Qiskit's order: the first qubit is the least significant bit of an index.
    """
    if name in _ANGLED:
        return _ANGLED[name](angles)
    if name in _ONE_QUBIT:
        matrix = np.array(_ONE_QUBIT[name], dtype=np.complex128)
    elif name == "swap":
        matrix = np.array(_SWAP, dtype=np.complex128)
    elif name == "cswap":
        return _controlled(gate_matrices("swap", angles))
    elif name == "ccx":
        return _controlled(gate_matrices("cx", angles))
    else:
        return _controlled(gate_matrices(name.removeprefix("c"), angles))
    return np.broadcast_to(matrix, (len(angles), *matrix.shape))


def circuit_unitary(steps: Iterable[Step], num_qubits: int) -> Matrices:
    """The unitary complex128 [2**n, 2**n] of gates whose angles are numbers, in Qiskit's order."""
    state = np.eye(2**num_qubits, dtype=np.complex128).reshape((2,) * num_qubits + (-1,))
    for name, qubits, angles, _ in steps:
        matrix = gate_matrices(name, np.array([angles], dtype=np.float64))[0]
        axes = [num_qubits - 1 - qubit for qubit in reversed(qubits)]
        tensor = matrix.reshape((2,) * (2 * len(qubits)))
        turned = np.tensordot(tensor, state, (range(len(qubits), 2 * len(qubits)), axes))
        state = np.moveaxis(turned, range(len(qubits)), axes)
    return state.reshape(2**num_qubits, 2**num_qubits)


def _controlled(matrices: Matrices) -> Matrices:
    """The gate under one control, the control being the first qubit."""
    rows, size, _ = matrices.shape
    result = np.zeros((rows, 2 * size, 2 * size), dtype=np.complex128)
    result[:, ::2, ::2] = np.eye(size)
    result[:, 1::2, 1::2] = matrices
    return result


def _stack(entries: list[list[NDArray[np.generic]]]) -> Matrices:
    return np.moveaxis(np.array(entries, dtype=np.complex128), -1, 0)
