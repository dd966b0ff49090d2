"""Source text to tokens: one regular expression, linear in the text."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from quire_quantum import limits
from quire_quantum.rejection import ProgramRejected

_TOKEN: Final = re.compile(
    r"""
      (?P<name> [^\W\d]\w* )
    | (?P<sign> -> | \*\* | \+\+ | == | != | <= | >= | << | >> | && | \|\| | [-+*%^]= | /=
        | [-+*%^~!&|<>=@;:,(){}\[\]] | /(?![/*]) | \.(?![0-9]) )
    | (?P<skip> [ \t\r\f]+ | //[^\n]* )
    | (?P<line> \n )
    | (?P<float> (?: [0-9][0-9_]*\.[0-9_]* | \.[0-9][0-9_]* ) (?: [eE][+-]?[0-9]+ )? | [0-9][0-9_]*[eE][+-]?[0-9]+ )
    | (?P<int> 0[xX][0-9a-fA-F_]+ | 0[bB][01_]+ | 0[oO][0-7_]+ | [0-9][0-9_]* )
    | (?P<text> "[^"\n]*" | '[^'\n]*' )
    | (?P<comment> /\*.*?\*/ )
    | (?P<pragma> \#[^\n]* )
    | (?P<physical> \$[0-9]+ )
    | (?P<mark> \? )
    | (?P<none> . )
    """,
    re.VERBOSE | re.DOTALL,
)
"""Every character belongs to some kind; the frequent kinds stand first."""


class Token(NamedTuple):
    """`kind` is name, int, float, text, pragma, physical, sign, mark or end; `line` counts from 1."""

    kind: str
    text: str
    line: int


def tokenize(source: str, *, marks: bool = False) -> list[Token]:
    """All tokens, with an `end` token after the last.

    marks: whether the text is a skeleton, in which `?` stands for a number; no program has that character.

    Raises:
        ProgramRejected: `syntax` for a character or comment that is none, `too-many-tokens`, `literal-too-long`.
    """
    tokens: list[Token] = []
    append = tokens.append
    line = 1
    for found in _TOKEN.finditer(source):
        kind = found.lastgroup or ""
        if kind == "skip":
            continue
        if kind == "line":
            line += 1
            continue
        text = found.group()
        if kind == "comment":
            line += text.count("\n")
            continue
        if kind in _CHECKED and not (marks and kind == "mark"):
            _check(kind, text, line)
        append(Token(kind, text, line))
        if len(tokens) > limits.TOKENS:
            raise ProgramRejected(
                "too-many-tokens",
                "the program is too long",
                limit=f"{limits.TOKENS} tokens",
                hint="use loops and gate definitions for repeated parts",
                line=line,
            )
    append(Token("end", "", line))
    return tokens


_CHECKED: Final = frozenset({"none", "mark", "int", "float"})


def _check(kind: str, text: str, line: int) -> None:
    if kind in ("none", "mark"):
        raise ProgramRejected("syntax", "a character or an open comment that no program has here", line=line)
    if len(text) > limits.LITERAL_CHARACTERS:
        raise ProgramRejected(
            "literal-too-long", "a number has too many digits", limit=f"{limits.LITERAL_CHARACTERS}", line=line
        )
