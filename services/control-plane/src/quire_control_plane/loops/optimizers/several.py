"""Runs of one optimiser side by side, each from a start point of its own: a round of all of them is one task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quire_control_plane.loops import optimizers

if TYPE_CHECKING:
    from quire_control_plane.loops.optimizers import Run
    from quire_control_plane.loops.optimizers.start import Points


class State(msgspec.Struct, frozen=True):
    """The runs as they were dumped, in the order of their start points. One that has ended stays, and asks no more."""

    runs: tuple[dict[str, object], ...]


def beside(runs: tuple[Run, ...]) -> State:
    """The state of runs that were told nothing yet."""
    return State(tuple(run.dump() for run in runs))


def ask(state: State) -> Points:
    """The points of each run's next round, one run after the other; none when all have come to their ends."""
    return tuple(point for run in _runs(state) for point in run.ask())


def tell(state: State, values: tuple[float, ...]) -> State:
    """The runs after a round, given the values of the points that `ask` gave, in that order.

    Raises:
        ValueError: if the number of values is not the number of points.
    """
    shares = _shared(state, values)
    return beside(tuple(run.tell(share) if share else run for run, share in zip(_runs(state), shares, strict=True)))


def stands(state: State, values: tuple[float, ...]) -> int:
    """Which of a round's points stands for it: the lowest of those where the runs are."""
    first, rows = 0, []
    for run, share in zip(_runs(state), _shared(state, values), strict=True):
        if share:
            rows.append(first + run.stands(share))
        first += len(share)
    return min(rows, key=lambda row: (values[row], row))


def _runs(state: State) -> tuple[Run, ...]:
    return tuple(optimizers.resume(dumped) for dumped in state.runs)


def _shared(state: State, values: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
    """The values of each run's points; nothing for one that has ended."""
    counts = [len(run.ask()) for run in _runs(state)]
    if sum(counts) != len(values):
        raise ValueError(f"{len(values)} values for {sum(counts)} points")
    ends = [sum(counts[: place + 1]) for place in range(len(counts))]
    return tuple(values[end - count : end] for count, end in zip(counts, ends, strict=True))
