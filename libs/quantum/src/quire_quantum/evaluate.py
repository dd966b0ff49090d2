"""The value of an expression while a program is unrolled: an integer, a number, or a function of the inputs."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Final

from quire_quantum import angles, limits
from quire_quantum.angles import Call, Expression, Linear
from quire_quantum.rejection import ProgramRejected, safe_name
from quire_quantum.syntax import Chain, Mark, Name, Number, Unary

if TYPE_CHECKING:
    from collections.abc import Callable

    from quire_quantum.syntax import Function, Node

Value = int | Expression

CONSTANTS: Final = {
    "pi": math.pi,
    "π": math.pi,
    "tau": math.tau,
    "τ": math.tau,
    "euler": math.e,
    "ℇ": math.e,
}
_REAL: Final = {
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "arcsin": "arcsin",
    "arccos": "arccos",
    "arctan": "arctan",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "exp": "exp",
    "log": "log",
    "ln": "log",
    "sqrt": "sqrt",
}
_INTEGER_OPERATORS: Final[dict[str, Callable[[int, int], int]]] = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    ">>": operator.rshift,
    "<<": operator.lshift,
}
_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_MOST_SHIFT: Final = 63


class Evaluator:
    """Works expressions out. `lookup` gives a name's value; in OpenQASM 2 every division is real."""

    def __init__(self, lookup: Callable[[Name], Value], version: int) -> None:
        """Ask `lookup` for each name; it raises for names without a value."""
        self._lookup = lookup
        self._version = version

    def value(self, node: Node) -> Value:
        """The node's value.

        Raises:
            ProgramRejected: unknown functions, wrong types, integers beyond 64 bits, numbers that are not finite.
        """
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Name):
            return self._lookup(node)
        if isinstance(node, Unary):
            return self._unary(node)
        if isinstance(node, Chain):
            result = self.value(node.first)
            for symbol, operand in node.rest:
                result = self._binary(symbol, result, self.value(operand), node.line)
            return result
        if isinstance(node, Mark):
            return angles.literal(node.number)
        return self._function(node)

    def angle(self, node: Node) -> Expression:
        """The node's value as an angle."""
        value = self.value(node)
        return float(value) if isinstance(value, int) else value

    def integer(self, node: Node, line: int) -> int:
        """The node's value, which must be an integer known now."""
        value = self.value(node)
        if not isinstance(value, int):
            raise ProgramRejected("not-an-integer", "an integer known beforehand is needed here", line=line)
        return value

    def combine(self, symbol: str, left: Value, right: Value, line: int) -> Value:
        """Two values under a binary operator; raises as `value` does."""
        return self._binary(symbol, left, right, line)

    def _unary(self, node: Unary) -> Value:
        value = self.value(node.operand)
        if node.operator == "-":
            return -value if isinstance(value, int) else angles.scale(value, -1.0)
        if not isinstance(value, int):
            raise _type_error(node.line)
        return int(not value) if node.operator == "!" else _bounded(~value, node.line)

    def _binary(self, symbol: str, left: Value, right: Value, line: int) -> Value:
        if isinstance(left, int) and isinstance(right, int):
            return self._integers(symbol, left, right, line)
        x = float(left) if isinstance(left, int) else left
        y = float(right) if isinstance(right, int) else right
        if symbol in _COMPARISONS and isinstance(x, float) and isinstance(y, float):
            return int(_COMPARISONS[symbol](x, y))
        return _reals(symbol, x, y, line)

    def _integers(self, symbol: str, left: int, right: int, line: int) -> Value:
        if symbol in _COMPARISONS:
            return int(_COMPARISONS[symbol](left, right))
        if symbol == "**":
            return _integer_power(left, right, line)
        if symbol in ("/", "%"):
            return self._integer_division(symbol, left, right, line)
        if symbol in ("&&", "||"):
            return int(bool(left) and bool(right)) if symbol == "&&" else int(bool(left) or bool(right))
        if symbol in ("<<", ">>") and not 0 <= right <= _MOST_SHIFT:
            raise ProgramRejected("integer-too-large", "a shift is out of range", limit=f"{_MOST_SHIFT}", line=line)
        if symbol in _INTEGER_OPERATORS:
            return _bounded(_INTEGER_OPERATORS[symbol](left, right), line)
        result = {"+": operator.add, "-": operator.sub, "*": operator.mul}[symbol](left, right)
        return _bounded(int(result), line)

    def _integer_division(self, symbol: str, left: int, right: int, line: int) -> Value:
        if right == 0:
            raise ProgramRejected("angle-not-finite", "a division by zero", line=line)
        if symbol == "%":
            return left % right
        if self._version == 2:  # noqa: PLR2004  (the language version)
            return left / right
        if left % right:
            raise ProgramRejected(
                "inexact-division",
                "a division of integers that leaves a remainder",
                hint="OpenQASM 3 would drop the fraction; write 1.0/2 for a real number",
                line=line,
            )
        return left // right

    def _function(self, node: Function) -> Value:
        name, line = node.name, node.line
        values = [self.value(argument) for argument in node.arguments]
        reals = [float(value) if isinstance(value, int) else value for value in values]
        if name in _REAL and len(reals) == 1:
            return angles.call(_REAL[name], *reals)
        if name in ("float", "angle") and len(reals) == 1:
            return reals[0]
        if name in ("int", "uint", "bool", "floor", "ceiling") and len(values) == 1:
            return _to_integer(name, values[0], line)
        if name in ("pow", "mod") and len(values) == 2:  # noqa: PLR2004  (two arguments)
            return self._binary("**" if name == "pow" else "%", values[0], values[1], line)
        if name == "popcount" and len(values) == 1 and isinstance(values[0], int) and values[0] >= 0:
            return values[0].bit_count()
        raise ProgramRejected(
            "function-unknown", f"the function {safe_name(name)} is not known in this form", line=line
        )


