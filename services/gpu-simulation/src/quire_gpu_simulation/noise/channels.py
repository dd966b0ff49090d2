"""Circuits as noisy steps, and noise as matrices: each gate with what follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from quire_quantum.structure import Operation
from quire_quantum.unitaries import gate_matrices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_gpu_simulation.noise.model import GateErrors, NoiseModel, Readout
    from quire_quantum.structure import Structure

    Matrices = NDArray[np.complex128]

_TOFFOLI: Final[tuple[tuple[str, tuple[int, ...]], ...]] = (
    ("h", (2,)), ("cx", (1, 2)), ("tdg", (2,)), ("cx", (0, 2)), ("t", (2,)), ("cx", (1, 2)), ("tdg", (2,)),
    ("cx", (0, 2)), ("t", (1,)), ("t", (2,)), ("h", (2,)), ("cx", (0, 1)), ("t", (0,)), ("tdg", (1,)), ("cx", (0, 1)),
)  # fmt: skip
"""A ccx on qubits 0, 1, 2 (Nielsen and Chuang, figure 4.9)."""

_PAULIS: Final = tuple(gate_matrices(name, np.zeros((1, 0)))[0] for name in ("id", "x", "y", "z"))


class Step(NamedTuple):
    """A gate on one or two qubits and what follows it."""

    gate: Operation
    errors: GateErrors


class NoisyCircuit(NamedTuple):
    """Noisy gates from the ground state, and how the end is read."""

    qubits: int
    steps: tuple[Step, ...]
    readout: Readout


def noisy(structure: Structure, model: NoiseModel) -> NoisyCircuit:
    """A structure with a model's noise; gates of three qubits taken apart, final measurements and barriers left out."""
    steps = tuple(
        Step(gate, model.after(gate.name, len(gate.qubits)))
        for operation in structure.operations
        for gate in _small(operation)
        if gate.name not in ("barrier", "measure")
    )
    return NoisyCircuit(structure.num_qubits, steps, model.readout)


def matrices_of(gate: Operation, parameters: NDArray[np.float64]) -> Matrices:
    """The gate's unitaries, complex128 [rows, d, d]; [1, d, d] where it has no angle, whatever the parameters."""
    if not gate.angles:
        return gate_matrices(gate.name, np.zeros((1, 0)))
    columns = [each.scale * parameters[:, each.parameter] + each.offset for each in gate.angles]
    return gate_matrices(gate.name, np.stack(columns, axis=1))


def superoperators(unitaries: Matrices, errors: GateErrors) -> Matrices:
    """The gate and its noise on density matrices as vectors, complex128 [rows, d * d, d * d].

    An index of the vector is ket + d * bra, so that a unitary U is kron(conj(U), U).
    """
    rows, size, _ = unitaries.shape
    made = np.einsum("rij,rkl->rikjl", unitaries.conj(), unitaries).reshape(rows, size * size, size * size)
    return np.asarray(_noise(size, errors) @ made)


def _noise(size: int, errors: GateErrors) -> Matrices:
    depolarized = np.outer(np.eye(size).reshape(-1), np.eye(size).reshape(-1)) / size
    total: Matrices = ((1 - errors.depolarizing) * np.eye(size * size) + errors.depolarizing * depolarized).astype(
        complex
    )
    for qubit in range(size.bit_length() - 1):
        for kraus in (_amplitude_damping(errors.amplitude_damping), _phase_damping(errors.phase_damping)):
            wide = [_on(qubit, each, size) for each in kraus]
            total = np.sum([np.kron(each.conj(), each) for each in wide], axis=0) @ total
    return total


def _on(qubit: int, matrix: Matrices, size: int) -> Matrices:
    """A matrix of one qubit as one of `size` states, qubit 0 being the least significant bit."""
    low, high = 1 << qubit, size >> qubit + 1
    return np.asarray(np.kron(np.eye(high), np.kron(matrix, np.eye(low))))


def _amplitude_damping(gamma: float) -> tuple[Matrices, Matrices]:
    return np.diag([1, np.sqrt(1 - gamma)]).astype(complex), np.array([[0, np.sqrt(gamma)], [0, 0]], complex)


def _phase_damping(share: float) -> tuple[Matrices, Matrices]:
    return np.diag([1, np.sqrt(1 - share)]).astype(complex), np.diag([0, np.sqrt(share)]).astype(complex)


def pauli(index: int, width: int) -> Matrices:
    """The Pauli matrix of so many qubits whose base-4 digits are `index`, the first digit being the first qubit's."""
    made = np.eye(1, dtype=np.complex128)
    for place in range(width):
        made = np.kron(_PAULIS[index >> 2 * place & 3], made)
    return made


def apply(states: Matrices, matrices: Matrices, qubits: tuple[int, ...]) -> Matrices:
    """Matrices [rows or 1, d, d] on the named bits of states [rows, 2**n]; the first bit is the least significant.

    A row's result does not depend on the other rows, to the last bit.
    """
    rows, width = len(states), states.shape[1].bit_length() - 1
    axes = [1 + width - 1 - qubit for qubit in reversed(qubits)]
    front = list(range(1, 1 + len(qubits)))
    tensor = np.moveaxis(states.reshape(rows, *(2,) * width), axes, front)
    turned = matrices @ tensor.reshape(rows, 1 << len(qubits), -1)
    return np.ascontiguousarray(np.moveaxis(turned.reshape(tensor.shape), front, axes)).reshape(rows, -1)


def with_readout(probabilities: NDArray[np.float64], readout: Readout) -> NDArray[np.float64]:
    """What is read where the probabilities [rows, 2**n] are those of what is there: every qubit may be misread."""
    if not readout.one_for_zero and not readout.zero_for_one:
        return probabilities
    rows, size = probabilities.shape
    for qubit in range(size.bit_length() - 1):
        pairs = probabilities.reshape(rows, -1, 2, 1 << qubit)
        zero, one = pairs[:, :, 0], pairs[:, :, 1]
        moved = readout.one_for_zero * zero - readout.zero_for_one * one
        probabilities = np.stack([zero - moved, one + moved], axis=2).reshape(rows, size)
    return probabilities


def _small(operation: Operation) -> tuple[Operation, ...]:
    if operation.name not in ("ccx", "cswap"):
        return (operation,)
    _, second, third = operation.qubits
    toffoli = tuple(Operation(name, tuple(operation.qubits[place] for place in on)) for name, on in _TOFFOLI)
    if operation.name == "ccx":
        return toffoli
    swap = Operation("cx", (third, second))
    return (swap, *toffoli, swap)
