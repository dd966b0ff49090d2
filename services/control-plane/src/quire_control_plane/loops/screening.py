"""The pre-screen's judgement: which start points go on, and which of several circuits does.

A circuit's best energy was found by simulation. What its target makes of it is expected to lie as far from the energy
of the maximally mixed state as its fidelity leaves of that distance: so depolarising noise moves an expectation. The
circuit with the most to gain goes on, but a smaller one comes before it if it gains as much: within 1 %, or within two
standard errors where energies were estimated from shots.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from quire_contracts.record import JobRecord, evolve
from quire_contracts.result import Screened
from quire_control_plane.budget.worth import appraisal_of
from quire_control_plane.loops.circuits import alone, uses
from quire_control_plane.loops.state import checkpoint_of, loop_of
from quire_control_plane.tasks import preparation_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.preparation import Loop
    from quire_contracts.value import Target

ENOUGH: Final = 0.01
"""Of the best gain: so little is not worth a larger circuit."""

SIGMAS: Final = 2.0


def best_rows(energies: Sequence[float], few: int) -> tuple[int, ...]:
    """The start points of least energy, at most so many, the best one first."""
    return tuple(sorted(range(len(energies)), key=lambda row: (energies[row], row))[:few])


def seen(record: JobRecord, energies: Sequence[float], errors: Sequence[float], target: Target) -> Screened:
    """What the pre-screen has found of the circuit in use, whose rounds would run at the target.

    `errors` are empty where the energies are exact.
    """
    prepared = preparation_of(record)
    loop, checkpoint = loop_of(record), checkpoint_of(record)
    rows = best_rows(energies, loop.starts)
    known = appraisal_of(record, target)
    fidelity = known.fidelity if known is not None else None
    gates, depth = prepared.estimate.two_qubit_gates, prepared.estimate.depth
    if known is not None and known.compiled:
        gates = gates if known.two_qubit_gates is None else known.two_qubit_gates
        depth = depth if known.depth is None else known.depth
    energy = energies[rows[0]]
    mixed = energy if loop.mixed is None else loop.mixed
    return Screened(
        name=loop.circuits[checkpoint.circuit].name,
        parameters=loop.start_points.columns,
        two_qubit_gates=gates,
        depth=depth,
        start_points=len(energies),
        rows=rows,
        objective=loop.scale * energy,
        std_error=errors[rows[0]] if errors else None,
        target=target,
        fidelity=fidelity,
        expected=loop.scale * (mixed + (1.0 if fidelity is None else fidelity) * (energy - mixed)),
    )


def chosen(record: JobRecord) -> tuple[JobRecord, tuple[int, ...]]:
    """The record with the circuit in use that goes on, once all have been seen, and the start points that do."""
    loop, checkpoint = loop_of(record), checkpoint_of(record)
    found = checkpoint.screened
    gains = [_gain(each, loop) for each in found]
    best = min(range(len(found)), key=lambda place: (-gains[place], _size(found[place]), place))
    near = [place for place in range(len(found)) if gains[best] - gains[place] <= _margin(found, gains, place, best)]
    winner = min(near, key=lambda place: (_size(found[place]), place))
    said = tuple(
        msgspec.structs.replace(
            each, chosen=place == winner, reason=_reason(found, place, winner=winner, best=best, near=place in near)
        )
        for place, each in enumerate(found)
    )
    record = evolve(record, checkpoint=msgspec.structs.replace(checkpoint, screened=said))
    return alone(uses(record, winner)), said[winner].rows


def _gain(each: Screened, loop: Loop) -> float:
    """Energy below that of the maximally mixed state, as it is expected at the target."""
    return (loop.mixed or 0.0) - loop.scale * each.expected


def _margin(found: Sequence[Screened], gains: Sequence[float], place: int, best: int) -> float:
    left = [1.0 if found[each].fidelity is None else found[each].fidelity or 0.0 for each in (place, best)]
    errors = [share * (found[each].std_error or 0.0) for share, each in zip(left, (place, best), strict=True)]
    return max(ENOUGH * abs(gains[best]), SIGMAS * math.hypot(*errors))


def _size(each: Screened) -> tuple[int, int, int]:
    return each.two_qubit_gates, each.depth, each.parameters


def _reason(found: Sequence[Screened], place: int, *, winner: int, best: int, near: bool) -> str:
    expected = found[place].expected
    if place == winner:
        if winner == best:
            return "it has the best objective to expect"
        return f"it is as good as {found[best].name}, and smaller"
    if near:
        return f"{found[winner].name} is as good, and smaller"
    return f"{expected:.6g} is to be expected, and {found[best].expected:.6g} of {found[best].name}"
