"""A program's text to its structure and angle program; to be run in the bounded child of `sandbox`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from quire_quantum import limits
from quire_quantum.elements import TOO_MANY
from quire_quantum.evaluate import CONSTANTS
from quire_quantum.grammar import parse_source
from quire_quantum.lexer import tokenize
from quire_quantum.lift import Program, lift
from quire_quantum.prescan import check_tokens, prescan
from quire_quantum.rejection import ProgramRejected
from quire_quantum.skeleton import scan
from quire_quantum.structure import StructureError
from quire_quantum.unroll import unroll

if TYPE_CHECKING:
    from quire_quantum.lexer import Token
    from quire_quantum.skeleton import Skeleton

_SPARE_NESTING: Final = 4
"""Brackets that the scan takes away inside of an angle, and one more."""


class Parsed(NamedTuple):
    """What was read: the program of the text's skeleton with the numbers of `?` open, or else of the text itself."""

    program: Program
    is_skeleton: bool

    def bound(self, skeleton: Skeleton | None) -> Program:
        """The text's own program; `skeleton` is what `scan` says of it. Raises as `Program.bound` does."""
        return self.program.bound(skeleton.literals) if skeleton is not None and self.is_skeleton else self.program


def parse_program(source: str | bytes) -> Program:
    """Parse OpenQASM 3 or 2.

    Loops are unrolled, gates expanded to the canonical set, angles lifted as `lift.lift` says. Deterministic: a text
    has one program, whether its skeleton was known before or not. A parameter set's numbers stand in the order in which
    the program declares its inputs.

    Raises:
        ProgramRejected: whatever is wrong with the program.
    """
    tokens = prescan(source)
    skeleton = scan(source)
    return _parse(tokens, skeleton).bound(skeleton)


def parse(source: str | bytes) -> Parsed:
    """The program that every text with this text's skeleton has, or the text's own; raises as `parse_program` does."""
    tokens = prescan(source)
    return _parse(tokens, scan(source))


def _parse(tokens: list[Token], skeleton: Skeleton | None) -> Parsed:
    if skeleton is not None and not skeleton.literals:  # the text is its own skeleton, and has lines
        program = _program(tokens)
        same = [token.text for token in tokenize(skeleton.text)] == [token.text for token in tokens]
        return Parsed(program, is_skeleton=same)
    if skeleton is not None:
        try:
            program = parse_skeleton(skeleton)
            program.bound(skeleton.literals)
        except ProgramRejected as refused:
            # Whatever is wrong is said of the text itself, with its lines and numbers; of its size there is no more to
            # say, and finding it out again takes a second.
            if refused.code == TOO_MANY:
                raise
        else:
            return Parsed(program, is_skeleton=True)
    return Parsed(_program(tokens), is_skeleton=False)


def parse_text(source: str | bytes) -> Program:
    """The program of the text as it stands, its numbers worked out in it; raises as `parse_program` does.

    It is what a skeleton's program is measured by: both are the same operations with the same angles, up to rounding.
    """
    return _program(prescan(source))


def parse_skeleton(skeleton: Skeleton) -> Program:
    """The program that every text with this skeleton has, its numbers open.

    With its numbers given it means what the text means that has them, up to rounding and overflow on the way to an
    angle: each `?` is the whole angle of a gate, no constant that the scan has worked out is declared anew, and no
    number decides anything.

    Raises:
        ProgramRejected: where that is not certain, or the program is none.
    """
    try:
        tokens = tokenize(skeleton.text, marks=True)
        check_tokens(tokens, limits.NESTING - _SPARE_NESTING)
        if any(name.text in CONSTANTS and _declares(before) for before, name in pairwise(tokens)):
            raise ProgramRejected("constant-declared", "a constant is declared anew")
        return _program(tokens, skeleton.version)
    except RecursionError:
        raise ProgramRejected("nesting", "the program is nested too deeply") from None


def _declares(before: Token) -> bool:
    """Whether a name behind this token may be a declaration's, as in `float pi` or `qubit[2] pi`."""
    return before.kind == "name" or before.text == "]"


def _program(tokens: list[Token], version: int | None = None) -> Program:
    try:
        source = parse_source(tokens)
        if version not in (None, source.version):
            raise ProgramRejected("version", "the version is not what it looks like")
        unrolled = unroll(source)
        return lift(unrolled.steps, num_qubits=unrolled.num_qubits, num_bits=unrolled.num_bits, inputs=unrolled.inputs)
    except RecursionError:
        raise ProgramRejected("nesting", "the program is nested too deeply") from None
    except StructureError as error:
        raise ProgramRejected("structure", str(error)) from None
