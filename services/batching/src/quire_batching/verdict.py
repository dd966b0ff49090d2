"""Whose fault a failed batch is: its target's, or the work's, which says nothing about the target."""

from __future__ import annotations

from typing import Final

import msgspec

from quire_contracts.value import FaultKind

OF_THE_WORK: Final[frozenset[FaultKind]] = frozenset({"invalid", "spend"})
"""Whoever asks for what no backend can do, or may not pay for it, must not make a backend look ill to others."""


class _Fault(msgspec.Struct):
    kind: FaultKind


class _Failed(msgspec.Struct):
    """The part of a BatchFailed that counts here; the rest may be large."""

    fault: _Fault


_decoder: Final = msgspec.json.Decoder(_Failed)


def blames_the_work(body: bytes) -> bool:
    """Whether a BatchFailed, as it is on the wire, has a fault of the work; False where it cannot be read."""
    try:
        return _decoder.decode(body).fault.kind in OF_THE_WORK
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
