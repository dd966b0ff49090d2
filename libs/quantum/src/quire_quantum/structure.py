"""A program without its numbers: straight-line gates whose angles are parameters, and the one text that names it."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class GateShape(NamedTuple):
    """How many angles and qubits a gate takes."""

    angles: int
    qubits: int


_SHAPES: Final = {
    (0, 1): "id x y z h s sdg t tdg sx sxdg",
    (1, 1): "rx ry rz p",
    (3, 1): "u",
    (0, 2): "cx cy cz ch swap",
    (1, 2): "cp crx cry crz rxx ryy rzz",
    (0, 3): "ccx cswap",
}
GATES: Final = {name: GateShape(*shape) for shape, names in _SHAPES.items() for name in names.split()}
"""The canonical gate set. A gate on (a, b) has Qiskit's meaning: a is the control, or the less significant qubit."""

MAX_QUBITS: Final = 200
MAX_BITS: Final = 4_096
MAX_OPERATIONS: Final = 1_000_000


_HEADER: Final = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
DEFINITIONS: Final = {
    "sxdg": "gate sxdg a { inv @ sx a; }\n",
    "rxx": "gate rxx(t) a, b { h a; h b; cx a, b; rz(t) b; cx a, b; h b; h a; }\n",
    "ryy": "gate ryy(t) a, b { sx a; sx b; cx a, b; rz(t) b; cx a, b; sxdg b; sxdg a; }\n",
    "rzz": "gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }\n",
}
"""What stdgates.inc lacks. ryy's definition uses sxdg, which stands before it."""

_FLOAT: Final = r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?"
_NUMBER: Final = r"(?:0|[1-9]\d*)"
_LINE: Final = re.compile(
    rf"(?P<name>[a-zA-Z]+)(?:\((?P<angles>[^()]*)\))? (?P<qubits>q\[{_NUMBER}\](?:, q\[{_NUMBER}\])*);"
)
_MEASURE: Final = re.compile(rf"c\[({_NUMBER})\] = measure q\[({_NUMBER})\];")
_ANGLE: Final = re.compile(rf"(?:({_FLOAT})\*)?p({_NUMBER})([+-]{_FLOAT})?")
_INDEX: Final = re.compile(r"\d+")
_MAX_DIGITS: Final = 7


class StructureError(ValueError):
    """A structure, or its text, that breaks the canonical form. The message names the rule and never quotes input."""


class Angle(NamedTuple):
    """`scale * p<parameter> + offset`, in radians."""

    parameter: int
    scale: float = 1.0
    offset: float = 0.0


class Operation(NamedTuple):
    """One step: a gate of `GATES`, or `measure` (qubit to bit), `reset`, `barrier` (any number of qubits)."""

    name: str
    qubits: tuple[int, ...]
    angles: tuple[Angle, ...] = ()
    bits: tuple[int, ...] = ()


@dataclass(frozen=True)
class Structure:
    """A straight-line circuit of `num_parameters` angles, equal for equal canonical text.

    Parameters are p0..pn-1; a matrix of parameter sets has one column for each, in this order. Bit i of an outcome is
    classical bit i; the right-most character of an outcome is bit 0.

    Raises:
        StructureError: for an unknown operation, a wrong count of angles or qubits, an index out of range, a repeated
            qubit, or a number that is not finite.
    """

    num_qubits: int
    num_bits: int
    num_parameters: int
    operations: tuple[Operation, ...]

    def __post_init__(self) -> None:
        """Check every operation once, so that no reader has to."""
        if not 0 < self.num_qubits <= MAX_QUBITS or not 0 <= self.num_bits <= MAX_BITS or self.num_parameters < 0:
            raise StructureError(f"a structure has 1 to {MAX_QUBITS} qubits and at most {MAX_BITS} bits")
        if len(self.operations) > MAX_OPERATIONS:
            raise StructureError(f"a structure has at most {MAX_OPERATIONS} operations")
        for operation in self.operations:
            self._check(operation)

    def _check(self, operation: Operation) -> None:
        name, qubits, angles, bits = operation
        shape = GATES.get(name)
        if shape is not None:
            well_formed = len(qubits) == shape.qubits and len(angles) == shape.angles and not bits
        elif name in ("measure", "reset"):
            well_formed = len(qubits) == 1 and not angles and len(bits) == (name == "measure")
        else:
            well_formed = name == "barrier" and bool(qubits) and not angles and not bits
        if not well_formed:
            raise StructureError("an operation is unknown, or has a wrong number of qubits, angles or bits")
        if len(set(qubits)) != len(qubits) or min(qubits) < 0 or max(qubits) >= self.num_qubits:
            raise StructureError("an operation repeats a qubit or names one that is not declared")
        if bits and not 0 <= bits[0] < self.num_bits:
            raise StructureError("a measurement names a bit that is not declared")
        for parameter, scale, offset in angles:
            if not 0 <= parameter < self.num_parameters or not math.isfinite(scale) or not math.isfinite(offset):
                raise StructureError("an angle names a parameter that is not declared, or is not finite")

    @cached_property
    def _text(self) -> str:
        return _write(self)

    def to_text(self) -> str:
        """The structure's only text, valid OpenQASM 3 with one `input float` for each parameter."""
        return self._text

    @classmethod
    def from_text(cls, text: str) -> Structure:
        """The structure whose canonical text this is.

        Linear in the length of the text. Only the exact output of `to_text` is accepted: the result is written again
        and compared, so that one structure has one address.

        Raises:
            StructureError: for anything else; the message never quotes the text.
        """
        structure = _read(text)
        if structure.to_text() != text:
            raise StructureError("the text is not in canonical form")
        return structure

    @cached_property
    def sha256(self) -> str:
        """Digest of the canonical text in UTF-8, lower-case hexadecimal: the structure's address."""
        return hashlib.sha256(self._text.encode()).hexdigest()

    def with_operations(self, operations: Iterable[Operation], num_bits: int | None = None) -> Structure:
        """The same qubits and parameters with other operations."""
        bits = self.num_bits if num_bits is None else num_bits
        return Structure(self.num_qubits, bits, self.num_parameters, tuple(operations))


