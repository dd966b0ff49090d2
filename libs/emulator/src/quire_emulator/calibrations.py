"""How good a device is at a moment: error rates that change with every calibration, as the seed says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from quire_emulator.rules import draw

if TYPE_CHECKING:
    from quire_emulator.configuration import Device, Noise

_TYPICAL: Final = {"one_qubit": 0.0005, "two_qubit": 0.006, "readout": 0.015}
"""What is shown for a device without noise: its users see a real device, their results stay exact."""


@dataclass(frozen=True)
class Calibration:
    """One calibration.

    Attributes:
        number: from 0.
        at: the age of the cloud when it was made.
        noise: what runs suffer.
        shown: what is reported of it; like `noise` where there is any.
    """

    number: int
    at: float
    noise: Noise
    shown: Noise


def calibration(device: Device, seed: int, age: float) -> Calibration:
    """The one in force when the cloud is `age` seconds old."""
    number = int(max(age, 0.0) // device.calibration_seconds) if device.calibration_seconds > 0 else 0
    factor = 1.0 + device.drift * (2.0 * draw(seed, "calibration", device.key, str(number)) - 1.0)
    noise = _scaled(device.noise, factor)
    fields = msgspec.structs.asdict(device.noise)
    typical = msgspec.structs.replace(device.noise, **{name: fields[name] or _TYPICAL[name] for name in fields})
    return Calibration(number, number * device.calibration_seconds, noise, _scaled(typical, factor))


def spread(device: Device, seed: int, number: int, what: str, value: float) -> float:
    """A qubit's or pair's own value around the device's: between a half and one and a half of it."""
    return value * (0.5 + draw(seed, device.key, str(number), what))


def _scaled(noise: Noise, factor: float) -> Noise:
    fields = msgspec.structs.asdict(noise)
    return msgspec.structs.replace(noise, **{name: min(0.5, value * factor) for name, value in fields.items()})
