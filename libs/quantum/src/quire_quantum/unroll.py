"""From a syntax tree to a straight line of canonical gates: loops run, gates expanded, every count bounded on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from quire_quantum import angles, limits
from quire_quantum.elements import too_many
from quire_quantum.evaluate import CONSTANTS, Evaluator, Value
from quire_quantum.expansion import Gates
from quire_quantum.lift import Step
from quire_quantum.rejection import ProgramRejected, safe_name
from quire_quantum.syntax import (
    Alias,
    Apply,
    Assign,
    Barrier,
    Define,
    For,
    If,
    Input,
    Listing,
    Measure,
    Name,
    Operand,
    Range,
    Register,
    Reset,
    Source,
    Statement,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quire_quantum.syntax import Node


class Wires(NamedTuple):
    """What a name for qubits or bits stands for; a single one is not a register."""

    kind: str
    places: tuple[int, ...]
    single: bool


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
        self._scopes: list[dict[str, Value | Wires]] = [{}]
        self._evaluator = Evaluator(self._number, version)
        self._gates = Gates(self._number, version)
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

    # --------------------------------------------------------------------------------------------------- names

    def _find(self, name: str) -> Value | Wires | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def _number(self, name: Name) -> Value:
        found = self._find(name.name)
        if isinstance(found, Wires):
            raise ProgramRejected(
                "control-flow",
                "a measured value or a qubit is used as a number",
                hint="the program must not decide anything while it runs",
                line=name.line,
            )
        if found is None:
            found = CONSTANTS.get(name.name)
        if found is None:
            raise _undefined(name.name, name.line)
        return found

    def _declare(self, name: str, value: Value | Wires, line: int) -> None:
        if name in self._scopes[-1]:
            raise ProgramRejected("already-defined", f"{safe_name(name)} is declared twice", line=line)
        self._scopes[-1][name] = value

    def _wires(self, operand: Operand, kind: str) -> Wires:
        found = self._find(operand.name)
        if found is None:
            raise _undefined(operand.name, operand.line)
        if not isinstance(found, Wires) or kind not in ("", found.kind):
            raise ProgramRejected("type-error", f"a {kind or 'register'} is needed here", line=operand.line)
        for index in operand.indices:
            if found.single:
                raise ProgramRejected("index", "a single qubit or bit has no index", line=operand.line)
            found = self._choose(found, index, operand.line)
        return found

    def _choose(self, wires: Wires, index: Node | Range | Listing, line: int) -> Wires:
        size = len(wires.places)
        if isinstance(index, Range | Listing):
            chosen = self._integers(index, size)
        else:
            chosen = [self._evaluator.integer(index, line)]
        if any(not -size <= place < size for place in chosen):
            raise ProgramRejected("index", "an index is outside of its register", limit=f"below {size}", line=line)
        places = tuple([wires.places[place] for place in chosen])
        return Wires(wires.kind, places, single=not isinstance(index, Range | Listing))

    def _integers(self, values: Range | Listing, size: int | None = None) -> Sequence[int]:
        """The integers of a range (ends included) or listing; with `size`, ends count as indices of a register."""
        if isinstance(values, Listing):
            return [self._evaluator.integer(value, values.line) for value in values.values]
        step = 1 if values.step is None else self._evaluator.integer(values.step, values.line)
        start = self._end(values.start, 0 if step > 0 else -1, size, values.line)
        stop = self._end(values.stop, -1 if step > 0 else 0, size, values.line)
        if step == 0:
            raise ProgramRejected("loop-unbounded", "a range with a step of zero never ends", line=values.line)
        return range(start, stop + (1 if step > 0 else -1), step)

    def _end(self, node: Node | None, default: int, size: int | None, line: int) -> int:
        if node is None and size is None:
            raise ProgramRejected("loop-unbounded", "a loop needs a first and a last value", line=line)
        value = default if node is None else self._evaluator.integer(node, line)
        return value + size if size is not None and value < 0 else value

    # -------------------------------------------------------------------------------------------- declarations

    def _register(self, statement: Register) -> None:
        size = 1 if statement.size is None else self._evaluator.integer(statement.size, statement.line)
        if len(self._scopes) > 1:
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
        self._declare(statement.name, wires, statement.line)
        if statement.measured is not None:
            self._measure(Measure(statement.measured, Operand(statement.name, (), statement.line), statement.line))

    def _input(self, statement: Input) -> None:
        if len(self.inputs) >= limits.INPUTS or len(self._scopes) > 1:
            raise ProgramRejected(
                "too-many-inputs", "too many inputs, or one in a loop", limit=f"{limits.INPUTS}", line=statement.line
            )
        self._declare(statement.name, angles.variable(len(self.inputs)), statement.line)
        self.inputs.append(statement.name)

    def _assign(self, statement: Assign) -> None:
        value = self._evaluator.value(statement.value) if statement.value is not None else None
        if statement.type:
            self._declare(statement.name, self._cast(statement.type, value, statement.line), statement.line)
            return
        scope = next((scope for scope in reversed(self._scopes) if statement.name in scope), None)
        if scope is None or value is None:
            raise _undefined(statement.name, statement.line)
        old = scope[statement.name]
        if isinstance(old, Wires):
            raise ProgramRejected("bit-value", "bits can only be given measured values", line=statement.line)
        if statement.operator:
            value = self._evaluator.combine(statement.operator, old, value, statement.line)
        scope[statement.name] = self._cast("int" if isinstance(old, int) else "float", value, statement.line)

    def _cast(self, kind: str, value: Value | None, line: int) -> Value:
        if value is None:
            value = 0
        if kind in ("float", "angle"):
            return float(value) if isinstance(value, int) else value
        if not isinstance(value, int):
            raise ProgramRejected("not-an-integer", "an integer known beforehand is needed here", line=line)
        return value

    def _alias(self, statement: Alias) -> None:
        parts = [self._wires(part, "") for part in statement.parts]
        if len({part.kind for part in parts}) > 1:
            raise ProgramRejected("type-error", "qubits and bits cannot be put together", line=statement.line)
        places = tuple(place for part in parts for place in part.places)
        if len(places) > limits.BITS:
            raise ProgramRejected("too-many-bits", "an alias has too many members", line=statement.line)
        single = len(parts) == 1 and parts[0].single
        self._declare(statement.name, Wires(parts[0].kind, places, single=single), statement.line)

    def _define(self, statement: Define) -> None:
        if len(self._scopes) > 1:
            raise ProgramRejected("declaration", "gates are defined outside of loops", line=statement.line)
        self._gates.define(statement)

    # -------------------------------------------------------------------------------------------------- action

    def _apply(self, statement: Apply) -> None:
        arguments = tuple([self._evaluator.angle(node) for node in statement.arguments])
        operands = [self._wires(operand, "qubit") for operand in statement.operands]
        lengths = {len(operand.places) for operand in operands if not operand.single}
        if len(lengths) > 1:
            raise ProgramRejected("broadcast", "registers of different sizes in one gate", line=statement.line)
        for place in range(lengths.pop() if lengths else 1):
            qubits = tuple([operand.places[0 if operand.single else place] for operand in operands])
            if len(set(qubits)) != len(qubits):
                raise ProgramRejected("repeated-qubit", "a gate acts on the same qubit twice", line=statement.line)
            self._gates.apply(statement, arguments, qubits, self.steps)

    def _measure(self, statement: Measure) -> None:
        source, target = self._wires(statement.source, "qubit"), self._wires(statement.target, "bit")
        if len(source.places) != len(target.places):
            raise ProgramRejected("broadcast", "a measurement of as many bits as qubits is needed", line=statement.line)
        for qubit, bit in zip(source.places, target.places, strict=True):
            self.steps.append(Step("measure", (qubit,), (), (bit,)))

    def _reset(self, statement: Reset) -> None:
        for qubit in self._wires(statement.operand, "qubit").places:
            self.steps.append(Step("reset", (qubit,)))

    def _barrier(self, statement: Barrier) -> None:
        places = [place for operand in statement.operands for place in self._wires(operand, "qubit").places]
        qubits = tuple(dict.fromkeys(places)) if statement.operands else tuple(range(self.num_qubits))
        if qubits:
            self.steps.append(Step("barrier", qubits))

    # ------------------------------------------------------------------------------------------------- control

    def _for(self, statement: For) -> None:
        values = self._integers(statement.values)
        outside = self._repeats
        self._repeats *= max(1, len(values)) if len(values) <= limits.ITERATIONS else limits.ITERATIONS + 1
        if self._repeats > limits.ITERATIONS or len(values) * _weight(statement.body) > limits.STATEMENTS:
            raise ProgramRejected(
                "loop-too-long",
                "a loop has too many iterations, counting the loops around it",
                limit=f"{limits.ITERATIONS} iterations",
                line=statement.line,
            )
        for value in values:
            self._scopes.append({statement.name: value})
            self.block(statement.body)
            self._scopes.pop()
        self._repeats = outside

    def _if(self, statement: If) -> None:
        self._scopes.append({})
        chosen = self._evaluator.integer(statement.condition, statement.line)
        self.block(statement.then if chosen else statement.otherwise)
        self._scopes.pop()


def _weight(statements: Sequence[Statement]) -> int:
    """Statements in a block and the blocks inside of it, each counted once."""
    return sum(1 + _weight(statement.body) if isinstance(statement, For) else 1 for statement in statements)


def _undefined(name: str, line: int) -> NoReturn:
    raise ProgramRejected("undefined", f"{safe_name(name)} is not declared", line=line)
