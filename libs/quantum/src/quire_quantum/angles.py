"""Angle expressions of a program's inputs and open numbers: what can be linear always is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from quire_quantum.rejection import ProgramRejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Column = float | NDArray[np.float64]

MAX_DEPTH: Final = 100
MAX_SIZE: Final = 1_000
"""Functions in one expression, counted as a tree: shared parts count each time they are used."""


class Linear(NamedTuple):
    """`offset + sum(scale * input)` over at least one (input, scale), by rising input, no scale zero."""

    terms: tuple[tuple[int, float], ...]
    offset: float


class Call(NamedTuple):
    """A function of `FUNCTIONS` applied to expressions."""

    function: str
    arguments: tuple[Expression, ...]
    depth: int
    size: int


Expression = float | Linear | Call
"""A number, or a function of the program's inputs; what can be linear always is."""

FUNCTIONS: Final[dict[str, Callable[..., Column]]] = {
    "add": np.add,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "mod": np.mod,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "ceiling": np.ceil,
}


LITERALS: Final = 1 << 20
"""Variables from here on are not inputs but the numbers that a skeleton leaves open (`skeleton.scan`)."""


def variable(index: int) -> Expression:
    """The program's input number `index`."""
    return Linear(((index, 1.0),), 0.0)


def literal(index: int) -> Expression:
    """The skeleton's open number `index`."""
    return variable(LITERALS + index)


def has_literal(expression: Expression) -> bool:
    """Whether an open number takes part in an expression."""
    if isinstance(expression, Linear):
        return expression.terms[-1][0] >= LITERALS
    return isinstance(expression, Call) and any(map(has_literal, expression.arguments))


def has_input(expression: Expression) -> bool:
    """Whether an input of the program takes part in an expression."""
    if isinstance(expression, Linear):
        return expression.terms[0][0] < LITERALS
    return isinstance(expression, Call) and any(map(has_input, expression.arguments))


def add(left: Expression, right: Expression) -> Expression:
    """Sum of two expressions."""
    if isinstance(left, Call) or isinstance(right, Call):
        return call("add", left, right)
    if not isinstance(left, Linear) and not isinstance(right, Linear):
        return _finite(left + right)
    terms: dict[int, float] = {}
    offset = 0.0
    for part in (left, right):
        if isinstance(part, Linear):
            for index, scale in part.terms:
                terms[index] = terms.get(index, 0.0) + scale
        offset += part.offset if isinstance(part, Linear) else part
    return _linear(terms, offset)


def scale(expression: Expression, factor: float) -> Expression:
    """A multiple of an expression."""
    if isinstance(expression, Call):
        return call("mul", factor, expression)
    if isinstance(expression, Linear):
        return _linear({index: part * factor for index, part in expression.terms}, expression.offset * factor)
    return _finite(expression * factor)


def divide(expression: Expression, divisor: float) -> Expression:
    """An expression divided by a number that is not zero."""
    if isinstance(expression, Call):
        return call("div", expression, divisor)
    if isinstance(expression, Linear):
        return _linear({index: part / divisor for index, part in expression.terms}, expression.offset / divisor)
    return call("div", expression, divisor)


def multiply(left: Expression, right: Expression) -> Expression:
    """Product of two expressions."""
    if isinstance(left, float):
        return scale(right, left)
    if isinstance(right, float):
        return scale(left, right)
    return call("mul", left, right)


def call(function: str, *arguments: Expression) -> Expression:
    """A function of expressions; of numbers it is worked out at once.

    Raises:
        ProgramRejected: when expressions nest deeper than `MAX_DEPTH`, or numbers have no finite real result.
    """
    numbers = [argument for argument in arguments if isinstance(argument, float)]
    if len(numbers) == len(arguments):
        with np.errstate(all="ignore"):
            value = float(FUNCTIONS[function](*numbers))
        return _finite(value)
    nested = [argument for argument in arguments if isinstance(argument, Call)]
    depth = 1 + max((argument.depth for argument in nested), default=0)
    size = 1 + sum(map(size_of, arguments))
    if depth > MAX_DEPTH or size > MAX_SIZE:
        raise ProgramRejected(
            "angle-too-large", "an angle's expression is too large", limit=f"{MAX_SIZE} operations, {MAX_DEPTH} deep"
        )
    return Call(function, arguments, depth, size)


def size_of(expression: Expression) -> int:
    """How many functions and terms it takes to work an expression out."""
    if isinstance(expression, Call):
        return expression.size
    return len(expression.terms) if isinstance(expression, Linear) else 0


def substitute(expression: Expression, values: tuple[Expression, ...]) -> Expression:
    """The expression with input i replaced by `values[i]`."""
    if isinstance(expression, Linear):
        result: Expression = expression.offset
        for index, factor in expression.terms:
            result = add(result, scale(values[index], factor))
        return result
    if isinstance(expression, Call):
        return rebuild(expression.function, tuple(substitute(argument, values) for argument in expression.arguments))
    return expression


def rebuild(function: str, arguments: tuple[Expression, ...]) -> Expression:
    """Apply a function by name, keeping linear what is."""
    if function == "add":
        return add(*arguments)
    if function == "mul":
        return multiply(*arguments)
    return call(function, *arguments)


def _linear(terms: dict[int, float], offset: float) -> Expression:
    kept = tuple(sorted((index, factor) for index, factor in terms.items() if factor != 0.0))
    for _, factor in kept:
        _finite(factor)
    return Linear(kept, _finite(offset)) if kept else _finite(offset)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ProgramRejected("angle-not-finite", "an angle has no finite value", hint="check divisions and roots")
    return value
