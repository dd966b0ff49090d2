"""Configuration and properties of backends as IBM's service gives them: those of a fake backend, drifting."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import msgspec

from quire_emulator.calibrations import calibration
from quire_emulator.rules import draw

if TYPE_CHECKING:
    from quire_emulator.configuration import Device

_FOLDER: Final = "qiskit_ibm_runtime.fake_provider.backends"
_DRIFTS: Final = frozenset({"gate_error", "readout_error", "T1", "T2"})
_NEVER: Final = 0.5
"""Errors above this mean that a gate is out of order; they stay as they are."""


@lru_cache(16)
def _document(model: str, what: str) -> dict[str, Any]:
    text = files(f"{_FOLDER}.{model}").joinpath(f"{what}_{model}.json").read_bytes()
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


@lru_cache(16)
def configuration(device: Device) -> bytes:
    """JSON of what the backend is; its name is the device's."""
    document = _document(device.model, "conf") | {"backend_name": device.name, "max_shots": device.max_shots}
    return msgspec.json.encode(document)


def properties(device: Device, seed: int, age: float, now: float) -> dict[str, Any]:
    """How good the backend is, as of its last calibration."""
    current = calibration(device, seed, age)
    stamp = datetime.fromtimestamp(now - age + current.at, UTC).isoformat()
    return _properties(device, seed, current.number, stamp)


@lru_cache(16)
def _properties(device: Device, seed: int, number: int, stamp: str) -> dict[str, Any]:
    document = _document(device.model, "props")

    def drifted(where: str, row: dict[str, Any]) -> dict[str, Any]:
        if row.get("name") not in _DRIFTS or (float(row["value"]) > _NEVER and row.get("unit") == ""):
            return row | {"date": stamp}
        factor = 1.0 + device.drift * (2.0 * draw(seed, device.name, str(number), where, str(row["name"])) - 1.0)
        return row | {"value": float(row["value"]) * factor, "date": stamp}

    return document | {
        "backend_name": device.name,
        "last_update_date": stamp,
        "qubits": [[drifted(f"qubit {index}", row) for row in rows] for index, rows in enumerate(document["qubits"])],
        "gates": [
            gate | {"parameters": [drifted(str(gate.get("name", gate["gate"])), row) for row in gate["parameters"]]}
            for gate in document["gates"]
        ],
    }
