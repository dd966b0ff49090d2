"""Mitigation of errors, as a setting of a task: what is to be done about the noise of the target, and with what."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from quire_contracts import limits
from quire_contracts.value import Value

Extrapolation = Literal["linear", "richardson", "exponential"]
NoiseScale = Annotated[float, Meta(ge=1, le=limits.NOISE_SCALE)]

POINTS: dict[Extrapolation, int] = {"linear": 2, "richardson": 2, "exponential": 3}
"""Noise scales that each extrapolation needs at least."""


class Readout(Value, frozen=True):
    """Errors of reading taken out of the counts.

    How often each qubit is read wrongly is measured at the target itself, by circuits of `shots` shots, once for each
    of its calibrations. mthree: Nation et al., arXiv:2108.12518.
    """

    method: Literal["mthree"] = "mthree"
    shots: Annotated[int, Meta(ge=1, le=limits.SHOTS)] = 8_192


class Zne(Value, frozen=True):
    """Errors of gates taken out of observables' values by zero-noise extrapolation.

    Every circuit runs once for each scale factor, its gates folded (G becomes G G^-1 G) until it has so many times as
    many of them, and what was measured is extrapolated to none (Giurgica-Tiron et al., arXiv:2005.10921).
    """

    scale_factors: Annotated[tuple[NoiseScale, ...], Meta(min_length=2, max_length=limits.NOISE_SCALES)] = (
        1.0,
        3.0,
        5.0,
    )
    extrapolation: Extrapolation = "linear"


class Mitigation(Value, frozen=True):
    """What a task asks for; `readout` is applied first, to what every scale of `zne` measured."""

    readout: Readout | None = None
    zne: Zne | None = None
