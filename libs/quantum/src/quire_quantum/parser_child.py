"""The child process that parses: `python -m quire_quantum.parser_child`, bounded by itself before it reads anything.

Frames on standard input and output are a 4-byte big-endian length and a msgpack body. It writes one empty frame when
it is ready, then for each source one reply: ["ok", structure text, angle program, whether they are the skeleton's] or
["rejected", code, reason, limit, hint, line]. It ends at the end of its input.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
from typing import Final

import msgspec

from quire_quantum import limits
from quire_quantum.parse import parse
from quire_quantum.rejection import ProgramRejected

_HEAD: Final = struct.Struct(">I")
_RECURSION: Final = 5_000
"""Python frames for brackets and definitions nested as deep as the limits allow."""


def main() -> None:
    """Serve until the input ends."""
    source, sink = sys.stdin.buffer, os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not corrupt the frames
    _bound()
    _write(sink, b"")
    while head := source.read(_HEAD.size):
        program = source.read(_HEAD.unpack(head)[0])
        _bound_cpu()
        _write(sink, msgspec.msgpack.encode(_answer(program)))


def _answer(program: bytes) -> list[object]:
    try:
        (structure, angles), is_skeleton = parse(program)
        return ["ok", structure.to_text(), angles.to_plain(), is_skeleton]
    except ProgramRejected as error:
        return ["rejected", error.code, error.reason, error.limit, error.hint, error.line]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001  (Rust panics are BaseException; none of their text may leave this process)
        return ["rejected", "parser-failed", "the program cannot be parsed", None, None, None]


def _bound() -> None:
    """Limits for the whole life: memory, no core dumps, no files written."""
    if sys.platform != "darwin":  # macOS knows this limit but refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (limits.CHILD_MEMORY_BYTES, limits.CHILD_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.setrecursionlimit(_RECURSION)


def _bound_cpu() -> None:
    """A fresh allowance for each program: the limit counts the process's whole CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + limits.CHILD_CPU_SECONDS
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def _write(sink: int, body: bytes) -> None:
    frame = memoryview(_HEAD.pack(len(body)) + body)
    while frame:
        frame = frame[os.write(sink, frame) :]


if __name__ == "__main__":
    main()
