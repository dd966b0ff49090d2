"""How good a backend of Qiskit's kind is, from what its target says of its gates and qubits."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from quire_contracts.calibration import DeviceFigures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit.transpiler import Target

_PAIR = 2


def figures_of(target: Target) -> DeviceFigures:
    """Medians over the device; what is marked as out of order counts with the error that it is marked by."""
    t1s = [each.t1 for each in target.qubit_properties or () if each is not None and each.t1]
    return DeviceFigures(
        two_qubit_error=_median([error for name in target.operation_names for error in _errors(target, name, _PAIR)]),
        readout_error=_median(_errors(target, "measure", 1)),
        t1_seconds=_median(t1s),
    )


def _errors(target: Target, name: str, width: int) -> list[float]:
    """The known errors of a gate on so many qubits."""
    if name not in target.operation_names:
        return []
    places = (target[name] or {}).items()
    return [
        about.error
        for where, about in places
        if where is not None and len(where) == width and about is not None and about.error is not None
    ]


def _median(found: Sequence[float]) -> float | None:
    return float(median(found)) if found else None
