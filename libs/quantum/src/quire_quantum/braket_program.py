"""Braket's OpenQASM from structures: no include, Braket's gate names, angles as inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from quire_quantum.observables import final_measurements, without_final_measurements
from quire_quantum.structure import Angle, Operation, Structure, write_angle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAMES: Final = {
    "id": "i", "x": "x", "y": "y", "z": "z", "h": "h", "s": "s", "sdg": "si", "t": "t", "tdg": "ti", "sx": "v",
    "sxdg": "vi", "rx": "rx", "ry": "ry", "rz": "rz", "p": "phaseshift", "cx": "cnot", "cy": "cy", "cz": "cz",
    "swap": "swap", "cp": "cphaseshift", "rxx": "xx", "ryy": "yy", "rzz": "zz", "ccx": "ccnot", "cswap": "cswap",
}  # fmt: skip
"""Canonical gate to Braket gate of the same meaning; the rest of the set is taken apart below."""


@dataclass(frozen=True)
class BraketProgram:
    """A program for Braket.

    Attributes:
        source: OpenQASM 3 with one `input float p<k>` for each of the structure's parameters.
        inputs: the inputs' names in the order of the parameter matrix's columns.
        measured_qubits: the qubit of each measurement, by rising bit. Braket's local simulator gives its columns of
            `measurements` in this order; a device names its own in `measured_qubits`.
        measured_bits: the structure's bit of each measurement, rising. A bit that is never measured is 0.
    """

    source: str
    inputs: tuple[str, ...]
    measured_qubits: tuple[int, ...]
    measured_bits: tuple[int, ...]


def to_braket(structure: Structure, expectations: Sequence[str] = ()) -> BraketProgram:
    """Write a structure for Braket.

    Barriers are left out: Braket's language has none that every device takes, and no result shows them.

    Args:
        structure: any; whether a device takes measurements before the end, or resets, is the device's affair.
        expectations: Pauli labels (right-most character is qubit 0), one exact expectation result each, in order. Give
            a structure without measurements then; Braket refuses both together.
    """
    lines = ["OPENQASM 3.0;"]
    inputs = tuple(f"p{index}" for index in range(structure.num_parameters))
    lines += [f"input float {name};" for name in inputs]
    lines.append(f"qubit[{structure.num_qubits}] q;")
    if structure.num_bits:
        lines.append(f"bit[{structure.num_bits}] c;")
    early = without_final_measurements(structure).operations
    measured = {operation.bits[0]: operation.qubits[0] for operation in early if operation.name == "measure"}
    final = final_measurements(structure)
    for operation in early:
        if operation.name == "measure":
            lines.append(f"c[{operation.bits[0]}] = measure q[{operation.qubits[0]}];")
        elif operation.name == "reset":
            lines.append(f"reset q[{operation.qubits[0]}];")
        elif operation.name != "barrier":
            lines += [_line(part) for part in _take_apart(operation)]
    lines += [f"c[{bit}] = measure q[{qubit}];" for bit, qubit in sorted(final.items())]
    measured |= final
    lines += [f"#pragma braket result expectation {_pauli_product(label)}" for label in expectations]
    bits = tuple(sorted(measured))
    return BraketProgram("\n".join(lines) + "\n", inputs, tuple(measured[bit] for bit in bits), bits)


def _line(operation: Operation) -> str:
    operands = ", ".join(f"q[{qubit}]" for qubit in operation.qubits)
    angles = f"({', '.join(map(write_angle, operation.angles))})" if operation.angles else ""
    return f"{_NAMES[operation.name]}{angles} {operands};"


def _pauli_product(label: str) -> str:
    factors = [f"{pauli.lower()}(q[{qubit}])" for qubit, pauli in enumerate(reversed(label)) if pauli != "I"]
    return " @ ".join(factors) if factors else "i(q[0])"


def _take_apart(operation: Operation) -> Iterator[Operation]:
    """The operation in gates that Braket names; equal up to a global phase, which no result shows."""
    name, qubits, angles, _ = operation
    if name in _NAMES:
        yield operation
        return
    target = qubits[-1:]
    if name == "u":
        theta, phi, lam = angles
        yield Operation("rz", target, (lam,))
        yield Operation("ry", target, (theta,))
        yield Operation("rz", target, (phi,))
    elif name == "ch":
        yield from (Operation(gate, target) for gate in ("s", "h", "t"))
        yield Operation("cx", qubits)
        yield from (Operation(gate, target) for gate in ("tdg", "h", "sdg"))
    elif name == "crx":
        yield Operation("h", target)
        yield from _controlled_turn("rz", qubits, angles[0])
        yield Operation("h", target)
    else:
        yield from _controlled_turn(name.removeprefix("c"), qubits, angles[0])


def _controlled_turn(name: str, qubits: tuple[int, ...], angle: Angle) -> Iterator[Operation]:
    """A controlled ry or rz: half a turn forth, and half a turn back where the control flips the target."""
    half = Angle(angle.parameter, angle.scale / 2, angle.offset / 2)
    back = Angle(angle.parameter, -angle.scale / 2, -angle.offset / 2)
    yield Operation(name, qubits[1:], (half,))
    yield Operation("cx", qubits)
    yield Operation(name, qubits[1:], (back,))
    yield Operation("cx", qubits)
