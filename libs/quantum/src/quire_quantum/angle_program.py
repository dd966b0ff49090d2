"""How a structure's parameters follow from a program's inputs and from the numbers that its skeleton leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from quire_quantum.angles import FUNCTIONS, LITERALS, Call, Linear, has_input, has_literal, rebuild, size_of
from quire_quantum.rejection import ProgramRejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from quire_quantum.angles import Column, Expression

MAX_CELLS: Final = 32_000_000
"""Parameter sets times parameters of one matrix; 256 MB of float64."""

MAX_EVALUATIONS: Final = 200_000_000
"""Parameter sets times functions and terms of all expressions: about a second."""

_GATHERED: Final = 64
"""Up to so many parameter sets all columns are worked out at once; above, one by one, which takes less memory."""


class _Gather(NamedTuple):
    """Columns that are `scale * variable + offset`, all at once: each of the four is an array [columns]."""

    columns: NDArray[np.intp]
    variables: NDArray[np.intp]
    scales: NDArray[np.float64]
    offsets: NDArray[np.float64]


class _Plan(NamedTuple):
    """What is the same for every parameter set and literal.

    constants: float64 [columns], zero where a column is no constant.
    parts: what literals alone make inside of expressions with inputs, to be checked with them.
    size: functions and terms of all expressions.
    """

    constants: NDArray[np.float64]
    literals: _Gather
    of_literals: tuple[tuple[int, Expression], ...]
    parts: tuple[Expression, ...]
    inputs: _Gather
    of_inputs: tuple[tuple[int, Expression], ...]
    size: int


@dataclass(frozen=True)
class AngleProgram:
    """One expression for each of the structure's parameters.

    `inputs` names the program's inputs in the order of their declaration, which is the order of a parameter set;
    `literals` are the numbers that the skeleton leaves open, in the order of the text, and none in a skeleton's own.
    """

    inputs: tuple[str, ...]
    columns: tuple[Expression, ...]
    literals: tuple[float, ...] = ()

    def bound(self, literals: Sequence[float]) -> AngleProgram:
        """A skeleton's angles with its open numbers given, as many as it has.

        Raises:
            ProgramRejected: if anything that they alone make is not finite, be it a part of an expression with inputs.
        """
        bound = AngleProgram(self.inputs, self.columns, tuple(literals))
        bound.__dict__["_plan"] = self._plan
        if not np.isfinite(bound._row).all():
            raise _not_finite("angle")
        return bound

    def evaluate(self, parameter_sets: NDArray[np.float64]) -> NDArray[np.float64]:
        """The structure's parameters for each parameter set.

        Args:
            parameter_sets: float64 [sets, inputs] in the order of `inputs`.

        Returns:
            float64 [sets, columns], C-contiguous. A row depends on its own set alone, to the last bit.

        Raises:
            ProgramRejected: when the shape does not fit, the matrix would be too large, or a number is not finite.
        """
        sets, plan = len(parameter_sets), self._plan
        self._check_size(parameter_sets.shape, plan)
        matrix = np.empty((sets, len(self.columns)))
        matrix[:] = self._row
        with np.errstate(all="ignore"):
            if sets <= _GATHERED:
                columns, variables, scales, offsets = plan.inputs
                matrix[:, columns] = parameter_sets[:, variables] * scales + offsets
            else:
                for column, variable, scale, offset in zip(*plan.inputs, strict=True):
                    matrix[:, column] = parameter_sets[:, variable] * scale + offset
            for column, expression in plan.of_inputs:
                matrix[:, column] = _evaluate(expression, parameter_sets, self.literals)
        if not np.isfinite(matrix).all():
            raise ProgramRejected(
                "angle-not-finite", "an angle is not finite for a parameter set", hint="check the parameter sets"
            )
        return matrix

    def _check_size(self, shape: tuple[int, ...], plan: _Plan) -> None:
        sets = shape[0]
        if shape != (sets, len(self.inputs)):
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
        if sets * plan.size > MAX_EVALUATIONS:
            raise ProgramRejected(
                "parameters-too-many",
                "the angles' expressions are too large for this many parameter sets",
                limit=f"{MAX_EVALUATIONS} operations",
                hint="split the parameter sets over several jobs",
            )

    @cached_property
    def _row(self) -> NDArray[np.float64]:
        """Float64 [columns]: every number that no input takes part in."""
        plan = self._plan
        row = plan.constants.copy()
        if not self.literals:
            return row
        columns, variables, scales, offsets = plan.literals
        try:
            with np.errstate(over="raise", invalid="raise", divide="raise"):
                row[columns] = np.array(self.literals)[variables] * scales + offsets
                for column, expression in plan.of_literals:
                    row[column] = _evaluate(expression, _NO_SETS, self.literals)
                for part in plan.parts:
                    _evaluate(part, _NO_SETS, self.literals)
        except FloatingPointError:
            raise _not_finite("number on the way to an angle") from None
        return row

    @cached_property
    def _plan(self) -> _Plan:
        constants = np.zeros(len(self.columns))
        literals: list[tuple[int, int, float, float]] = []
        inputs: list[tuple[int, int, float, float]] = []
        of_literals: list[tuple[int, Expression]] = []
        of_inputs: list[tuple[int, Expression]] = []
        for column, expression in enumerate(self.columns):
            if isinstance(expression, float):
                constants[column] = expression
            elif isinstance(expression, Linear) and len(expression.terms) == 1:
                ((variable, scale),) = expression.terms
                if variable < LITERALS:
                    inputs.append((column, variable, scale, expression.offset))
                else:
                    literals.append((column, variable - LITERALS, scale, expression.offset))
            else:
                (of_inputs if has_input(expression) else of_literals).append((column, expression))
        size = sum(map(size_of, self.columns))
        parts = tuple(part for _, expression in of_inputs for part in _parts(expression))
        return _Plan(constants, _gather(literals), tuple(of_literals), parts, _gather(inputs), tuple(of_inputs), size)

    def to_plain(self) -> list[object]:
        """Lists, text and numbers only, for the wire, without the literals; `from_plain` reads them back."""
        return [list(self.inputs), [_to_plain(column) for column in self.columns]]

    @classmethod
    def from_plain(cls, plain: list[list[object]]) -> AngleProgram:
        """Read what `to_plain` gave."""
        inputs, columns = plain
        return cls(tuple(str(name) for name in inputs), tuple(_from_plain(column) for column in columns))


_NO_SETS: Final = np.empty((1, 0))


def _parts(expression: Expression) -> Iterator[Expression]:
    """The largest parts of an expression that only literals take part in."""
    if isinstance(expression, Linear):
        terms = tuple([term for term in expression.terms if term[0] >= LITERALS])
        if terms:
            yield Linear(terms, expression.offset)
    elif isinstance(expression, Call):
        if has_input(expression):
            for argument in expression.arguments:
                yield from _parts(argument)
        elif has_literal(expression):
            yield expression


def _gather(rows: list[tuple[int, int, float, float]]) -> _Gather:
    columns, variables, scales, offsets = zip(*rows, strict=True) if rows else ((), (), (), ())
    return _Gather(
        np.array(columns, np.intp), np.array(variables, np.intp), np.array(scales, float), np.array(offsets, float)
    )


def _evaluate(expression: Expression, sets: NDArray[np.float64], literals: tuple[float, ...]) -> Column:
    if isinstance(expression, Linear):
        result: Column = np.float64(expression.offset)
        for index, factor in expression.terms:
            result = result + factor * (sets[:, index] if index < LITERALS else np.float64(literals[index - LITERALS]))
        return result
    if isinstance(expression, Call):
        return FUNCTIONS[expression.function](
            *(_evaluate(argument, sets, literals) for argument in expression.arguments)
        )
    return expression


def _not_finite(what: str) -> ProgramRejected:
    return ProgramRejected("angle-not-finite", f"{what} has no finite value", hint="check divisions and roots")


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
