"""A skeleton's program as bytes, so that the whole fleet parses it once."""

from __future__ import annotations

from typing import Final

import msgspec

from quire_quantum.angle_program import AngleProgram
from quire_quantum.lift import Program
from quire_quantum.structure import Structure

EDITION: Final = 1
"""Raised with every change by which a text gets another program, so that no release takes an older one's for its own.
The tests hold a program's bytes to it."""


def encode_program(program: Program) -> bytes:
    """The program's only bytes; literals are not among them."""
    return msgspec.msgpack.encode([program.structure.to_text(), program.angles.to_plain()])


def decode_program(data: bytes) -> Program:
    """Read what `encode_program` of this edition gave.

    Raises:
        ValueError: for anything else; the message quotes nothing.
    """
    try:
        text, plain = msgspec.msgpack.decode(data)
        return Program(Structure.from_text(text), AngleProgram.from_plain(plain))
    except (msgspec.MsgspecError, TypeError, ValueError, AttributeError):
        raise ValueError("these bytes are no stored program") from None
