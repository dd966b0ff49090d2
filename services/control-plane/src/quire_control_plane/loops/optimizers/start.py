"""What every optimiser begins with, whatever its settings."""

from __future__ import annotations

import msgspec

from quire_contracts.preparation import Spectrum

Point = tuple[float, ...]
Points = tuple[Point, ...]


class Start(msgspec.Struct, frozen=True):
    """Where a run begins, for how many rounds at most, with which seed.

    `spectra` has one entry for each parameter, None where nothing is known of how the energy depends on it; or it is
    empty, where nothing is known of any.
    """

    parameters: Point
    rounds: int
    seed: int
    spectra: tuple[Spectrum | None, ...] = ()
