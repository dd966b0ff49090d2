"""Device capabilities as Braket's schemas have them, made from a device and the calibration in force."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from quire_emulator.braket_results import PROGRAM, PROGRAM_SET, moment
from quire_emulator.calibrations import Calibration, calibration, spread

if TYPE_CHECKING:
    from quire_emulator.configuration import Device

_GATES: Final = [
    "ccnot", "cnot", "cphaseshift", "cphaseshift00", "cphaseshift01", "cphaseshift10", "cswap", "cv", "cy", "cz",
    "ecr", "gpi", "gpi2", "h", "i", "iswap", "ms", "phaseshift", "prx", "pswap", "rx", "ry", "rz", "s", "si", "swap",
    "t", "ti", "v", "vi", "x", "xx", "xy", "y", "yy", "z", "zz",
]  # fmt: skip
_ION_GATES: Final = {"gpi", "gpi2", "ms", "zz"}
_NATIVE: Final = {"IonQ": ["gpi", "gpi2", "zz"], "IQM": ["cz", "prx"]}
_OBSERVABLES: Final = ["x", "y", "z", "h", "i", "hermitian"]
_FAMILY: Final = {"IonQ": "ionq", "IQM": "iqm"}
MOST_SHOTS: Final = 1_000_000


def capabilities(device: Device, seed: int, age: float, now: float) -> str:
    """The JSON text of a device's capabilities."""
    current = calibration(device, seed, age)
    return _written(device, seed, current, moment(now - age + current.at))


@lru_cache(64)
def _written(device: Device, seed: int, current: Calibration, updated: str) -> str:
    document = _simulator(device, updated) if device.simulator else _machine(device, seed, current, updated)
    return msgspec.json.encode(document).decode()


def edges(device: Device) -> list[tuple[int, int]]:
    """Pairs that a two-qubit gate may join; the lower first. A grid is as square as its number of qubits allows."""
    count = device.qubits
    if device.layout == "all":
        return [(one, other) for one in range(count) for other in range(one + 1, count)]
    width = max(width for width in range(1, count + 1) if width * width <= count)
    across = [(one, one + 1) for one in range(count - 1) if (one + 1) % width]
    return sorted(across + [(one, one + width) for one in range(count - width)])


def _header(name: str, version: str = "1") -> dict[str, str]:
    return {"name": f"braket.device_schema.{name}", "version": version}


def _service(device: Device, updated: str) -> dict[str, Any]:
    return {
        "braketSchemaHeader": _header("device_service_properties"),
        "executionWindows": [{"executionDay": "Everyday", "windowStartHour": "00:00:00", "windowEndHour": "23:59:59"}],
        "shotsRange": [0 if device.simulator else 1, device.max_shots],
        "deviceCost": {"price": device.shot_price, "unit": "shot"},
        "deviceDocumentation": {"summary": f"An emulated {device.name}"},
        "deviceLocation": "loopback",
        "updatedAt": updated.removesuffix("Z"),
        "getTaskPollIntervalMillis": 200,
    }


def _actions(device: Device) -> dict[str, Any]:
    gates = [gate for gate in _GATES if device.provider == "IonQ" or gate not in _ION_GATES - {"zz"}]
    least = 0 if device.simulator else 1
    kinds = [("Sample", 1), ("Expectation", least), ("Variance", least), ("Probability", least)]
    results: list[dict[str, Any]] = [
        {"name": name, "minShots": shots, "maxShots": device.max_shots}
        | ({} if name == "Probability" else {"observables": _OBSERVABLES})
        for name, shots in kinds
    ]
    if device.simulator:
        results += [
            {"name": name, "minShots": 0, "maxShots": 0} for name in ("StateVector", "Amplitude", "DensityMatrix")
        ]
    return {
        PROGRAM: {
            "actionType": PROGRAM,
            "version": ["1"],
            "supportedOperations": gates,
            "supportedModifiers": [],
            "supportedPragmas": ["verbatim", *(f"braket_result_type_{name.lower()}" for name, _ in kinds)],
            "forbiddenPragmas": [],
            "maximumQubitArrays": 1,
            "maximumClassicalArrays": 1,
            "forbiddenArrayOperations": [
                "concatenation",
                "negativeIndex",
                "range",
                "rangeWithStep",
                "slicing",
                "selection",
            ],
            "requiresAllQubitsMeasurement": False,
            "requiresContiguousQubitIndices": False,
            "supportsPartialVerbatimBox": False,
            "supportsUnassignedMeasurements": True,
            "disabledQubitRewiringSupported": not device.simulator,
            "supportedResultTypes": results,
        },
        PROGRAM_SET: {
            "actionType": PROGRAM_SET,
            "version": ["1"],
            "maximumExecutables": 100,
            "maximumTotalShots": MOST_SHOTS,
        },
    }


