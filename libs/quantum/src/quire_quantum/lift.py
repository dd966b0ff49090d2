"""Lifting: from gates with angle expressions to a structure whose numbers all stand outside of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from quire_quantum.angles import AngleProgram, Expression, Linear
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
    """A program taken apart: its structure, and how its parameters follow from its inputs."""

    structure: Structure
    angles: AngleProgram


def lift(steps: Iterable[Step], *, num_qubits: int, num_bits: int, inputs: Sequence[str]) -> Program:
    """Give every number its own parameter.

    Parameters are numbered in the order in which their angle first appears:

    - a constant gets a parameter of its own each time it stands somewhere, so that programs which differ only in their
      numbers have one structure whatever numbers are equal;
    - `a * input + b` of one input stays in the structure as `a*p<k>+b`, p<k> being that input's parameter;
    - any other expression of inputs gets one parameter for each distinct expression, worked out for each set.

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
        if isinstance(expression, Linear) and len(expression.terms) == 1:
            ((index, factor),) = expression.terms
            return Angle(parameter(Linear(((index, 1.0),), 0.0)), factor, expression.offset)
        if isinstance(expression, float):
            if not math.isfinite(expression):
                raise ProgramRejected("angle-not-finite", "an angle is not finite")
            columns.append(expression)
            return Angle(len(columns) - 1)
        return Angle(parameter(expression))

    operations = tuple(
        Operation(step.name, step.qubits, tuple(angle(expression) for expression in step.angles), step.bits)
        for step in steps
    )
    structure = Structure(num_qubits, num_bits, len(columns), operations)
    return Program(structure, AngleProgram(tuple(inputs), tuple(columns)))
