"""Sequential minimal optimisation: one parameter a round goes to the lowest point of its whole curve.

Source: K. M. Nakanishi, K. Fujii, S. Todo, "Sequential minimal optimization for quantum-classical hybrid algorithms",
Physical Review Research 2, 043158 (2020), for one frequency; for more of them D. Wierichs et al., Quantum 6, 677
(2022), who call it generalised rotosolve. The present point is measured anew in each round, where the first source goes
on with the fitted value: a round is one task in any case, and so errors do not add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quire_contracts.preparation import Spectrum
from quire_control_plane.loops.optimizers.curves import curve_points, lowest_shift, moved, spectrum_of
from quire_control_plane.loops.optimizers.start import Point, Points

if TYPE_CHECKING:
    from quire_contracts.optimizers import Nft
    from quire_control_plane.loops.optimizers.start import Start


class State(msgspec.Struct, frozen=True):
    """A run between two rounds: `step` counts finished rounds, and parameter `step` modulo their number is next."""

    parameters: Point
    spectra: tuple[Spectrum, ...]
    step: int = 0


def begin(_: Nft, start: Start) -> State:
    """A run that begins at `start.parameters`.

    Raises:
        ValueError: if the spectrum of a parameter is not known; preprocessing refuses such a job.
    """
    found = [spectrum_of(start.spectra, index) for index in range(len(start.parameters))]
    spectra = tuple(spectrum for spectrum in found if spectrum is not None)
    if len(spectra) != len(start.parameters):
        raise ValueError(f"nft needs the spectra of {len(start.parameters)} parameters, {len(spectra)} are known")
    return State(start.parameters, spectra)


def ask(state: State) -> Points:
    """The present point first, then those that complete the curve of the round's parameter."""
    index = state.step % len(state.parameters)
    return curve_points(state.parameters, index, state.spectra[index])


def tell(state: State, values: tuple[float, ...]) -> State:
    """The run after a round, given the values of the points that `ask` gave, in that order, to be minimised.

    Raises:
        ValueError: if the number of values is not the number of points.
    """
    index = state.step % len(state.parameters)
    shift = lowest_shift(values, state.spectra[index])
    return State(moved(state.parameters, index, shift), state.spectra, state.step + 1)
