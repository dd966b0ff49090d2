"""What a structure says about its own simulation: nothing here looks at the numbers of a parameter set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from quire_plane.admission import measures_early, resets

if TYPE_CHECKING:
    from quire_quantum.structure import Operation, Structure

CLIFFORD: Final = frozenset(
    ("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "measure", "reset", "barrier")
)
"""What Aer's stabilizer simulator runs. Angles are free in a structure, so no gate with an angle is among them."""

_NO_COUPLING: Final = frozenset({"measure", "reset", "barrier"})
_WORD_BITS: Final = 64


@dataclass(frozen=True)
class Facts:
    """Of one structure and one kind of question.

    gates: operations other than barriers.
    exact: exact values are asked for, not shots.
    on_the_way: it measures or resets before its end, so that it has no single state.
    wide_bits: its outcomes do not fit into one word.
    clifford: every operation is one that the stabilizer simulator knows.
    operations: the structure's, for what is worked out only where it is asked for.
    """

    qubits: int
    gates: int
    exact: bool
    on_the_way: bool
    wide_bits: bool
    clifford: bool
    operations: tuple[Operation, ...]

    @cached_property
    def bond_bits(self) -> int:
        """No cut of the line of qubits ever has a Schmidt rank above 2**bond_bits."""
        return bond_bits(self.qubits, self.operations)


def facts_of(structure: Structure, shots: int | None, *, observed: bool) -> Facts:
    """The facts that decide which simulator runs a structure; `observed` where observables are asked for."""
    bits = structure.num_qubits if observed else structure.num_bits
    early = shots is not None and measures_early(structure)
    return Facts(
        qubits=structure.num_qubits,
        gates=sum(operation.name != "barrier" for operation in structure.operations),
        exact=shots is None,
        on_the_way=early or resets(structure),
        wide_bits=shots is not None and bits > _WORD_BITS,
        clifford=all(operation.name in CLIFFORD for operation in structure.operations),
        operations=structure.operations,
    )


def bond_bits(qubits: int, operations: tuple[Operation, ...]) -> int:
    """An upper bound on log2 of the Schmidt rank at any cut of the line 0, 1, ..., qubits - 1.

    A gate of operator Schmidt rank r multiplies the rank at each cut between its qubits by at most r (2 for one with a
    single control or a Pauli rotation, 4 for what swaps or has two controls); next to a cut of rank s no cut is above
    2 s, and the ends have rank 1 (Vidal, quant-ph/0301063). Linear in the operations times their reach.
    """
    cuts = [0] * (qubits + 1)
    for name, operands, _, _ in operations:
        if len(operands) < 2 or name in _NO_COUPLING:  # noqa: PLR2004 - a gate of one qubit crosses no cut
            continue
        first, last = min(operands), max(operands)
        more = 2 if name in ("swap", "cswap", "ccx") else 1
        for cut in range(first + 1, last + 1):
            cuts[cut] = min(cuts[cut] + more, cuts[cut - 1] + 1)
        for cut in range(last, first, -1):
            cuts[cut] = min(cuts[cut], cuts[cut + 1] + 1)
    return max(cuts)
