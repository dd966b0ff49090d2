"""The circuits of a loop that may vary several, and how its rounds are shared out between them."""

from __future__ import annotations

import msgspec

from quire_contracts.document import Qaoa, QaoaCircuit
from quire_contracts.vqe import Ansatz, Vqe


def circuits_of(algorithm: Qaoa) -> tuple[QaoaCircuit, ...]:
    """The circuits that a loop of QAOA may vary: its candidates, or its one to all layers, or the one circuit."""
    if not isinstance(algorithm.candidates, msgspec.UnsetType):
        return algorithm.candidates
    if climbs(algorithm):
        return tuple(QaoaCircuit(layers=layers) for layers in range(1, algorithm.layers + 1))
    if isinstance(algorithm.angles, msgspec.UnsetType):
        return (QaoaCircuit(layers=algorithm.layers),)
    return (QaoaCircuit(layers=algorithm.layers, angles=algorithm.angles),)


def ansaetze_of(algorithm: Vqe) -> tuple[Ansatz, ...]:
    """The circuits that a minimisation may vary: its candidates, or the one ansatz."""
    return (algorithm.ansatz,) if isinstance(algorithm.candidates, msgspec.UnsetType) else algorithm.candidates


def climbs(algorithm: Qaoa | Vqe) -> bool:
    """Whether a loop goes from one layer to all of them, each step starting where the one before it ended."""
    return isinstance(algorithm, Qaoa) and algorithm.initialisation == "interpolated"


def starts_of(algorithm: Qaoa | Vqe) -> int:
    """How many of the best start points go on, each with an optimiser run of its own."""
    return 1 if isinstance(algorithm.starts, msgspec.UnsetType) else algorithm.starts


def last_rounds(rounds: int, steps: int) -> tuple[int, ...]:
    """The last round of each step of a climb, `rounds` of the last one: at least as many rounds as there are steps.

    A step has rounds in proportion to its layers, 1 to `steps`, rounded down, and one at least: as many as it has
    angles, and so most of them where the circuit is the one that was asked for. Rounds that a step does not use are
    there for the next one.
    """
    return tuple(max(step, rounds * step * (step + 1) // (steps * (steps + 1))) for step in range(1, steps + 1))