def _reals(symbol: str, x: Expression, y: Expression, line: int) -> Expression:
    if symbol == "+":
        return angles.add(x, y)
    if symbol == "-":
        return angles.add(x, angles.scale(y, -1.0))
    if symbol == "*":
        return angles.multiply(x, y)
    if symbol == "/":
        if isinstance(y, float) and y != 0.0 and math.isfinite(1.0 / y):
            return angles.divide(x, y)
        return angles.call("div", x, y)
    if symbol == "**":
        return angles.call("pow", x, y)
    if symbol == "%":
        return angles.call("mod", x, y)
    raise _type_error(line)


def _to_integer(name: str, value: Value, line: int) -> Value:
    if isinstance(value, Linear | Call):
        # Rounded, a number is an integer and divides as one does; an input's value is rounded when it is known.
        if name in ("floor", "ceiling") and not angles.has_literal(value):
            return angles.call(name, value)
        raise _type_error(line)
    if name == "bool":
        return int(value != 0)
    whole = {"floor": math.floor, "ceiling": math.ceil}.get(name, math.trunc)(value)
    return _bounded(whole, line)


def _integer_power(base: int, exponent: int, line: int) -> Value:
    if exponent < 0:
        return angles.call("pow", float(base), float(exponent))
    if abs(base) > 1 and exponent > _MOST_SHIFT:
        raise ProgramRejected("integer-too-large", "an integer does not fit 64 bits", line=line)
    return _bounded(base ** min(exponent, _MOST_SHIFT + exponent % 2 + 1), line)


def _bounded(value: int, line: int) -> int:
    if abs(value) > limits.INTEGER:
        raise ProgramRejected("integer-too-large", "an integer does not fit 64 bits", line=line)
    return value


def _type_error(line: int) -> ProgramRejected:
    return ProgramRejected("type-error", "an operator cannot be applied to these values", line=line)
