"""Lifting: from gates with angle expressions to a structure whose numbers all stand outside of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from quire_quantum.angle_program import AngleProgram
from quire_quantum.angles import Expression, Linear, has_input
from quire_quantum.rejection import ProgramRejected
from quire_quantum.structure import Angle, Operation, Structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Step(NamedTuple):
    """An operation of the canonical set whose angles are still expressions of the program's inputs."""

    name: str
    qubits: tuple[int, ...]
    angles: tuple[Expression, ...] = ()
    bits: tuple[int, ...] = ()


class Program(NamedTuple):
    """A program taken apart: its structure, and how its parameters follow from its inputs.

    A skeleton's program leaves the numbers of its `?` open; `bound` gives them, in the order of the text.
    """

    structure: Structure
    angles: AngleProgram

    def bound(self, literals: Sequence[float]) -> Program:
        """The program of a text with this skeleton and these numbers; raises as `AngleProgram.bound` does."""
        return Program(self.structure, self.angles.bound(literals))


def lift(steps: Iterable[Step], *, num_qubits: int, num_bits: int, inputs: Sequence[str]) -> Program:
    """Give every number its own parameter.

    Parameters are numbered in the order in which their angle first appears:

    - a constant, or an expression of open numbers alone, gets a parameter of its own each time it stands somewhere, so
      that programs which differ only in their numbers have one structure whatever numbers are equal;
    - `a * input + b` of one input stays in the structure as `a*p<k>+b`, p<k> being that input's parameter;
    - any other expression with inputs gets one parameter for each distinct expression, worked out for each set.

    An input that no angle uses has no parameter.
    """
    columns: list[Expression] = []
    known: dict[Expression, int] = {}

    def parameter(expression: Expression) -> int:
        if expression not in known:
            known[expression] = len(columns)
            columns.append(expression)
        return known[expression]

    def angle(expression: Expression) -> Angle:
        if isinstance(expression, float) and not math.isfinite(expression):
            raise ProgramRejected("angle-not-finite", "an angle is not finite")
        if isinstance(expression, float) or not has_input(expression):
            columns.append(expression)
            return Angle(len(columns) - 1)
        if isinstance(expression, Linear) and len(expression.terms) == 1:
            ((index, factor),) = expression.terms
            return Angle(parameter(Linear(((index, 1.0),), 0.0)), factor, expression.offset)
        return Angle(parameter(expression))

    operations = tuple(
        Operation(step.name, step.qubits, tuple(angle(expression) for expression in step.angles), step.bits)
        for step in steps
    )
    structure = Structure(num_qubits, num_bits, len(columns), operations)
    return Program(structure, AngleProgram(tuple(inputs), tuple(columns)))
