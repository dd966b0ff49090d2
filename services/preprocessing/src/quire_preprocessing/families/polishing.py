"""A local descent from an assignment: flips of one variable, or of two, as long as each makes the energy less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_preprocessing.optimize.ising import Energy

_RELATIVE: Final = 1e-9
"""Gains smaller than this, relative to the sum of the absolute weights, are rounding."""


def polished(energy: Energy, assignment: tuple[int, ...], most_moves: int) -> tuple[tuple[int, ...], int]:
    """The assignment after at most `most_moves` moves, and how many it took; never of a higher energy.

    Each move is the flip of the one variable that gains most; where none does, of the two that do. Among equals it is
    the first. It ends where no move gains anything. A move costs n^2 steps for n variables.
    """
    spins = np.array([1.0 - 2.0 * bit for bit in assignment])
    fields = np.array(energy.fields, np.float64)
    couplings = np.zeros((energy.variables, energy.variables))
    for i, j, weight in energy.couplings:
        couplings[i, j] = couplings[j, i] = weight
    least = _RELATIVE * max(1.0, float(np.abs(fields).sum() + np.abs(couplings).sum() / 2))
    moves = 0
    while moves < most_moves:
        change = -2.0 * spins * (fields + couplings @ spins)
        flip = _best_move(change, spins, couplings, least)
        if not flip:
            break
        spins[list(flip)] *= -1.0
        moves += 1
    return tuple(int(spin < 0) for spin in spins), moves


def _best_move(
    change: NDArray[np.float64], spins: NDArray[np.float64], couplings: NDArray[np.float64], least: float
) -> tuple[int, ...]:
    """The variables to flip; none where no flip of one or two gains more than `least`."""
    one = int(change.argmin())
    if change[one] < -least:
        return (one,)
    # Both flips count the coupling between the two as changed, and it does not change.
    both = change[:, None] + change[None, :] + 4.0 * couplings * np.outer(spins, spins)
    np.fill_diagonal(both, 0.0)
    first, second = divmod(int(both.argmin()), len(spins))
    return (first, second) if both[first, second] < -least else ()
