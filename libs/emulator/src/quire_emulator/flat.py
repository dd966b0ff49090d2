"""The flat part of OpenQASM 3, which is what clients send: registers, inputs, known gates, measurements at the end.

What does not fit is left to the languages' own readers; they are correct, and a hundred times slower.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from typing import TYPE_CHECKING, Final

from quire_emulator.circuits import Bit, Circuit, Gate
from quire_emulator.gates import unitary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_COMMENT: Final = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_SKIPPED: Final = re.compile(r"OPENQASM\s+[23](\.\d)?|include\s+\"(stdgates|qelib1)\.inc\"|barrier\b.*|", re.DOTALL)
_REGISTER: Final = re.compile(r"(qubit|bit|qreg|creg)(?:\s*\[\s*(\d+)\s*\])?\s+(\w+)(?:\s*\[\s*(\d+)\s*\])?")
_INPUT: Final = re.compile(r"input\s+(?:float|angle|int|uint)(?:\[\d+\])?\s+(\w+)")
_GATE: Final = re.compile(r"([A-Za-z_]\w*)\s*(?:\((.*)\))?\s+([\w$].*)", re.DOTALL)
_INTO: Final = re.compile(r"(.+?)\s*=\s*measure\s+(.+)")
_ARROW: Final = re.compile(r"measure\s+(.+?)\s*->\s*(.+)")
_OPERAND: Final = re.compile(r"\$(\d+)|(\w+)(?:\s*\[\s*(\d+)\s*\])?")
_PRAGMA: Final = re.compile(r"^\s*(?:#\s*)?pragma\s+(.*)$", re.MULTILINE)

_BINARY: Final[dict[type, Callable[[float, float], float]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}  # fmt: skip
_CONSTANTS: Final = {"pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e}
_FUNCTIONS: Final = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "sqrt": math.sqrt, "exp": math.exp, "ln": math.log,
    "arccos": math.acos, "arcsin": math.asin, "arctan": math.atan,
}  # fmt: skip


class NotFlatError(Exception):
    """The program uses more of the language than is read here."""


def read_flat(source: str, inputs: Mapping[str, float]) -> Circuit:
    """Read a flat program with its inputs.

    Raises:
        NotFlatError: it is not flat, or has an input without value.
    """
    reader = _Reader(dict(inputs))
    for statement in _statements(source):
        reader.read(statement)
    return reader.circuit()


def _statements(source: str) -> list[str]:
    text = _COMMENT.sub(" ", source)
    for pragma in _PRAGMA.findall(text):
        if pragma.strip() != "braket verbatim":
            raise NotFlatError(pragma)
    text = _PRAGMA.sub(" ", text)
    text = re.sub(r"\bbox\s*\{([^{}]*)\}", r"\1;", text)
    if "{" in text:
        raise NotFlatError("block")
    return [part.strip() for part in text.split(";")]


class _Reader:
    def __init__(self, inputs: dict[str, float]) -> None:
        self._values = inputs
        self._qubits: dict[str, range] = {}
        self._bits: dict[str, int] = {}
        self._gates: list[Gate] = []
        self._read: dict[tuple[str, int], int] = {}
        self._count = 0

    def read(self, statement: str) -> None:
        if _SKIPPED.fullmatch(statement):
            return
        if declared := _REGISTER.fullmatch(statement):
            self._declare(declared[1], declared[3], declared[2] or declared[4])
        elif wanted := _INPUT.fullmatch(statement):
            if wanted[1] not in self._values:
                raise NotFlatError(wanted[1])
        elif into := _INTO.fullmatch(statement):
            self._measure(into[2], into[1])
        elif arrow := _ARROW.fullmatch(statement):
            self._measure(arrow[1], arrow[2])
        elif gate := _GATE.fullmatch(statement):
            self._gate(gate[1], gate[2] or "", gate[3])
        else:
            raise NotFlatError(statement)

    def _declare(self, kind: str, name: str, size: str | None) -> None:
        count = int(size or 1)
        if kind in {"qubit", "qreg"}:
            self._qubits[name] = range(self._count, self._count + count)
            self._count += count
        else:
            self._bits[name] = count

    def _gate(self, name: str, angles: str, operands: str) -> None:
        matrix = unitary(name, [self._value(part) for part in _arguments(angles)])
        if matrix is None:
            raise NotFlatError(name)
        groups = [self._operand(part) for part in operands.split(",")]
        width = max(len(group) for group in groups)
        if any(len(group) not in {1, width} for group in groups):
            raise NotFlatError(name)
        for turn in range(width):
            qubits = tuple(group[turn if len(group) > 1 else 0] for group in groups)
            measured = set(self._read.values())
            if 2 ** len(qubits) != len(matrix) or len(set(qubits)) < len(qubits) or measured & set(qubits):
                raise NotFlatError(name)
            self._gates.append(Gate(matrix, qubits))

    def _measure(self, source: str, target: str) -> None:
        qubits = self._operand(source)
        name, index = self._bit(target)
        places = range(self._bits[name]) if index is None else [index]
        if len(places) != len(qubits):
            raise NotFlatError(target)
        for place, qubit in zip(places, qubits, strict=True):
            self._read[name, place] = qubit

    def _operand(self, text: str) -> list[int]:
        found = _OPERAND.fullmatch(text.strip())
        if not found:
            raise NotFlatError(text)
        if found[1]:
            return [int(found[1])]
        register = self._qubits.get(found[2])
        if register is None or (found[3] and int(found[3]) >= len(register)):
            raise NotFlatError(text)
        return [register[int(found[3])]] if found[3] else list(register)

    def _bit(self, text: str) -> tuple[str, int | None]:
        found = _OPERAND.fullmatch(text.strip().removeprefix("bit ").strip())
        if not found or found[2] not in self._bits or (found[3] and int(found[3]) >= self._bits[found[2]]):
            raise NotFlatError(text)
        return found[2], int(found[3]) if found[3] else None

    def _value(self, text: str) -> float:
        try:
            return self._worth(ast.parse(text.strip(), mode="eval").body)
        except (SyntaxError, ArithmeticError, ValueError) as error:
            raise NotFlatError(text) from error

    def _worth(self, node: ast.expr) -> float:
        match node:
            case ast.Constant(value=float() | int() as value):
                return float(value)
            case ast.Name(id=name) if name in _CONSTANTS:
                return _CONSTANTS[name]
            case ast.Name(id=name) if name in self._values:
                return float(self._values[name])
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._worth(inner)
            case ast.UnaryOp(op=ast.UAdd(), operand=inner):
                return self._worth(inner)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _BINARY[type(op)](self._worth(left), self._worth(right))
            case ast.Call(func=ast.Name(id=name), args=[inner]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](self._worth(inner))
            case _:
                raise NotFlatError(ast.unparse(node))

    def circuit(self) -> Circuit:
        """All that was read. Without a measurement every qubit is read, into a register without a name."""
        if not self._read:
            used = sorted({qubit for gate in self._gates for qubit in gate.qubits} | set(range(self._count)))
            bits = [Bit("", index, qubit) for index, qubit in enumerate(used)]
            return Circuit(tuple(self._gates), tuple(bits), {"": len(used)})
        order = {name: place for place, name in enumerate(self._bits)}
        rows = sorted(self._read.items(), key=lambda row: (order[row[0][0]], row[0][1]))
        bits = [Bit(name, index, qubit) for (name, index), qubit in rows]
        return Circuit(tuple(self._gates), tuple(bits), dict(self._bits))


def _arguments(text: str) -> list[str]:
    """Split at commas outside of brackets."""
    parts, depth, last = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append(text[last:place])
            last = place + 1
    return [*parts, text[last:]] if text.strip() else []
