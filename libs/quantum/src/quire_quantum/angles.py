"""Angle expressions of a program's inputs, and the program that turns parameter sets into a structure's parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from quire_quantum.rejection import ProgramRejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Column = float | NDArray[np.float64]

MAX_CELLS: Final = 32_000_000
"""Parameter sets times parameters of one matrix; 256 MB of float64."""

MAX_DEPTH: Final = 100
MAX_SIZE: Final = 1_000
"""Functions in one expression, counted as a tree: shared parts count each time they are used."""

MAX_EVALUATIONS: Final = 200_000_000
"""Parameter sets times functions and terms of all expressions: about a second."""


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


def variable(index: int) -> Expression:
    """The program's input number `index`."""
    return Linear(((index, 1.0),), 0.0)


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


@dataclass(frozen=True)
class AngleProgram:
    """How a structure's parameters follow from the program's inputs: one expression for each parameter.

    `inputs` names the program's inputs in the order of their declaration, which is the order of a parameter set.
    """

    inputs: tuple[str, ...]
    columns: tuple[Expression, ...]

    def evaluate(self, parameter_sets: NDArray[np.float64]) -> NDArray[np.float64]:
        """The structure's parameters for each parameter set.

        Args:
            parameter_sets: float64 [sets, inputs] in the order of `inputs`.

        Returns:
            float64 [sets, columns], C-contiguous.

        Raises:
            ProgramRejected: when the shape does not fit, the matrix would be too large, or a number is not finite.
        """
        sets = len(parameter_sets)
        if parameter_sets.shape != (sets, len(self.inputs)):
            raise ProgramRejected(
                "parameters-shape",
                f"each parameter set needs {len(self.inputs)} numbers, one for each input of the program",
                hint="give the numbers in the order in which the program declares its inputs",
            )
        if sets * len(self.columns) > MAX_CELLS:
            raise ProgramRejected(
                "parameters-too-many",
                f"{sets} parameter sets of {len(self.columns)} angles are too many for one job",
                limit=f"{MAX_CELLS} angles",
                hint="split the parameter sets over several jobs",
            )
        if sets * sum(map(size_of, self.columns)) > MAX_EVALUATIONS:
            raise ProgramRejected(
                "parameters-too-many",
                "the angles' expressions are too large for this many parameter sets",
                limit=f"{MAX_EVALUATIONS} operations",
                hint="split the parameter sets over several jobs",
            )
        matrix = np.empty((sets, len(self.columns)))
        with np.errstate(all="ignore"):
            for column, expression in enumerate(self.columns):
                matrix[:, column] = _evaluate(expression, parameter_sets)
        if not np.isfinite(matrix).all():
            raise ProgramRejected(
                "angle-not-finite", "an angle is not finite for a parameter set", hint="check the parameter sets"
            )
        return matrix

    def to_plain(self) -> list[object]:
        """Lists, text and numbers only, for the wire; `from_plain` reads them back."""
        return [list(self.inputs), [_to_plain(column) for column in self.columns]]

    @classmethod
    def from_plain(cls, plain: list[list[object]]) -> AngleProgram:
        """Read what `to_plain` gave."""
        inputs, columns = plain
        return cls(tuple(str(name) for name in inputs), tuple(_from_plain(column) for column in columns))


def _evaluate(expression: Expression, sets: NDArray[np.float64]) -> Column:
    if isinstance(expression, Linear):
        result: Column = expression.offset
        for index, factor in expression.terms:
            result = result + factor * sets[:, index]
        return result
    if isinstance(expression, Call):
        return FUNCTIONS[expression.function](*(_evaluate(argument, sets) for argument in expression.arguments))
    return expression


def _to_plain(expression: Expression) -> object:
    if isinstance(expression, Linear):
        return ["linear", [list(term) for term in expression.terms], expression.offset]
    if isinstance(expression, Call):
        return [expression.function, *map(_to_plain, expression.arguments)]
    return expression


def _from_plain(plain: object) -> Expression:
    if not isinstance(plain, list):
        return float(plain)  # type: ignore[arg-type]
    if plain[0] == "linear":
        return Linear(tuple((int(index), float(factor)) for index, factor in plain[1]), float(plain[2]))
    return rebuild(str(plain[0]), tuple(_from_plain(argument) for argument in plain[1:]))
