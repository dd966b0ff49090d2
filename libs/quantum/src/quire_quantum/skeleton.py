"""A program's text less its angles, by one linear scan and no parser, so that a known program is never parsed again.

The scan is quick because it may be wrong: it takes for an angle whatever looks like one. What makes it safe is the
first sighting, where the real parser reads the skeleton and accepts a `?` only as the whole argument of a gate call
(`parse.parse_skeleton`). A skeleton that has been accepted says everything about its programs but those numbers.
"""

from __future__ import annotations

import hashlib
import math
import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

from quire_quantum import limits
from quire_quantum.literals import NUMBER, constant

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMENT: Final = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PLAIN: Final = bytes(range(0x20, 0x7F)) + b"\t\r\n\f"
"""What a program consists of, names in other alphabets apart."""

_BEFORE: Final = r"(?<!\bif\()(?<!\bif \()"
_OPERAND: Final = r"(?= ?[^\W\d])"
_IN: Final = r"[^()\[\]{};@\"]*+"
_CALL: Final = re.compile(
    rf"\({_BEFORE}(?:({NUMBER})\){_OPERAND}"
    rf"|({NUMBER}(?:, ?{NUMBER})+)\){_OPERAND}"
    rf"|({_IN}(?:\({_IN}(?:\({_IN}\){_IN})*+\){_IN})*+)\)(?= ?[^\W\d]| ?;))"
)
"""What stands in brackets before an operand, as in `rz(0.5) q`, or before a semicolon, as in `gphase(0.5);`: one
number, several numbers, or anything with at most two more levels of brackets."""

_PHASE: Final = re.compile(r"\bgphase ?\Z")
_OLD: Final = re.compile(r"OPENQASM ?2")


class Skeleton:
    """A text whose angles are `?`, and those angles as float64 in the order of the text; `version` is 2 or 3."""

    def __init__(self, text: str, literals: list[float], version: int) -> None:
        self.text = text
        self.literals = literals
        self.version = version

    @cached_property
    def sha256(self) -> str:
        """Digest of the text in UTF-8: the skeleton's address."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def scan(source: str | bytes) -> Skeleton | None:
    """The skeleton of an OpenQASM 3 or 2 program, or None where only a parser can say what it is.

    Comments go, any white space becomes one space, and each argument of a gate call outside of gate definitions that
    is a constant expression becomes `?`. Programs that differ in nothing else have one skeleton. Linear in the text,
    about a microsecond a gate.

    It promises nothing about whether the text is a program; but of two texts with one skeleton which `parse_skeleton`
    accepts, both are programs, neither beyond a limit, and their only difference is in the literals.
    """
    text = _readable(source)
    if text is None:
        return None
    version = 2 if _is_old(text) else 3
    pieces: list[str] = []
    literals: list[float] = []
    for code, definition in _definitions(text):
        _lift(code, version, pieces, literals)
        pieces.append(definition)
    if not all(map(math.isfinite, literals)):
        return None
    return Skeleton("".join(pieces), literals, version)


def _readable(source: str | bytes) -> str | None:
    """The text in one line without comments, if it is within every limit and has no character that no program has."""
    try:
        raw = source.encode() if isinstance(source, str) else source
        text = source if isinstance(source, str) else source.decode()
    except UnicodeError:
        return None
    # A text cannot have more tokens than characters.
    if len(text) > limits.TOKENS or len(raw) > limits.PROGRAM_BYTES or b"\0" in raw:
        return None
    if "/" in text:
        text = _COMMENT.sub(" ", text)
    strange = raw.translate(None, _PLAIN)
    if strange and not (text.encode().translate(None, _PLAIN).decode() or "a").isalnum():
        return None
    return None if "?" in text else " ".join(text.split())


def _is_old(text: str) -> bool:
    return _OLD.match(text) is not None if text.startswith("OPENQASM") else "qreg" in text


def _definitions(text: str) -> Iterator[tuple[str, str]]:
    """The text in pairs: a stretch without gate definitions, and the definition behind it; the last one is empty."""
    done = opening = semicolon = 0
    at = text.find("gate ")
    while at >= 0:
        # Looked for again only where they were passed: the whole is linear.
        opening = text.find("{", at) if opening < at else opening
        semicolon = (text.find(";", at) + 1 or len(text) + 1) - 1 if semicolon < at else semicolon
        if opening < 0 or not (end := text.find("}", opening) + 1):
            break
        follows = at + len("gate ")
        if opening < semicolon and (not at or text[at - 1] in " ;}"):
            yield text[done:at], text[at:end]
            done = follows = end
        at = text.find("gate ", follows)
    yield text[done:], ""


def _lift(text: str, version: int, pieces: list[str], literals: list[float]) -> None:
    """Append what stays of the text to `pieces`, and what does not to `literals`."""
    parts = _CALL.split(text)
    numbers = parts[1::4]
    if None not in numbers:
        pieces.append("(?)".join(parts[::4]))
        literals += map(float, numbers)
        return
    pieces.append(parts[0])
    for number, several, other, after in zip(numbers, parts[2::4], parts[3::4], parts[4::4], strict=True):
        if number is not None:
            literals.append(float(number))
            pieces.append("(?)")
        elif several is not None:
            found = list(map(float, several.split(",")))
            literals += found
            pieces.append(f"({', '.join('?' * len(found))})")
        elif after[:2].strip(" ")[:1] == ";" and not _PHASE.search(pieces[-1]):
            pieces.append(f"({other})")  # `float a = sin(0.5);`
        else:
            pieces.append(f"({', '.join(_arguments(other, version, literals))})")
        pieces.append(after)


def _arguments(text: str, version: int, literals: list[float]) -> list[str]:
    """A call's arguments, `?` for each one that is a constant."""
    kept = []
    for argument in _split(text) if "(" in text else text.split(","):
        value = constant(argument, version)
        if value is None:
            kept.append(argument.strip(" "))
        else:
            kept.append("?")
            literals.append(value)
    return kept


def _split(text: str) -> list[str]:
    """`text` at the commas outside of brackets."""
    arguments, depth = [""], 0
    for part in re.split(r"([(),])", text):
        depth += (part == "(") - (part == ")")
        if part == "," and not depth:
            arguments.append("")
        else:
            arguments[-1] += part
    return arguments
