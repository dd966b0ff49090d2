"""A pool of bounded child processes that parse programs, so that no program can harm the process that was given it."""

from __future__ import annotations

import os
import queue
import select
import signal
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, Self

import msgspec

from quire_quantum import limits
from quire_quantum.angle_program import AngleProgram
from quire_quantum.lift import Program
from quire_quantum.parse import Parsed
from quire_quantum.prescan import prescan
from quire_quantum.rejection import ProgramRejected
from quire_quantum.skeleton import scan
from quire_quantum.structure import Structure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_HEAD: Final = struct.Struct(">I")
_COMMAND: Final = (sys.executable, "-I", "-m", "quire_quantum.parser_child")
_ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
}


class SandboxError(RuntimeError):
    """The sandbox itself does not work; nothing is known about the program. Transient."""


class Sandbox:
    """Parses programs in long-lived children with bounded memory, CPU and wall time.

    Thread-safe; `parse` blocks, so call it by `asyncio.to_thread`. At most `children` programs are parsed at a time,
    more wait. One child is started at once and again after each one lost, so that a program finds a warm one; the
    others are started when programs come faster than it answers.
    """

    def __init__(
        self,
        children: int = 1,
        *,
        wall_seconds: float = limits.CHILD_WALL_SECONDS,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        """Start the first child without waiting for it. `command` speaks `parser_child`'s protocol."""
        self._wall_seconds = wall_seconds
        self._children = [_Child(command) for _ in range(children)]
        self._free: queue.LifoQueue[_Child] = queue.LifoQueue()  # so that a warm child is taken before a cold one
        for child in reversed(self._children):
            self._free.put(child)
        self._children[0].start()

    def __enter__(self) -> Self:
        """The sandbox itself; leaving the block ends its children."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the children."""
        self.close()

    def close(self) -> None:
        """End the children; `parse` must not be called any more."""
        for child in self._children:
            child.stop()

    def parse(self, source: str | bytes) -> Program:
        """Pre-scan a program here and parse it in a child; deterministic.

        Raises:
            ProgramRejected: whatever is wrong with the program; `program-too-costly` if it used up the child's time or
                memory, `parser-crashed` if it brought the child down. The next program finds a new child.
            SandboxError: no child could be started.
        """
        parsed = self.take_apart(source)
        return parsed.bound(scan(source)) if parsed.is_skeleton else parsed.program

    def take_apart(self, source: str | bytes) -> Parsed:
        """As `parse`, with the numbers of the text's skeleton left open if its other texts can be told by it."""
        prescan(source)
        body = source.encode() if isinstance(source, str) else source
        child = self._free.get()
        try:
            reply = self._ask(child, body)
        finally:
            self._free.put(child)
        return _read_reply(reply)

    def _ask(self, child: _Child, body: bytes) -> bytes:
        """The child's answer; a child killed from outside (memory pressure, an operator) gets the program once more."""
        try:
            return child.ask(body, self._wall_seconds)
        except _KilledFromOutsideError:
            try:
                return child.ask(body, self._wall_seconds)
            except _KilledFromOutsideError:
                raise _too_costly() from None


class _KilledFromOutsideError(Exception):
    """The child received a SIGKILL that is not ours."""


class _Child:
    """One child process; started again whenever it is found dead."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False

    def ask(self, body: bytes, wall_seconds: float) -> bytes:
        if self._process is None or self._process.poll() is not None:
            self.start()
        if not self._ready:
            self._await_ready()
        deadline = time.monotonic() + wall_seconds
        try:
            self._write(_HEAD.pack(len(body)) + body, deadline)
            reply = self._read_frame(deadline)
        except (EOFError, BrokenPipeError):
            code = self._end()
            if code == -signal.SIGKILL:
                raise _KilledFromOutsideError from None
            if code in (-signal.SIGXCPU, -signal.SIGALRM):
                raise _too_costly() from None
            raise ProgramRejected(
                "parser-crashed",
                "the program brought the parser down",
                hint="simplify the program; the crash has harmed nothing else",
            ) from None
        except TimeoutError:
            self.start()
            raise _too_costly() from None
        return reply

    def stop(self) -> None:
        self._ready = False
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def start(self) -> None:
        """Start it, anew if it runs, without waiting for it."""
        self.stop()
        try:
            self._process = subprocess.Popen(  # noqa: S603  (our own module, by the path of this interpreter)
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError("the parser's process cannot be started") from error
        os.set_blocking(self._stdin, False)

    def _await_ready(self) -> None:
        try:
            self._read_frame(time.monotonic() + limits.CHILD_START_SECONDS)
        except (EOFError, TimeoutError) as error:
            self.stop()
            raise SandboxError("the parser's process does not come up") from error
        self._ready = True

    def _end(self) -> int | None:
        """Make sure that the child is dead, start the next one, and say how this one ended."""
        process = self._process
        code: int | None = None
        if process is not None:
            try:
                code = process.wait(timeout=1.0 if process.poll() is None else None)
            except subprocess.TimeoutExpired:
                code = None
        self.start()
        return code

    @property
    def _stdin(self) -> int:
        return self._stream("stdin")

    @property
    def _stdout(self) -> int:
        return self._stream("stdout")

    def _stream(self, name: str) -> int:
        stream = getattr(self._process, name, None)
        if stream is None:
            raise EOFError
        return int(stream.fileno())

    def _write(self, frame: bytes, deadline: float) -> None:
        rest = memoryview(frame)
        while rest:
            _wait(self._stdin, select.POLLOUT, deadline)
            rest = rest[os.write(self._stdin, rest) :]

    def _read_frame(self, deadline: float) -> bytes:
        (size,) = _HEAD.unpack(self._read(_HEAD.size, deadline))
        if size > limits.REPLY_BYTES:
            raise EOFError
        return self._read(size, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            _wait(self._stdout, select.POLLIN, deadline)
            part = os.read(self._stdout, min(size - len(parts), 1 << 20))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poller = select.poll()
    poller.register(descriptor, event)
    left = deadline - time.monotonic()
    if left <= 0 or not poller.poll(left * 1000):
        raise TimeoutError


def _too_costly() -> ProgramRejected:
    return ProgramRejected(
        "program-too-costly",
        "parsing the program takes more time or memory than a program may use",
        limit=f"{limits.CHILD_CPU_SECONDS} s of CPU time",
        hint="split the circuit, or shorten its loops and gate definitions",
    )


def _read_reply(reply: bytes) -> Parsed:
    """The child's answer as a value; the structure's text is checked again, since it comes from outside."""
    kind, *parts = msgspec.msgpack.decode(reply)
    if kind == "ok":
        text, plain, is_skeleton = parts
        return Parsed(Program(Structure.from_text(text), AngleProgram.from_plain(plain)), is_skeleton)
    code, reason, limit, hint, line = parts
    raise ProgramRejected(code, reason, limit=limit, hint=hint, line=line)
