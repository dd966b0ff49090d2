"""The value of an angle that is a constant expression, as the parser would work it out."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final

from quire_quantum.evaluate import CONSTANTS, Evaluator
from quire_quantum.expression_grammar import ExpressionParser
from quire_quantum.lexer import tokenize
from quire_quantum.rejection import ProgramRejected
from quire_quantum.scope import undefined
from quire_quantum.syntax import Name

NUMBER: Final = r"[-+]?(?:[0-9]{1,18}(?:\.[0-9]{0,24})?|\.[0-9]{1,24})(?:[eE][-+]?[0-9]{1,3})?"
"""A number that Python's `float` reads as the parser does: no separators, no integer beyond 64 bits."""

_NUMBER: Final = re.compile(NUMBER)
_PI: Final = re.compile(rf"(-?)(?:({NUMBER}) ?\* ?)?pi(?: ?([*/]) ?({NUMBER}))?")
_LENGTH: Final = 64
_SMALLEST: Final = 1e-300
"""Divisors from here on have a finite inverse, so that the parser divides by them as Python does."""


def constant(text: str, version: int) -> float | None:
    """The float64 that a gate's argument stands for, or None where only a parser can say what it is.

    Args:
        text: one argument, in one line and without comments.
        version: 2 or 3: the languages divide integers, and read `^`, differently.

    `pi` and its like have their own values: whoever asks makes sure that the program does not declare them anew.
    """
    return _constant(text.strip(" "), version) if len(text) <= _LENGTH else None


@lru_cache(maxsize=4_096)
def _constant(text: str, version: int) -> float | None:
    if _NUMBER.fullmatch(text):
        return float(text)
    found = _PI.fullmatch(text)
    if found:
        sign, factor, symbol, other = found.groups()
        value = math.pi if factor is None else float(factor) * math.pi
        if symbol == "*":
            value *= float(other)
        elif symbol == "/" and abs(divisor := float(other)) > _SMALLEST:
            value /= divisor
        elif symbol:
            return None
        return -value if sign else value
    return _parsed(text, version)


def _parsed(text: str, version: int) -> float | None:
    try:
        parser = ExpressionParser(tokenize(text))
        parser.old_power = version == 2  # noqa: PLR2004  (the language version)
        node = parser.expression()
        value = Evaluator(_named, version).angle(node)
    except (ProgramRejected, RecursionError):
        return None
    return value if isinstance(value, float) and parser.token.kind == "end" else None


def _named(name: Name) -> float:
    if name.name not in CONSTANTS:
        raise undefined(name.name, name.line)
    return CONSTANTS[name.name]
