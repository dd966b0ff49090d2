"""Any minimiser of SciPy, made resumable: what it was told is replayed into it until it asks for something new.

The minimisers are deterministic and keep their state to themselves; the evaluations are that state. The objective
raises where it is asked for a point that is not among them, and that point is the next round's. A point that is asked
for again is answered from the list: nothing is evaluated twice, and a minimiser that changed its ways (another version
of SciPy) only asks for more. A round replays all rounds before it, so a run's cost grows with their square; replays are
cheap beside any task (COBYLA, the slowest, takes a millisecond for each), and their number has a limit.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np
from scipy.optimize import minimize

from quire_contracts.preparation import Spectrum
from quire_control_plane.loops.optimizers.curves import gradient, gradient_points
from quire_control_plane.loops.optimizers.start import Point, Points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_contracts.optimizers import Scipy
    from quire_control_plane.loops.optimizers.start import Start

_UNLIMITED: Final = 10**9
"""Of the minimiser's own limits: the loop's rounds are what ends it."""

_GRADIENT: Final = "l-bfgs-b"


class Evaluation(msgspec.Struct, frozen=True):
    """The value at a point, and its gradient where the minimiser wants one; `point` is a digest of its bytes."""

    point: str
    value: float
    slopes: tuple[float, ...] = ()


class State(msgspec.Struct, frozen=True):
    """A run between two rounds; `asked` is the point of the next one, or empty when the minimiser has ended."""

    method: Literal["cobyla", "nelder-mead", "powell", "l-bfgs-b"]
    step: float
    tolerance: float
    difference: float
    spectra: tuple[Spectrum | None, ...]
    first: Point
    asked: Point
    evaluations: tuple[Evaluation, ...] = ()


class _Unknown(Exception):
    """The minimiser asks for a point that has not been evaluated."""

    def __init__(self, point: Point) -> None:
        super().__init__()
        self.point = point


def begin(settings: Scipy, start: Start) -> State:
    """A run that begins at `start.parameters`."""
    fresh = State(
        settings.method,
        settings.step,
        settings.tolerance,
        settings.difference,
        start.spectra,
        first=start.parameters,
        asked=(),
    )
    return msgspec.structs.replace(fresh, asked=_next(fresh))


def ask(state: State) -> Points:
    """The point that the minimiser waits for, then those of its gradient if it wants one; none when it has ended."""
    if not state.asked:
        return ()
    if state.method == _GRADIENT:
        return gradient_points(state.asked, state.spectra, state.difference)
    return (state.asked,)


def tell(state: State, values: tuple[float, ...]) -> State:
    """The run after a round, given the values of the points that `ask` gave, in that order, to be minimised.

    Raises:
        ValueError: if the number of values is not the number of points.
    """
    slopes: tuple[float, ...] = ()
    if state.method == _GRADIENT and state.asked:
        slopes = gradient(values, len(state.first), state.spectra, state.difference)
    elif len(values) != len(ask(state)):
        raise ValueError(f"{len(values)} values for {len(ask(state))} points")
    told = Evaluation(_digest(state.asked), values[0], slopes)
    state = msgspec.structs.replace(state, evaluations=(*state.evaluations, told))
    return msgspec.structs.replace(state, asked=_next(state))


def _next(state: State) -> Point:
    """The first point that the minimiser asks for and that is not known; empty when it ends before."""
    known = {each.point: each for each in state.evaluations}

    def objective(point: NDArray[np.float64]) -> Any:
        here = tuple(point.tolist())
        found = known.get(_digest(here))
        if found is None:
            raise _Unknown(here)
        return (found.value, np.array(found.slopes)) if state.method == _GRADIENT else found.value

    try:
        minimize(
            objective,
            np.array(state.first),
            method=state.method,
            jac=True if state.method == _GRADIENT else None,
            tol=state.tolerance,
            options=_options(state),
        )
    except _Unknown as unknown:
        return unknown.point
    return ()


def _options(state: State) -> dict[str, Any]:
    width = len(state.first)
    match state.method:
        case "cobyla":
            return {"rhobeg": state.step, "maxiter": _UNLIMITED}
        case "nelder-mead":
            simplex = np.array(state.first) + state.step * np.eye(width + 1, width, -1)
            return {"initial_simplex": simplex, "maxiter": _UNLIMITED, "maxfev": _UNLIMITED}
        case "powell":
            return {"direc": state.step * np.eye(width), "maxiter": _UNLIMITED, "maxfev": _UNLIMITED}
        case "l-bfgs-b":
            return {"maxiter": _UNLIMITED, "maxfun": _UNLIMITED}


def _digest(point: Point) -> str:
    """128 bits in 22 characters: a record holds one for each round, whatever the number of parameters."""
    data = struct.pack(f"<{len(point)}d", *point)
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()[:16]).decode().rstrip("=")
