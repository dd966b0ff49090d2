"""Gate definitions, how much they expand to, and their application under modifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quire_quantum import limits
from quire_quantum.elements import Element, element, inverse, lower, power, too_many
from quire_quantum.evaluate import Evaluator, Value
from quire_quantum.gate_library import CANONICAL_NAMES, library
from quire_quantum.lift import Step
from quire_quantum.rejection import ProgramRejected, safe_name
from quire_quantum.structure import GATES
from quire_quantum.syntax import Apply, Name
from quire_quantum.unitaries import circuit_unitary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quire_quantum.angles import Expression
    from quire_quantum.syntax import Define

_OLD: int = 2
_COMPARED_QUBITS: int = 3
_COMPARED_SIZE: int = 200


class Definition(NamedTuple):
    """A defined gate with the number of gates it stands for and how deep its definitions nest."""

    syntax: Define
    size: int
    depth: int


class Gates:
    """The gates a program may use. `lookup` gives the value of a constant that a gate's body names."""

    def __init__(self, lookup: Callable[[Name], Value], version: int) -> None:
        """Start with the canonical gates and the library."""
        self._lookup = lookup
        self._version = version
        self._evaluator = Evaluator(lookup, version)
        self._defined: dict[str, Definition] = {}

    def define(self, syntax: Define) -> None:
        """Add a definition.

        A gate that is known already and means the same (all of Qiskit's exports define theirs again) stays as it is
        known, so that `rzz` stays one gate; phases count, except in OpenQASM 2, which has nothing to show them.

        Raises:
            ProgramRejected: for a second definition, a use of undefined gates or of itself, or one that expands to
                more than the limit.
        """
        if syntax.name in self._defined:
            raise ProgramRejected("already-defined", "a gate is defined twice", line=syntax.line)
        definition = self._measure(syntax)
        if not self._is_known(definition):
            self._defined[syntax.name] = definition

    def apply(
        self, use: Apply, arguments: tuple[Expression, ...], rows: Sequence[tuple[int, ...]], steps: list[Step]
    ) -> None:
        """Append one use of a gate on the qubits of each row to `steps` in canonical gates.

        Raises:
            ProgramRejected: for an undefined gate, a wrong number of angles or qubits, or too many gates.
        """
        name = use.name if use.name in self._defined else CANONICAL_NAMES.get(use.name)
        if name in GATES and not use.modifiers and name not in self._defined:
            for qubits in rows[:1]:
                self._check_shape(use, GATES[name].angles, GATES[name].qubits, len(qubits))
            steps += [Step(name, qubits, arguments) for qubits in rows]
            return
        if self._size_of_use(use)[0] > limits.OPERATIONS:
            raise too_many()
        for qubits in rows:
            for item in self._elements(use, arguments, qubits, self._evaluator):
                steps.extend(lower(item))
                if len(steps) > limits.OPERATIONS:
                    raise too_many()

    # --------------------------------------------------------------------------------------------------- sizes

    def _measure(self, syntax: Define) -> Definition:
        size, depth = 1, 0
        names = set(syntax.qubits)
        for use in syntax.body:
            if use.name == syntax.name:
                raise ProgramRejected("gate-recursion", "a gate is defined by itself", line=use.line)
            operands = [operand.name for operand in use.operands]
            if any(operand.indices or operand.name not in names for operand in use.operands):
                raise ProgramRejected("undefined", "a gate's body uses a qubit that is not its own", line=use.line)
            if len(set(operands)) != len(operands):
                raise ProgramRejected("repeated-qubit", "a gate acts on the same qubit twice", line=use.line)
            part, below = self._size_of_use(use)
            size, depth = size + part, max(depth, below + 1)
        if size > limits.GATE_EXPANSION:
            raise ProgramRejected(
                "gate-expansion",
                f"the gate {safe_name(syntax.name)} expands to too many gates",
                limit=f"{limits.GATE_EXPANSION} gates",
                line=syntax.line,
            )
        if depth > limits.GATE_NESTING:
            raise ProgramRejected(
                "gate-too-deep", "gate definitions nest too deeply", limit=f"{limits.GATE_NESTING}", line=syntax.line
            )
        return Definition(syntax, size, depth)

    def _size_of_use(self, use: Apply) -> tuple[int, int]:
        """Gates and depth of one use. Controls are counted by what they make of a gate at least."""
        found = self._definition(use.name)
        if found is not None:
            size, depth = found.size, found.depth
        elif use.name in CANONICAL_NAMES or use.name == "gphase":
            size, depth = 1, 0
        else:
            raise ProgramRejected("gate-unknown", f"the gate {safe_name(use.name)} is not defined", line=use.line)
        for modifier in use.modifiers:
            if modifier.name == "pow" and modifier.argument is not None:
                size *= max(1, abs(int(self._exponent(modifier.argument, use.line))))
        return size, depth

    def _definition(self, name: str) -> Definition | None:
        if name in self._defined:
            return self._defined[name]
        if name in library() and name not in CANONICAL_NAMES:
            return self._library_definition(name)
        return None

    def _library_definition(self, name: str) -> Definition:
        syntax = library()[name]
        return Definition(syntax, 8 * len(syntax.body), 1)

    def _exponent(self, node: object, line: int) -> float:
        value = self._evaluator.value(node)  # type: ignore[arg-type]
        if not isinstance(value, int | float) or abs(value) > limits.MODIFIER:
            raise ProgramRejected(
                "modifier", "a modifier's argument must be a small number", limit=f"{limits.MODIFIER}", line=line
            )
        return float(value)

    # ----------------------------------------------------------------------------------------------- expansion

    def _elements(
        self, use: Apply, arguments: tuple[Expression, ...], qubits: tuple[int, ...], evaluator: Evaluator
    ) -> list[Element]:
        """One use of a gate as elements: its controls are the first qubits, outermost modifier first."""
        controls: list[tuple[int, int]] = []
        rest = qubits
        for modifier in use.modifiers:
            if modifier.name in ("ctrl", "negctrl"):
                count = 1 if modifier.argument is None else evaluator.integer(modifier.argument, use.line)
                if not 1 <= count <= limits.MODIFIER or count > len(rest):
                    raise ProgramRejected(
                        "modifier", "a wrong number of controls", limit=f"{limits.MODIFIER}", line=use.line
                    )
                controls += [(qubit, int(modifier.name == "ctrl")) for qubit in rest[:count]]
                rest = rest[count:]
        items = self._plain(use, arguments, rest)
        for modifier in reversed(use.modifiers):
            if modifier.name == "inv":
                items = [inverse(item) for item in reversed(items)]
            elif modifier.name == "pow":
                if modifier.argument is None:
                    raise ProgramRejected("modifier", "`pow` needs its exponent", line=use.line)
                items = power(items, self._exponent(modifier.argument, use.line))
        if controls:
            items = [item._replace(controls=(*controls, *item.controls)) for item in items]
        return items

    def _plain(self, use: Apply, arguments: tuple[Expression, ...], qubits: tuple[int, ...]) -> list[Element]:
        if use.name == "gphase":
            self._check_shape(use, 1, 0, len(qubits))
            return [Element("gphase", (), arguments)]
        found = self._definition(use.name)
        if found is None:
            name = CANONICAL_NAMES[use.name]
            self._check_shape(use, GATES[name].angles, GATES[name].qubits, len(qubits))
            return [element(name, qubits, arguments)]
        syntax = found.syntax
        self._check_shape(use, len(syntax.parameters), len(syntax.qubits), len(qubits))
        values = dict(zip(syntax.parameters, arguments, strict=True))
        places = dict(zip(syntax.qubits, qubits, strict=True))
        evaluator = Evaluator(
            lambda name: values[name.name] if name.name in values else self._lookup(name), self._version
        )
        items: list[Element] = []
        for inner in syntax.body:
            inner_arguments = tuple([evaluator.angle(node) for node in inner.arguments])
            inner_qubits = tuple([places[operand.name] for operand in inner.operands])
            items += self._elements(inner, inner_arguments, inner_qubits, evaluator)
            if len(items) > limits.OPERATIONS:
                raise too_many()
        return items

    def _check_shape(self, use: Apply, angles: int, qubits: int, given: int) -> None:
        if len(use.arguments) != angles or given != qubits:
            raise ProgramRejected(
                "gate-shape",
                f"the gate {safe_name(use.name)} takes {angles} angles and {qubits} qubits here",
                line=use.line,
            )

    # ---------------------------------------------------------------------------------------------- comparison

    def _is_known(self, definition: Definition) -> bool:
        syntax = definition.syntax
        if syntax.name not in CANONICAL_NAMES and syntax.name not in library():
            return False
        if len(syntax.qubits) > _COMPARED_QUBITS or definition.size > _COMPARED_SIZE:
            return False
        count = len(syntax.qubits)
        arguments = tuple(0.7 + 0.4 * index for index in range(len(syntax.parameters)))
        use = Apply(syntax.name, syntax.parameters, (), (), syntax.line)  # type: ignore[arg-type]
        known = Gates(self._lookup, self._version)
        try:
            before = known._unitary(known._plain(use, arguments, tuple(range(count))), count)
        except ProgramRejected:
            return False
        known._defined = self._defined | {syntax.name: definition}
        after = known._unitary(known._plain(use, arguments, tuple(range(count))), count)
        overlap = np.vdot(before, after) / len(before)
        return bool(abs((abs(overlap) if self._version == _OLD else overlap) - 1) < 1e-9)  # noqa: PLR2004

    @staticmethod
    def _unitary(items: list[Element], num_qubits: int) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
        """The elements' unitary with its phase: controlled by a further qubit, lowered, and read off."""
        extra = ((num_qubits, 1),)
        steps = [step for item in items for step in lower(item._replace(controls=(*extra, *item.controls)))]
        whole = circuit_unitary(steps, num_qubits + 1)
        return whole[2**num_qubits :, 2**num_qubits :]
