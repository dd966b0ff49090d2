"""A loop that climbs: QAOA with one layer, then two and so on, each beginning at the angles of the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire_contracts.loop_circuits import last_rounds
from quire_control_plane.loops.stretching import stretched

if TYPE_CHECKING:
    from quire_contracts.preparation import Loop
    from quire_contracts.record import Checkpoint
    from quire_control_plane.loops.optimizers.start import Point


def last_round(checkpoint: Checkpoint, loop: Loop) -> int:
    """After which round the circuit in use has had its share; of a loop of one circuit, after all of them."""
    if not loop.climbs:
        return checkpoint.rounds
    return last_rounds(checkpoint.rounds, len(loop.circuits))[checkpoint.circuit]


def next_step(checkpoint: Checkpoint, loop: Loop) -> int | None:
    """The circuit after the one in use; None where there is none to climb to."""
    step = checkpoint.circuit + 1
    return step if loop.climbs and step < len(loop.circuits) else None


def first_point(checkpoint: Checkpoint, loop: Loop, step: int) -> Point:
    """Where a step begins: at the best angles so far, stretched to its layers, whichever circuit they are of."""
    return stretched(checkpoint.best_parameters, loop.circuits[step].start_points.columns // 2)


def layers_of(loop: Loop) -> int | None:
    """How many layers the circuit in use has, where a loop climbs."""
    return loop.start_points.columns // 2 if loop.climbs else None
