"""A service as a child process: its log lines prefixed, its readiness asked over HTTP, its end reported."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final

import msgspec

from quire_resilience.clock import Clock
from quire_service import Exit
from quire_service.hosting import SLACK_SECONDS, Ended, ServiceFailed

_POLL_SECONDS: Final = 0.05
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Process:
    """`python -m <module>` in a session of its own, from construction on. On Linux it ends with its parent.

    health_port: where the child was told to serve /readyz.
    graceful_seconds: a stop may take this long and a little more; then it is killed.
    """

    def __init__(
        self,
        name: str,
        module: str,
        *,
        environ: Mapping[str, str],
        health_port: int,
        graceful_seconds: float,
        clock: Clock,
        output: BinaryIO,
    ) -> None:
        self.name = name
        self._health_port = health_port
        self._graceful_seconds = graceful_seconds
        self._clock = clock
        self._output = output
        self._asked = False
        self._child: asyncio.subprocess.Process | None = None
        self._task = asyncio.create_task(self._live(module, dict(environ)), name=f"process {name}")

    @property
    def pid(self) -> int | None:
        """The process id, once it runs."""
        return self._child.pid if self._child else None

    async def started(self) -> None:
        """See `Guest.started`."""
        while await self.faults():
            if self._task.done():
                raise ServiceFailed(self.name, self._task.result())
            await self._clock.sleep(_POLL_SECONDS)

    async def faults(self) -> dict[str, str]:
        """See `Guest.faults`."""
        try:
            return await asyncio.wait_for(_ask_readyz(self._health_port), 5.0)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            return {"health": str(error) or type(error).__name__}

    def end(self, code: Exit, reason: str) -> None:
        """See `Guest.end`; the child is sent SIGTERM, and decides its code and reason itself."""
        del code, reason
        self._asked = True
        self._signal(signal.SIGTERM)

    async def ended(self) -> Ended:
        """See `Guest.ended`. Once it was asked to end, it is killed when it does not."""
        if self._asked:
            done, _ = await asyncio.wait({self._task}, timeout=self._graceful_seconds + SLACK_SECONDS)
            if not done:
                self._signal(signal.SIGKILL)
        await asyncio.wait({self._task})
        return self._task.result()

    async def _live(self, module: str, environ: dict[str, str]) -> Ended:
        self._child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid()),
        )
        if self._asked:
            self._signal(signal.SIGTERM)
        if self._child.stdout is not None:
            await self._pass_on(self._child.stdout)
        code = await self._child.wait()
        words = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return Ended(Exit(code) if code in set(Exit) else Exit.CRASH, words)

    async def _pass_on(self, stream: asyncio.StreamReader) -> None:
        prefix = f"{self.name:<16}| ".encode()
        while line := await _line(stream):
            self._output.write(prefix + line.rstrip(b"\n") + b"\n")
            self._output.flush()

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(number)


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line, or a piece of one that is too long to hold; empty at the end."""
    try:
        return await stream.readuntil()
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        return await stream.read(32 * 1024)


async def _ask_readyz(port: int) -> dict[str, str]:
    """The faults that `/readyz` lists. HTTP/1.0 with nothing kept open: a supervisor needs no HTTP client."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /readyz HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        answer = msgspec.json.decode(await reader.read(), type=_Readyz)
    finally:
        writer.close()
    return {} if answer.ready else answer.faults or {"health": "not ready"}


class _Readyz(msgspec.Struct, frozen=True):
    ready: bool
    faults: dict[str, str] = {}


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """For the moment between fork and exec on Linux: be told to stop when the supervisor is gone, however it went."""
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(Exit.CRASH)

    return before_exec
