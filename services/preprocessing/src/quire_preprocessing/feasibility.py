"""What a job needs before any device is chosen."""

from __future__ import annotations

from quire_contracts.preparation import Estimate
from quire_quantum.size import depth, two_qubit_gates
from quire_quantum.structure import Structure


def estimate(structure: Structure, parameter_sets: int, shots: int | None) -> Estimate:
    """A lower bound of what the work needs, any two qubits taken to be neighbours.

    Args:
        structure: what runs.
        parameter_sets: how many parameter sets it runs for.
        shots: of the whole job, all parameter sets and measurement bases counted; None for exact values.
    """
    return Estimate(
        qubits=structure.num_qubits,
        depth=depth(structure),
        two_qubit_gates=two_qubit_gates(structure),
        parameter_sets=parameter_sets,
        shots=shots,
    )