def _simulator(device: Device, updated: str) -> dict[str, Any]:
    return {
        "braketSchemaHeader": _header("simulators.gate_model_simulator_device_capabilities"),
        "service": _service(device, updated),
        "action": _actions(device),
        "deviceParameters": {},
        "paradigm": {
            "braketSchemaHeader": _header("simulators.gate_model_simulator_paradigm_properties"),
            "qubitCount": device.qubits,
        },
    }


def _machine(device: Device, seed: int, current: Calibration, updated: str) -> dict[str, Any]:
    graph: dict[str, list[str]] = {str(qubit): [] for qubit in range(device.qubits)}
    for one, other in edges(device):
        graph[str(one)].append(str(other))
        graph[str(other)].append(str(one))
    family = _FAMILY.get(device.provider, "iqm")
    native = _NATIVE.get(device.provider, _NATIVE["IQM"])
    return {
        "braketSchemaHeader": _header(f"{family}.{family}_device_capabilities"),
        "service": _service(device, updated),
        "action": _actions(device),
        "deviceParameters": {},
        "paradigm": {
            "braketSchemaHeader": _header("gate_model_qpu_paradigm_properties"),
            "qubitCount": device.qubits,
            "nativeGateSet": native,
            "connectivity": {
                "fullyConnected": device.layout == "all",
                "connectivityGraph": {} if device.layout == "all" else graph,
            },
        },
        "provider": _ions(current) if family == "ionq" else _iqm(),
        "standardized": (
            _standard_of_ions(current, updated) if family == "ionq" else _standard(device, seed, current, native[0])
        ),
    }


def _ions(current: Calibration) -> dict[str, Any]:
    shown = current.shown
    return {
        "braketSchemaHeader": _header("ionq.ionq_provider_properties"),
        "fidelity": {
            "1Q": {"mean": 1 - shown.one_qubit},
            "2Q": {"mean": 1 - shown.two_qubit},
            "spam": {"mean": 1 - shown.readout},
        },
        "timing": {"T1": 100.0, "T2": 1.0, "1Q": 1.3e-4, "2Q": 9.5e-4, "readout": 2.5e-4, "reset": 1.5e-5},
    }


def _standard_of_ions(current: Calibration, updated: str) -> dict[str, Any]:
    def fidelity(value: float) -> dict[str, Any]:
        return {"fidelity": round(1 - value, 6), "unit": "fraction"}

    shown = current.shown
    return {
        "braketSchemaHeader": _header("standardized_gate_model_qpu_device_properties", "3"),
        "T1": {"value": 100.0, "unit": "s"},
        "T2": {"value": 1.0, "unit": "s"},
        "readoutFidelity": [fidelity(shown.readout)],
        "readoutDuration": {"value": 2.5e-4, "unit": "s"},
        "singleQubitGateDuration": {"value": 1.3e-4, "unit": "s"},
        "singleQubitFidelity": [fidelity(shown.one_qubit)],
        "twoQubitGateFidelity": [fidelity(shown.two_qubit)],
        "twoQubitGateDuration": {"value": 9.5e-4, "unit": "s"},
        "activeResetDuration": {"value": 1.5e-5, "unit": "s"},
        "updatedAt": updated,
    }


def _iqm() -> dict[str, Any]:
    return {"braketSchemaHeader": _header("iqm.iqm_provider_properties"), "properties": {}}


def _standard(device: Device, seed: int, current: Calibration, gate: str) -> dict[str, Any]:
    def fidelity(what: str, name: str, value: float) -> dict[str, Any]:
        return {
            "fidelityType": {"name": name},
            "fidelity": round(1 - spread(device, seed, current.number, what, value), 6),
        }

    shown = current.shown
    one = {
        str(qubit): {
            "T1": {"value": spread(device, seed, current.number, f"T1 {qubit}", 3.5e-5), "unit": "S"},
            "T2": {"value": spread(device, seed, current.number, f"T2 {qubit}", 1.0e-5), "unit": "S"},
            "oneQubitFidelity": [
                fidelity(f"gate {qubit}", "SIMULTANEOUS_RANDOMIZED_BENCHMARKING", shown.one_qubit),
                fidelity(f"readout {qubit}", "READOUT", shown.readout),
            ],
        }
        for qubit in range(device.qubits)
    }
    two = {
        f"{low}-{high}": {
            "twoQubitGateFidelity": [
                {"gateName": gate.upper()}
                | fidelity(f"{low}-{high}", "INTERLEAVED_RANDOMIZED_BENCHMARKING", shown.two_qubit)
            ]
        }
        for low, high in edges(device)
    }
    return {
        "braketSchemaHeader": _header("standardized_gate_model_qpu_device_properties"),
        "oneQubitProperties": one,
        "twoQubitProperties": two,
    }
