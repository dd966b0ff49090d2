"""From a syntax tree to a straight line of canonical gates: loops run, gates expand, every count is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from quire_quantum import angles, limits
from quire_quantum.elements import too_many
from quire_quantum.evaluate import Value
from quire_quantum.expansion import Gates
from quire_quantum.lift import Step
from quire_quantum.rejection import ProgramRejected
from quire_quantum.scope import Scope, Wires, too_long, undefined
from quire_quantum.syntax import (
    Alias,
    Apply,
    Assign,
    Barrier,
    Define,
    For,
    If,
    Input,
    Measure,
    Operand,
    Register,
    Reset,
    Source,
    Statement,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Unrolled(NamedTuple):
    """A straight line of canonical gates with its registers' sizes and its inputs in order of declaration."""

    steps: list[Step]
    num_qubits: int
    num_bits: int
    inputs: tuple[str, ...]


def unroll(source: Source) -> Unrolled:
    """Work a program out up to its inputs.

    Qubits and bits are numbered in the order of their declaration.

    Raises:
        ProgramRejected: for anything undefined, mistyped, beyond a limit, or decided by measured values.
    """
    run = _Unroller(source.version)
    run.block(source.statements)
    if not run.num_qubits:
        raise ProgramRejected("no-qubits", "the program declares no qubits")
    return Unrolled(run.steps, run.num_qubits, run.num_bits, tuple(run.inputs))


