"""A given ansatz: a program whose inputs a loop may move, and how the structure's angles follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from quire_contracts.preparation import Columns
from quire_preprocessing.draws import uniform
from quire_preprocessing.refusal import Refused, refuse
from quire_quantum.rejection import ProgramRejected, safe_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_quantum.angle_program import AngleProgram

POINTER: Final = "/algorithm/ansatz/program"
"""Where a document has its only ansatz; `pointer_of` says where it has one of several."""

_PROBES: Final = 4
_CLOSE: Final = 1e-9


def pointer_of(place: int, *, several: bool) -> str:
    """Where the document has the program of an ansatz."""
    return f"/algorithm/candidates/{place}/program" if several else POINTER


def columns_of(angles: AngleProgram) -> Columns | None:
    """Each of the structure's parameters as one input times a number plus a number; None where they are the inputs.

    The numbers are read off from what the program makes of no inputs and of each input alone, and held against what it
    makes of others.

    Raises:
        Refused: no inputs, an input that no angle depends on, or an angle that is anything else.
    """
    inputs = len(angles.inputs)
    if not inputs:
        raise refuse(
            "ansatz-without-inputs",
            POINTER,
            "the program declares no inputs, so there is nothing to vary",
            hint="declare each parameter as an `input float`",
        )
    zero = np.zeros((1, inputs))
    offsets = _made(angles, zero)[0]
    slopes = _made(angles, np.eye(inputs)) - offsets
    probes = (uniform(0, "ansatz", _PROBES, inputs) - 0.5) * 2 * np.pi
    expected, made = probes @ slopes + offsets, _made(angles, probes)
    reach = 1.0 + np.abs(slopes).sum(axis=0) + np.abs(offsets)
    if (np.abs(made - expected) > _CLOSE * np.pi * reach).any():
        raise _not_linear("an angle is no linear function of the inputs")
    slopes[np.abs(slopes) <= _CLOSE * reach] = 0.0
    if (np.count_nonzero(slopes, axis=0) > 1).any():
        raise _not_linear("an angle depends on several inputs")
    unused = np.flatnonzero(~slopes.any(axis=1))
    if len(unused):
        raise refuse(
            "input-unused",
            POINTER,
            f"no angle depends on the input {safe_name(angles.inputs[unused[0]])}",
            hint="remove the input, or use it",
        )
    sources = np.argmax(slopes != 0.0, axis=0)
    scales = slopes[sources, np.arange(len(sources))]
    if sources.tolist() == list(range(inputs)) and (scales == 1.0).all() and not offsets.any():
        return None
    return Columns(sources=tuple(sources.tolist()), scales=tuple(scales.tolist()), offsets=tuple(offsets.tolist()))


def _made(angles: AngleProgram, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        return angles.evaluate(rows)
    except ProgramRejected as rejection:
        raise Refused(rejection.code, rejection.problem(POINTER)) from None


def _not_linear(reason: str) -> Refused:
    return refuse(
        "ansatz-not-linear",
        POINTER,
        reason,
        limit="each angle is a number, or one input times a number plus a number",
        hint="declare an input for each angle that is to vary on its own",
    )