def _write(structure: Structure) -> str:
    used = {operation.name for operation in structure.operations}
    if "ryy" in used:
        used.add("sxdg")
    parts = [_HEADER]
    parts += [definition for name, definition in DEFINITIONS.items() if name in used]
    parts += [f"input float p{index};\n" for index in range(structure.num_parameters)]
    parts.append(f"qubit[{structure.num_qubits}] q;\n")
    if structure.num_bits:
        parts.append(f"bit[{structure.num_bits}] c;\n")
    parts += map(_write_operation, structure.operations)
    return "".join(parts)


def _read(text: str) -> Structure:
    lines = text.split("\n")
    if not text.startswith(_HEADER) or lines.pop() != "":
        raise StructureError("the text is not in canonical form: wrong header or end")
    start = 2
    while start < len(lines) and lines[start].startswith("gate "):
        start += 1
    parameters, start = _count_inputs(lines, start)
    qubits, start = _register(lines, start, "qubit", "q")
    bits, start = _register(lines, start, "bit", "c")
    operations = tuple(_read_operation(line, number) for number, line in enumerate(lines[start:], start + 1))
    return Structure(qubits, bits, parameters, operations)


def _count_inputs(lines: list[str], start: int) -> tuple[int, int]:
    end = start
    while end < len(lines) and lines[end].startswith("input "):
        end += 1
    return end - start, end


def _register(lines: list[str], at: int, kind: str, name: str) -> tuple[int, int]:
    found = re.fullmatch(rf"{kind}\[([1-9]\d{{0,6}})\] {name};", lines[at]) if at < len(lines) else None
    return (int(found[1]), at + 1) if found else (0, at)


def _write_operation(operation: Operation) -> str:
    name, qubits, angles, bits = operation
    if name == "measure":
        return f"c[{bits[0]}] = measure q[{qubits[0]}];\n"
    operands = ", ".join([f"q[{qubit}]" for qubit in qubits])
    word = "U" if name == "u" else name
    if not angles:
        return f"{word} {operands};\n"
    return f"{word}({', '.join(map(write_angle, angles))}) {operands};\n"


def write_angle(angle: Angle) -> str:
    """An angle's only text, such as `p0`, `-2.0*p1` or `p0+0.5`."""
    parameter, scale, offset = angle[0], float(angle[1]), float(angle[2])
    head = f"p{parameter}" if scale == 1.0 else f"{scale!r}*p{parameter}"
    if offset == 0.0:
        return head
    return f"{head}{'' if offset < 0 else '+'}{offset!r}"


def _read_operation(line: str, number: int) -> Operation:
    measured = _MEASURE.fullmatch(line)
    if measured:
        return Operation("measure", (_index(measured[2]),), (), (_index(measured[1]),))
    found = _LINE.fullmatch(line)
    if not found:
        raise StructureError(f"line {number} is not in canonical form")
    qubits = tuple([_index(digits) for digits in _INDEX.findall(found["qubits"])])
    name = "u" if found["name"] == "U" else found["name"]
    if found["angles"] is None:
        return Operation(name, qubits)
    return Operation(name, qubits, tuple([_read_angle(angle, number) for angle in found["angles"].split(", ")]))


def _read_angle(text: str, number: int) -> Angle:
    found = _ANGLE.fullmatch(text)
    if not found:
        raise StructureError(f"line {number} has an angle that is not in canonical form")
    scale, parameter, offset = found.groups()
    return Angle(_index(parameter), float(scale or 1.0), float(offset or 0.0))


def _index(digits: str) -> int:
    """A small index; a longer one is out of every range, and huge ones would cost quadratic time to convert."""
    if len(digits) > _MAX_DIGITS:
        raise StructureError("an index is out of range")
    return int(digits)
