"""Counts from probabilities: each row draws from a random stream of its own, whatever runs beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def draw(
    probabilities: NDArray[np.float64], shots: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw basis states by inverting the cumulative distribution.

    Args:
        probabilities: float64 [2**qubits], not negative; they need not add up to exactly 1.
        shots: how many to draw.
        generator: the row's own stream; `shots` numbers are taken from it.

    Returns:
        The states drawn, rising, and how often each.
    """
    cumulative = np.cumsum(probabilities)
    places = np.searchsorted(cumulative, generator.random(shots) * cumulative[-1], side="right")
    states, tallies = np.unique(np.minimum(places, len(probabilities) - 1), return_counts=True)
    return states, tallies


def read_out(states: NDArray[np.int64], measured: Mapping[int, int]) -> NDArray[np.uint64]:
    """Outcomes of basis states: bit b of an outcome is the state's qubit `measured[b]`; a bit not named is 0."""
    outcomes = np.zeros(len(states), np.uint64)
    for bit, qubit in measured.items():
        outcomes |= ((states >> qubit) & 1).astype(np.uint64) << np.uint64(bit)
    return outcomes


def read_text(
    states: NDArray[np.int64], tallies: NDArray[np.int64], measured: Mapping[int, int], bits: int
) -> dict[str, int]:
    """As `read_out`, for outcomes of any width: text (right-most character is bit 0) to tally."""
    found: dict[str, int] = {}
    for state, tally in zip(states.tolist(), tallies.tolist(), strict=True):
        number = sum((state >> qubit & 1) << bit for bit, qubit in measured.items())
        text = format(number, f"0{bits}b")
        found[text] = found.get(text, 0) + tally
    return found