class _Unroller:
    """Scopes, counters and the line of steps so far; one method for each kind of statement."""

    def __init__(self, version: int) -> None:
        self.steps: list[Step] = []
        self.num_qubits = 0
        self.num_bits = 0
        self.inputs: list[str] = []
        self._executed = 0
        self._repeats = 1
        self._scope = Scope(version)
        self._evaluator = self._scope.evaluator
        self._gates = Gates(self._scope.number, version)
        self._methods: dict[type, Callable[..., None]] = {
            Register: self._register,
            Input: self._input,
            Assign: self._assign,
            Alias: self._alias,
            Define: self._define,
            Apply: self._apply,
            Measure: self._measure,
            Reset: self._reset,
            Barrier: self._barrier,
            For: self._for,
            If: self._if,
        }

    def block(self, statements: Sequence[Statement]) -> None:
        """Work statements out one after the other."""
        self._executed += len(statements)
        if self._executed > limits.STATEMENTS:
            raise too_many()
        for statement in statements:
            self._methods[type(statement)](statement)
            if len(self.steps) > limits.OPERATIONS:
                raise too_many()

    # -------------------------------------------------------------------------------------------- declarations

    def _register(self, statement: Register) -> None:
        size = 1 if statement.size is None else self._evaluator.integer(statement.size, statement.line)
        if self._scope.is_inner:
            raise ProgramRejected("declaration", "registers are declared outside of loops", line=statement.line)
        quantum = statement.kind == "qubit"
        first, most = (self.num_qubits, limits.QUBITS) if quantum else (self.num_bits, limits.BITS)
        if size < 1 or first + size > most:
            raise ProgramRejected(
                f"too-many-{statement.kind}s",
                f"the program declares too many {statement.kind}s, or a register without any",
                limit=f"1 to {most}",
                line=statement.line,
            )
        if quantum:
            self.num_qubits += size
        else:
            self.num_bits += size
        wires = Wires(statement.kind, tuple(range(first, first + size)), single=statement.size is None)
        self._scope.declare(statement.name, wires, statement.line)
        if statement.measured is not None:
            self._measure(Measure(statement.measured, Operand(statement.name, (), statement.line), statement.line))

    def _input(self, statement: Input) -> None:
        if len(self.inputs) >= limits.INPUTS or self._scope.is_inner:
            raise ProgramRejected(
                "too-many-inputs", "too many inputs, or one in a loop", limit=f"{limits.INPUTS}", line=statement.line
            )
        self._scope.declare(statement.name, angles.variable(len(self.inputs)), statement.line)
        self.inputs.append(statement.name)

    def _assign(self, statement: Assign) -> None:
        value = self._evaluator.value(statement.value) if statement.value is not None else None
        if statement.type:
            self._scope.declare(statement.name, self._cast(statement.type, value, statement.line), statement.line)
            return
        old = self._scope.find(statement.name)
        if old is None or value is None:
            raise undefined(statement.name, statement.line)
        if isinstance(old, Wires):
            raise ProgramRejected("bit-value", "bits can only be given measured values", line=statement.line)
        if statement.operator:
            value = self._evaluator.combine(statement.operator, old, value, statement.line)
        kind = "int" if isinstance(old, int) else "float"
        self._scope.change(statement.name, self._cast(kind, value, statement.line))

    def _cast(self, kind: str, value: Value | None, line: int) -> Value:
        if value is None:
            value = 0
        if kind in ("float", "angle"):
            return float(value) if isinstance(value, int) else value
        if not isinstance(value, int):
            raise ProgramRejected("not-an-integer", "an integer known beforehand is needed here", line=line)
        return value

    def _alias(self, statement: Alias) -> None:
        parts = [self._scope.wires(part, "") for part in statement.parts]
        if len({part.kind for part in parts}) > 1:
            raise ProgramRejected("type-error", "qubits and bits cannot be put together", line=statement.line)
        places = tuple(place for part in parts for place in part.places)
        if len(places) > limits.BITS:
            raise ProgramRejected("too-many-bits", "an alias has too many members", line=statement.line)
        single = len(parts) == 1 and parts[0].single
        self._scope.declare(statement.name, Wires(parts[0].kind, places, single=single), statement.line)

    def _define(self, statement: Define) -> None:
        if self._scope.is_inner:
            raise ProgramRejected("declaration", "gates are defined outside of loops", line=statement.line)
        self._gates.define(statement)

    # -------------------------------------------------------------------------------------------------- action

    def _apply(self, statement: Apply) -> None:
        arguments = tuple([self._evaluator.angle(node) for node in statement.arguments])
        operands = [self._scope.wires(operand, "qubit") for operand in statement.operands]
        lengths = {len(operand.places) for operand in operands if not operand.single}
        if len(lengths) > 1:
            raise ProgramRejected("broadcast", "registers of different sizes in one gate", line=statement.line)
        times = lengths.pop() if lengths else 1
        columns = [operand.places * times if operand.single else operand.places for operand in operands]
        rows = list(zip(*columns, strict=True)) if columns else [()] * times
        if any(len(set(qubits)) != len(columns) for qubits in rows):
            raise ProgramRejected("repeated-qubit", "a gate acts on the same qubit twice", line=statement.line)
        self._gates.apply(statement, arguments, rows, self.steps)

    def _measure(self, statement: Measure) -> None:
        source, target = self._scope.wires(statement.source, "qubit"), self._scope.wires(statement.target, "bit")
        if len(source.places) != len(target.places):
            raise ProgramRejected("broadcast", "a measurement of as many bits as qubits is needed", line=statement.line)
        for qubit, bit in zip(source.places, target.places, strict=True):
            self.steps.append(Step("measure", (qubit,), (), (bit,)))

    def _reset(self, statement: Reset) -> None:
        for qubit in self._scope.wires(statement.operand, "qubit").places:
            self.steps.append(Step("reset", (qubit,)))

    def _barrier(self, statement: Barrier) -> None:
        places = [place for operand in statement.operands for place in self._scope.wires(operand, "qubit").places]
        qubits = tuple(dict.fromkeys(places)) if statement.operands else tuple(range(self.num_qubits))
        if qubits:
            self.steps.append(Step("barrier", qubits))

    # ------------------------------------------------------------------------------------------------- control

    def _for(self, statement: For) -> None:
        values = self._scope.integers(statement.values)
        outside = self._repeats
        self._repeats *= max(1, len(values))
        if self._repeats > limits.ITERATIONS or len(values) * _weight(statement.body) > limits.STATEMENTS:
            raise too_long(statement.line)
        for value in values:
            with self._scope.opened({statement.name: value}):
                self.block(statement.body)
        self._repeats = outside

    def _if(self, statement: If) -> None:
        chosen = self._evaluator.integer(statement.condition, statement.line)
        with self._scope.opened({}):
            self.block(statement.then if chosen else statement.otherwise)


def _weight(statements: Sequence[Statement]) -> int:
    """Statements in a block and the blocks inside of it, each counted once."""
    return sum(1 + _weight(statement.body) if isinstance(statement, For) else 1 for statement in statements)
