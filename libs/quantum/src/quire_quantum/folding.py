"""Gates folded to multiply a circuit's noise: G becomes G G^-1 G, which does the same with three times the errors.

Gate folding, as in Giurgica-Tiron et al., "Digital zero noise extrapolation" (arXiv:2005.10921), section II: all gates
are folded equally often, and what is left over for the wanted factor is spread evenly over the circuit, always the same
way. Barriers keep a compiler from taking the pairs out again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quire_quantum.structure import GATES, Angle, Operation, Structure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PAIRS: Final = {"s": "sdg", "sdg": "s", "t": "tdg", "tdg": "t", "sx": "sxdg", "sxdg": "sx"}


def folds(gates: int, scale: float) -> tuple[int, ...]:
    """How often each of so many gates is folded, for about `scale` times as many gates.

    scale: at least 1. Folding one gate once adds two, so that what is reached is the next factor of 1 + 2 k / gates.
    """
    if gates == 0:
        return ()
    every, left = divmod(round(gates * (scale - 1) / 2), gates)
    return tuple(every + ((place + 1) * left // gates - place * left // gates) for place in range(gates))


def reached(gates: int, scale: float) -> float:
    """The factor that `folds` really gives; 1 for a circuit without gates, which cannot be folded."""
    return 1.0 + 2.0 * sum(folds(gates, scale)) / gates if gates else 1.0


def reached_by(gates: Sequence[int], scales: Sequence[float]) -> tuple[float, ...]:
    """The factor that each scale really gives, as the mean of circuits with so many gates each."""
    return tuple(sum(reached(each, scale) for each in gates) / len(gates) for scale in scales)


def inverse(gate: Operation) -> Operation:
    """The gate of the canonical set that undoes this one, phases included."""
    angles = tuple(Angle(parameter, -scale, -offset) for parameter, scale, offset in gate.angles)
    if gate.name == "u":
        theta, phi, lam = angles
        return Operation("u", gate.qubits, (theta, lam, phi))
    return Operation(_PAIRS.get(gate.name, gate.name), gate.qubits, angles)


def folded(structure: Structure, scale: float) -> Structure:
    """The structure with its gates folded; itself where that changes nothing.

    What is measured and reset stays once. The parameters stay the same.
    """
    times = iter(folds(gates_of(structure), scale))
    operations = [each for operation in structure.operations for each in _folded(operation, times)]
    return structure if len(operations) == len(structure.operations) else structure.with_operations(operations)


def gates_of(structure: Structure) -> int:
    """How many gates can be folded."""
    return sum(operation.name in GATES for operation in structure.operations)


def _folded(operation: Operation, times: Iterator[int]) -> list[Operation]:
    if operation.name not in GATES:
        return [operation]
    barrier = Operation("barrier", operation.qubits)
    return [operation, *[barrier, inverse(operation), barrier, operation] * next(times)]
