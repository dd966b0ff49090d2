"""A whole Quire as a child process: for `quire up`, `quire demo` and `quire run --local`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final, Self

import msgspec

from quire.console import say
from quire.errors import CannotConnectError
from quire_contracts.value import Value

_PROGRAM: Final = "quire_all_in_one"
_STOP_SECONDS: Final = 30.0


class Ready(Value, frozen=True):
    """The line that the child writes to stdout once every service is ready."""

    http: str
    nats: str
    pid: int = 0


class Embedded:
    """A Quire that lives as long as the block, or until it is stopped; it also ends when this process does.

    data_dir: where its log is kept; None makes a folder that is removed at the end, unless `keep_data` was called.
    traces: a file that gets the traces at the end, unless the environment says where spans go (OTEL_EXPORTER_*).
    nats_port, http_port: -1 takes any free port. Once inside, `http` and `nats` are its addresses.

    Raises:
        CannotConnectError: on entering, if it is not installed or did not come up; the message holds its last words.
    """

    http: str
    nats: str

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        nats_port: int = -1,
        http_port: int = -1,
        processes: bool = False,
        verbose: bool = False,
        traces: Path | None = None,
    ) -> None:
        self._temporary = data_dir is None
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix="quire-"))
        ports = ["--nats-port", str(nats_port), "--http-port", str(http_port)]
        flags = ["--with-parent", *(["--processes"] if processes else []), *(["--verbose"] if verbose else [])]
        flags += ["--traces", str(traces)] if traces else []
        self._command = [sys.executable, "-m", _PROGRAM, "--data-dir", str(self.data_dir), *ports, *flags]
        self._verbose = verbose
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The child's process id, 0 when there is none."""
        return self._child.pid if self._child else 0

    @property
    def log(self) -> Path:
        """Where the child's warnings go while it is not verbose."""
        return self.data_dir / "quire.log"

    def __enter__(self) -> Self:
        if find_spec(_PROGRAM) is None:
            self._tidy()
            step = "install it with:  pip install 'quire[local]'"
            raise CannotConnectError("this installation holds the client only", next_step=step)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        child, self._child = self._child, None
        if child is not None:
            _end(child)
        self._tidy()

    def keep_data(self) -> None:
        """Leave the data where it is when the block ends."""
        self._temporary = False

    def wait(self) -> int:
        """Until the child ends; its exit code."""
        return self._child.wait() if self._child else 0

    def _start(self) -> None:
        log: IO[bytes] | None = None if self._verbose else self.log.open("ab")
        try:
            # Its own session: an interrupt at the terminal reaches this process alone, which ends the child in order.
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        finally:
            if log is not None:
                log.close()
        line = self._child.stdout.readline() if self._child.stdout else b""
        try:
            ready = msgspec.json.decode(line, type=Ready)
        except msgspec.DecodeError:
            code = self._child.wait(_STOP_SECONDS)
            raise CannotConnectError(f"Quire did not come up (exit code {code}){self._last_words()}") from None
        self.http, self.nats = ready.http, ready.nats

    def _last_words(self) -> str:
        if self._verbose or not self.log.exists():
            return ""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
        return "; it said last:\n" + "\n".join(f"  {line[:400]}" for line in lines) if lines else ""

    def _tidy(self) -> None:
        if self._temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask the child to stop, wait, and insist; a second interrupt does not wait."""
    child.terminate()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        say("quire: the services did not stop in time")
        child.kill()
        child.wait()
    except KeyboardInterrupt:
        child.kill()
        child.wait()
    finally:
        for pipe in (child.stdin, child.stdout):
            if pipe:
                pipe.close()
