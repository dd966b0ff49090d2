"""The parser's lower half: a cursor over tokens, operands, and expressions with OpenQASM 3's precedence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from quire_quantum import limits
from quire_quantum.rejection import ProgramRejected, safe_name
from quire_quantum.syntax import Chain, Function, Listing, Name, Number, Operand, Range, Unary

if TYPE_CHECKING:
    from collections.abc import Callable

    from quire_quantum.lexer import Token
    from quire_quantum.syntax import Node

_LEVELS: Final = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
"""Binary operators from weakest to strongest; `**` and, above it, unary operators follow. In OpenQASM 2 `^` is the
power and binds as `**` does."""

_LEVEL_OF: Final = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}
_CASTS: Final = frozenset({"int", "uint", "float", "angle", "bool"})
_KEYWORDS: Final = frozenset(
    {"gate", "measure", "reset", "barrier", "for", "if", "else", "in", "let", "const", "input"}
)


class ExpressionParser:
    """A cursor over tokens: `token` is the next one, `at` its place."""

    def __init__(self, tokens: list[Token]) -> None:
        """Start at the first token; the last one must be `end`. With `old_power`, `^` is OpenQASM 2's power."""
        self.tokens = tokens
        self.at = 0
        self.token = tokens[0]
        self._depth = 0
        self.old_power = False

    def advance(self) -> Token:
        """Take the next token, whatever it is."""
        token = self.token
        if token.kind == "end":
            raise self.unexpected()
        self.at += 1
        self.token = self.tokens[self.at]
        return token

    def accept(self, text: str) -> bool:
        """Take the next token if it is `text`."""
        if self.token.text == text and self.token.kind != "end":
            self.at += 1
            self.token = self.tokens[self.at]
            return True
        return False

    def expect(self, text: str) -> None:
        """Take `text` or refuse the program."""
        if not self.accept(text):
            raise ProgramRejected("syntax", f"`{text}` is missing here", line=self.token.line)

    def name(self) -> str:
        """Take an identifier."""
        if self.token.kind != "name" or self.token.text in _KEYWORDS:
            raise self.unexpected()
        return self.advance().text

    def unexpected(self) -> ProgramRejected:
        """The refusal of the next token."""
        if self.token.kind == "end":
            return ProgramRejected("syntax", "the program ends in the middle of a statement", line=self.token.line)
        what = safe_name(self.token.text) if self.token.kind == "name" else "a token"
        return ProgramRejected("syntax", f"{what} cannot stand here", line=self.token.line)

    def expression(self) -> Node:
        """An expression of any kind."""
        return self._binary(0)

    def parenthesised(self) -> Node:
        """`( expression )`."""
        self.expect("(")
        inner = self.expression()
        self.expect(")")
        return inner

    def arguments(self, argument: Callable[[], Node] | None = None) -> tuple[Node, ...]:
        """`( argument, ... )`, perhaps empty; an argument is an expression unless `argument` reads another thing."""
        self.expect("(")
        found = []
        while not self.accept(")"):
            found.append((argument or self.expression)())
            if self.token.text != ")":
                self.expect(",")
        return tuple(found)

    def designator(self) -> Node | None:
        """`[ expression ]`, or None if there is none."""
        if not self.accept("["):
            return None
        size = self.expression()
        self.expect("]")
        return size

    def names(self, closing: str) -> tuple[str, ...]:
        """Different names, comma separated, up to and with `closing`."""
        names = []
        while not self.accept(closing):
            names.append(self.name())
            if self.token.text != closing:
                self.expect(",")
        if len(set(names)) != len(names):
            raise ProgramRejected("already-defined", "a name stands twice in one list", line=self.token.line)
        return tuple(names)

    def operands(self) -> tuple[Operand, ...]:
        """One operand or more, comma separated."""
        operands = [self.operand()]
        while self.accept(","):
            operands.append(self.operand())
        return tuple(operands)

    def operand(self) -> Operand:
        """A name with its indices."""
        line = self.token.line
        name = self.name()
        indices: list[Node | Range | Listing] = []
        while self.accept("["):
            indices.append(self._index())
            self.expect("]")
        return Operand(name, tuple(indices), line)

    def _index(self) -> Node | Range | Listing:
        if self.token.text == "{":
            return self.listing()
        line = self.token.line
        first = None if self.token.text == ":" else self.expression()
        if self.token.text != ":":
            return first if first is not None else self.expression()
        return self.range_of(first, line)

    def range_of(self, first: Node | None, line: int) -> Range:
        """The rest of a range whose first end has been read."""
        self.expect(":")
        second = None if self.token.text in ("]", ":") else self.expression()
        if not self.accept(":"):
            return Range(first, None, second, line)
        return Range(first, second, None if self.token.text == "]" else self.expression(), line)

    def listing(self) -> Listing:
        """`{ expression, ... }`."""
        line = self.advance().line
        values = []
        while not self.accept("}"):
            values.append(self.expression())
            if self.token.text != "}":
                self.expect(",")
        return Listing(tuple(values), line)

    def _binary(self, level: int) -> Node:
        """Precedence climbing: operators of at least `level`, those of one level gathered into one chain."""
        left = self._unary()
        while True:
            found = self._operator_level()
            if found is None or found < level:
                return left
            rest = []
            line = self.token.line
            while self._operator_level() == found:
                operator = self.advance().text
                rest.append((operator, self._binary(found + 1)))
            left = Chain(left, tuple(rest), line)

    def _operator_level(self) -> int | None:
        if self.token.kind != "sign" or (self.old_power and self.token.text == "^"):
            return None
        return _LEVEL_OF.get(self.token.text)

    def _unary(self) -> Node:
        token = self.token
        if token.kind == "sign" and token.text in ("-", "+", "!", "~"):
            self.advance()
            self._descend(token)
            operand = self._unary()
            self._depth -= 1
            return operand if token.text == "+" else Unary(token.text, operand, token.line)
        return self._power()

    def _power(self) -> Node:
        base = self._primary()
        if not (self.token.text == "**" or (self.old_power and self.token.text == "^")):
            return base
        token = self.advance()
        self._descend(token)
        exponent = self._unary()
        self._depth -= 1
        return Chain(base, (("**", exponent),), token.line)

    def _primary(self) -> Node:
        token = self.token
        if token.kind == "int":
            return Number(_integer(self.advance()))
        if token.kind == "float":
            return Number(_real(self.advance()))
        if token.text == "(":
            return self.parenthesised()
        if token.kind != "name" or token.text in _KEYWORDS:
            raise self.unexpected()
        self.advance()
        if token.text in ("true", "false"):
            return Number(int(token.text == "true"))
        if token.text in _CASTS and self.accept("["):
            self.expression()
            self.expect("]")
        if self.token.text == "(":
            return Function(token.text, self.arguments(), token.line)
        if self.token.text == "[":
            raise ProgramRejected(
                "control-flow",
                "a bit or an array element is used as a number",
                hint="the program must not decide anything while it runs",
                line=token.line,
            )
        return Name(token.text, token.line)

    def _descend(self, token: Token) -> None:
        self._depth += 1
        if self._depth > limits.NESTING:
            raise ProgramRejected(
                "nesting", "an expression is nested too deeply", limit=f"{limits.NESTING} levels", line=token.line
            )


def _integer(token: Token) -> int:
    text = token.text.replace("_", "").lower()
    value = int(text, 0) if text[:2] in ("0x", "0b", "0o") else int(text)
    if value >= limits.INTEGER:
        raise ProgramRejected("integer-too-large", "an integer does not fit 64 bits", line=token.line)
    return value


def _real(token: Token) -> float:
    value = float(token.text.replace("_", ""))
    if math.isinf(value):
        raise ProgramRejected("angle-not-finite", "a number is too large", line=token.line)
    return value
