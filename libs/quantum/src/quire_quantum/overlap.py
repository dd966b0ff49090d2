"""The fidelity of two states of one circuit, as the chance that a circuit of both reads nothing but zeros."""

from __future__ import annotations

from typing import Final

from quire_contracts.value import Observable
from quire_quantum.folding import inverse
from quire_quantum.structure import GATES, Angle, Operation, Structure, StructureError

_STRING: Final = str.maketrans("01", "IZ")


def overlap(structure: Structure) -> Structure:
    """U(a) and after it the inverse of U(b): all qubits read 0 with probability |<b|a>|^2, a = U(a)|0>, b = U(b)|0>.

    The circuit of Havlicek et al., "Supervised learning with quantum-enhanced feature spaces" (Nature 567, 209, 2019).
    Parameters p0..p(m-1) are those of a, pm..p(2m-1) those of b. Nothing stands between the halves: gates that meet
    there may be merged, which is right whatever the parameters are.

    Raises:
        StructureError: if the circuit measures or resets anything, or the two together would be too long.
    """
    shift, undone = structure.num_parameters, []
    for operation in reversed(structure.operations):
        if operation.name not in GATES and operation.name != "barrier":
            raise StructureError(f"a circuit with `{operation.name}` has no inverse")
        name, qubits, angles, _ = inverse(operation)
        moved = tuple(Angle(parameter + shift, scale, offset) for parameter, scale, offset in angles)
        undone.append(Operation(name, qubits, moved))
    return Structure(structure.num_qubits, 0, 2 * shift, (*structure.operations, *undone))


def all_zeros(num_qubits: int) -> Observable:
    """The projector on the state of nothing but zeros: the sum of all 2^n strings of I and Z, each over 2^n."""
    labels = [format(place, f"0{num_qubits}b").translate(_STRING) for place in range(1 << num_qubits)]
    return Observable(labels=tuple(labels), coefficients=(2.0**-num_qubits,) * len(labels))
