"""Tokens to syntax tree: a recursive-descent parser of what is accepted of OpenQASM 3 and 2.

It replaces the reference parser at the door because it is linear and bounded, tens of times faster, and knows what the
Qiskit importer does not (loop variables as indices, constants, functions, static conditions). The tests hold it to the
reference grammar's meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quire_quantum.expression_grammar import ExpressionParser
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
    Mark,
    Measure,
    Modifier,
    Range,
    Register,
    Reset,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from quire_quantum.lexer import Token
    from quire_quantum.syntax import Node, Statement

_NUMBER_TYPES: Final = frozenset({"int", "uint", "float", "angle", "bool"})
_OLD: Final = 2
_ASSIGNMENTS: Final = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "^="})


def parse_source(tokens: list[Token]) -> Source:
    """The syntax tree of a pre-scanned program.

    Without a version line, a program that declares `qreg` is read as OpenQASM 2 and any other as 3.

    Raises:
        ProgramRejected: `syntax` where the text is not in the accepted language, or a code that says what is refused.
    """
    return _Parser(tokens).source()


class _Parser(ExpressionParser):
    """One method for each kind of statement; each is entered at its first token and leaves after its last."""

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self._marks = 0
        self._starts: dict[str, Callable[[], Statement]] = {
            "gate": self._definition,
            "qubit": self._register,
            "bit": self._register,
            "qreg": self._old_register,
            "creg": self._old_register,
            "input": self._input,
            "output": self._output,
            "const": self._constant,
            "let": self._alias,
            "measure": self._measure_arrow,
            "reset": self._reset,
            "barrier": self._barrier,
            "for": self._for,
            "if": self._if,
            **dict.fromkeys(_NUMBER_TYPES, self._number),
        }

    def source(self) -> Source:
        version = self._version()
        self.old_power = version == _OLD
        statements = []
        while self.token.kind != "end":
            if self.token.text == "include":
                self.at += 3
                self.token = self.tokens[self.at]
            elif not self.accept(";"):
                statements.append(self.statement())
        return Source(version, tuple(statements))

    def _version(self) -> int:
        if not self.accept("OPENQASM"):
            return _OLD if any(token.text == "qreg" for token in self.tokens) else 3
        text = self.advance().text
        self.expect(";")
        if text.split(".")[0] not in ("2", "3"):
            raise ProgramRejected("version", "this version of OpenQASM is not accepted", hint="use OPENQASM 3.0 or 2.0")
        return int(text[0])

    def statement(self) -> Statement:
        if self.token.kind != "name":
            raise self.unexpected()
        start = self._starts.get(self.token.text)
        return start() if start else self._application_or_assignment()

    def _block(self) -> tuple[Statement, ...]:
        if not self.accept("{"):
            return (self.statement(),)
        statements = []
        while not self.accept("}"):
            if not self.accept(";"):
                statements.append(self.statement())
        return tuple(statements)

    # -------------------------------------------------------------------------------------------- declarations

    def _register(self) -> Register:
        token = self.advance()
        size = self.designator()
        name = self.name()
        measured = None
        if token.text == "bit" and self.accept("="):
            if not self.accept("measure"):
                raise ProgramRejected("bit-value", "bits can only be given measured values", line=token.line)
            measured = self.operand()
        self.expect(";")
        return Register(token.text, name, size, measured, token.line)

    def _old_register(self) -> Register:
        token = self.advance()
        name = self.name()
        size = self.designator()
        self.expect(";")
        return Register("qubit" if token.text == "qreg" else "bit", name, size, None, token.line)

    def _type(self) -> str:
        token = self.advance()
        if token.text not in _NUMBER_TYPES:
            raise ProgramRejected(
                "type-refused",
                f"{safe_name(token.text)} is not a type that is accepted here",
                hint="use int, uint, float, angle or bool",
                line=token.line,
            )
        self.designator()
        return token.text

    def _input(self) -> Input:
        line = self.advance().line
        kind = self._type()
        if kind not in ("float", "angle"):
            raise ProgramRejected(
                "input-type",
                "an input must be a float or an angle, since the circuit may not depend on it",
                hint="write integers into the program",
                line=line,
            )
        name = self.name()
        self.expect(";")
        return Input(name, line)

    def _output(self) -> Register:
        line = self.advance().line
        if self.token.text != "bit":
            raise ProgramRejected("output-type", "only bits can be an output", line=line)
        return self._register()

    def _constant(self) -> Assign:
        self.advance()
        return self._number()

    def _number(self) -> Assign:
        line = self.token.line
        kind = self._type()
        name = self.name()
        value = self.expression() if self.accept("=") else None
        self.expect(";")
        return Assign(kind, name, "", value, line)

    def _alias(self) -> Alias:
        line = self.advance().line
        name = self.name()
        self.expect("=")
        parts = [self.operand()]
        while self.accept("++"):
            parts.append(self.operand())
        self.expect(";")
        return Alias(name, tuple(parts), line)

    def _definition(self) -> Define:
        line = self.advance().line
        name = self.name()
        parameters = self.names(")") if self.accept("(") else ()
        qubits = self.names("{")
        body: list[Apply] = []
        while not self.accept("}"):
            if self.token.text == "barrier":
                self._barrier()
            elif not self.accept(";"):
                body.append(self._application(marked=False))
        return Define(name, parameters, qubits, tuple(body), line)

    # -------------------------------------------------------------------------------------------------- action

    def _application_or_assignment(self) -> Statement:
        following = self.tokens[self.at + 1].text
        if following in _ASSIGNMENTS or following == "[":
            return self._assignment()
        return self._application()

    def _assignment(self) -> Statement:
        line = self.token.line
        target = self.operand()
        operator = self.advance()
        if operator.text == "=" and self.accept("measure"):
            source = self.operand()
            self.expect(";")
            return Measure(source, target, line)
        if operator.text not in _ASSIGNMENTS or target.indices:
            raise ProgramRejected("bit-value", "bits can only be given measured values", line=line)
        value = self.expression()
        self.expect(";")
        return Assign("", target.name, operator.text[:-1], value, line)

    def _application(self, *, marked: bool = True) -> Apply:
        """`marked` says whether an argument may be a mark: not in a definition, whose numbers say what a gate is."""
        modifiers: list[Modifier] = []
        while self.token.text in ("inv", "pow", "ctrl", "negctrl"):
            word = self.advance().text
            argument = self.parenthesised() if self.token.text == "(" else None
            self.expect("@")
            modifiers.append(Modifier(word, argument))
        line = self.token.line
        name = self.name()
        arguments = self.arguments(self._angle if marked else self.expression) if self.token.text == "(" else ()
        operands = () if self.token.text == ";" else self.operands()
        self.expect(";")
        return Apply(name, arguments, tuple(modifiers), operands, line)

    def _angle(self) -> Node:
        """An expression, or a mark, which is never a part of one."""
        if self.token.kind != "mark":
            return self.expression()
        self.advance()
        self._marks += 1
        return Mark(self._marks - 1)

    def _measure_arrow(self) -> Measure:
        line = self.advance().line
        source = self.operand()
        if self.token.text == ";":
            raise ProgramRejected(
                "measure-lost",
                "a measurement does not say where its value goes",
                hint="write c = measure q;",
                line=line,
            )
        self.expect("->")
        target = self.operand()
        self.expect(";")
        return Measure(source, target, line)

    def _reset(self) -> Reset:
        line = self.advance().line
        operand = self.operand()
        self.expect(";")
        return Reset(operand, line)

    def _barrier(self) -> Barrier:
        line = self.advance().line
        operands = () if self.token.text == ";" else self.operands()
        self.expect(";")
        return Barrier(operands, line)

    # ------------------------------------------------------------------------------------------------- control

    def _for(self) -> For:
        line = self.advance().line
        if self.token.text in _NUMBER_TYPES:
            self._type()
        name = self.name()
        self.expect("in")
        values: Range | Listing
        if self.token.text == "{":
            values = self.listing()
        else:
            self.expect("[")
            start = self.expression()
            values = self.range_of(start, line)
            self.expect("]")
        return For(name, values, self._block(), line)

    def _if(self) -> If:
        line = self.advance().line
        condition = self.parenthesised()
        then = self._block()
        otherwise: tuple[Statement, ...] = ()
        if self.accept("else"):
            otherwise = self._block()
        return If(condition, then, otherwise, line)
