"""How good a device is by its provider's calibrations, and what follows when that changes."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from quire_contracts.value import Key, Name, Target, Text, Value


class DeviceFigures(Value, frozen=True):
    """A device's medians over its qubits and pairs, as its calibration says; None where that is silent."""

    two_qubit_error: float | None = None
    readout_error: float | None = None
    t1_seconds: float | None = None


class CalibrationChanged(Value, frozen=True):
    """A target has a new calibration: what was compiled for the one before is made anew.

    drifted: it is worse than the last good one by more than the drift rule allows; `before` and `reason` say how much.
    action: `rerouted` where work is sent elsewhere until the device is as good as it was, or that is given up.
    """

    snapshot_id: Key
    target: Target
    calibration_id: Name
    previous_id: Name
    at: datetime
    before: DeviceFigures
    after: DeviceFigures
    drifted: bool = False
    action: Literal["recompiled", "rerouted"] = "recompiled"
    reason: Text = ""


def snapshot_id(target: str, calibration_id: str) -> str:
    """The name of one calibration of one target, equal for everybody who sees it."""
    return hashlib.sha256(f"{target}|{calibration_id}".encode()).hexdigest()[:32]
