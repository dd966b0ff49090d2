"""The noise of a backend, read once for each calibration and cut down to the qubits and gates that a circuit uses.

Aer turns the whole noise model of a backend into its own form with every run: 340 ms for 27 qubits, against 20 ms for
the five qubits that a circuit uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qiskit_aer.noise import NoiseModel, QuantumError, ReadoutError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

Place = tuple[str, tuple[int, ...]]
"""A gate's name and its qubits."""


@dataclass(frozen=True, eq=False)
class Noise:
    """A backend's errors by place, and its read-out errors by qubit: entry [i, j] is the chance to read j for i."""

    basis_gates: tuple[str, ...]
    gates: Mapping[Place, QuantumError]
    readout: Mapping[int, NDArray[np.float64]]

    def cut_down(self, used: Iterable[Place], qubits: Sequence[int]) -> NoiseModel:
        """The noise of the gates in `used` alone, qubit `qubits[i]` being called i."""
        index = {qubit: position for position, qubit in enumerate(qubits)}
        model = NoiseModel(basis_gates=list(self.basis_gates))
        for place in sorted(set(used)):
            name, where = place
            if place in self.gates:
                model.add_quantum_error(self.gates[place], name, [index[qubit] for qubit in where], warnings=False)
            if name == "measure" and where[0] in self.readout:
                model.add_readout_error(ReadoutError(self.readout[where[0]]), [index[where[0]]], warnings=False)
        return model


def read_noise(model: NoiseModel) -> Noise:
    """The errors of a model made from a backend: each of them belongs to one gate on certain qubits.

    Raises:
        ValueError: an error holds on all qubits, so that the model does not come from a backend.
    """
    described = model.to_dict()["errors"]
    if not all("gate_qubits" in each for each in described):
        raise ValueError("noise that belongs to no qubit")
    gates: dict[Place, QuantumError] = {}
    readout: dict[int, NDArray[np.float64]] = {}
    for each in described:
        for qubits in each["gate_qubits"]:
            if each["type"] == "roerror":
                readout[qubits[0]] = np.array(each["probabilities"], np.float64)
            else:
                gates |= {(name, tuple(qubits)): QuantumError.from_dict(each) for name in each["operations"]}
    return Noise(tuple(model.basis_gates), gates, readout)


def read_with_errors(
    probabilities: NDArray[np.float64], readout: Mapping[int, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Probabilities of what is read, from those of the basis states (qubit i at 2**i), read-out errors being local."""
    width = len(probabilities).bit_length() - 1
    result = probabilities.reshape((2,) * width)
    for qubit, chances in readout.items():
        axis = width - 1 - qubit
        result = np.moveaxis(np.tensordot(chances, result, (0, axis)), 0, axis)
    return result.reshape(-1)
