"""Names while a program is unrolled: numbers, qubits and bits, and what indices choose of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from quire_quantum import limits
from quire_quantum.evaluate import CONSTANTS, Evaluator, Value
from quire_quantum.rejection import ProgramRejected, safe_name
from quire_quantum.syntax import Listing, Name, Node, Operand, Range


class Wires(NamedTuple):
    """What a name for qubits or bits stands for; a single one is not a register."""

    kind: str
    places: tuple[int, ...]
    single: bool


class Scope:
    """Nested scopes, the innermost last; `evaluator` works expressions out with the names in sight."""

    def __init__(self, version: int) -> None:
        self._scopes: list[dict[str, Value | Wires]] = [{}]
        self.evaluator = Evaluator(self.number, version)

    @property
    def is_inner(self) -> bool:
        """Whether a loop or choice is open."""
        return len(self._scopes) > 1

    @contextmanager
    def opened(self, names: Mapping[str, Value]) -> Iterator[None]:
        """One more scope, with `names` in it, for the length of a block."""
        self._scopes.append(dict(names))
        yield
        self._scopes.pop()

    def find(self, name: str) -> Value | Wires | None:
        """What a name stands for, or None."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def number(self, name: Name) -> Value:
        """A name's value, if it is a number."""
        found = self.find(name.name)
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
            raise undefined(name.name, name.line)
        return found

    def declare(self, name: str, value: Value | Wires, line: int) -> None:
        """Put a new name into the innermost scope."""
        if name in self._scopes[-1]:
            raise ProgramRejected("already-defined", f"{safe_name(name)} is declared twice", line=line)
        self._scopes[-1][name] = value

    def change(self, name: str, value: Value) -> None:
        """Give a name that is declared another value."""
        next(scope for scope in reversed(self._scopes) if name in scope)[name] = value

    def wires(self, operand: Operand, kind: str) -> Wires:
        """The qubits or bits of an operand; `kind` is qubit, bit or, for either, empty."""
        found = self.find(operand.name)
        if found is None:
            raise undefined(operand.name, operand.line)
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
            chosen = self.integers(index, size)
        else:
            chosen = [self.evaluator.integer(index, line)]
        if any(not -size <= place < size for place in chosen):
            raise ProgramRejected("index", "an index is outside of its register", limit=f"below {size}", line=line)
        places = tuple([wires.places[place] for place in chosen])
        return Wires(wires.kind, places, single=not isinstance(index, Range | Listing))

    def integers(self, values: Range | Listing, size: int | None = None) -> Sequence[int]:
        """The integers of a range (ends included) or listing; with `size`, ends count as indices of a register."""
        if isinstance(values, Listing):
            return [self.evaluator.integer(value, values.line) for value in values.values]
        step = 1 if values.step is None else self.evaluator.integer(values.step, values.line)
        start = self._end(values.start, 0 if step > 0 else -1, size, values.line)
        stop = self._end(values.stop, -1 if step > 0 else 0, size, values.line)
        if step == 0:
            raise ProgramRejected("loop-unbounded", "a range with a step of zero never ends", line=values.line)
        if (stop - start) // step > limits.ITERATIONS:
            raise too_long(values.line)
        return range(start, stop + (1 if step > 0 else -1), step)

    def _end(self, node: Node | None, default: int, size: int | None, line: int) -> int:
        if node is None and size is None:
            raise ProgramRejected("loop-unbounded", "a loop needs a first and a last value", line=line)
        value = default if node is None else self.evaluator.integer(node, line)
        return value + size if size is not None and value < 0 else value


def undefined(name: str, line: int) -> ProgramRejected:
    """The refusal of a name that nothing declares."""
    return ProgramRejected("undefined", f"{safe_name(name)} is not declared", line=line)


def too_long(line: int) -> ProgramRejected:
    """The refusal of a loop with too many iterations."""
    return ProgramRejected(
        "loop-too-long",
        "a loop has too many iterations, counting the loops around it",
        limit=f"{limits.ITERATIONS} iterations",
        line=line,
    )
