"""An emulator as a child process, for tests and harnesses that kill it: start, kill, start again, steer, read."""

from __future__ import annotations

import http.client
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

import msgspec

from quire_emulator.ledger import Report, check, read
from quire_emulator.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from quire_emulator.entries import Entry

_PATIENCE = 30.0
_CONFIG = "cloud.toml"


class EmulatorProcess:
    """A cloud that lives as long as the block, or until it is killed.

    folder: its data; a second life there goes on with the first one's ledger, on the same port.
    config: a TOML file as the command takes it, or the text of one, which is kept with the data. script: such a file.
    port: 0 takes any that is free.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config: Path | str | None = None,
        script: Path | None = None,
        seed: int = 0,
        port: int = 0,
    ) -> None:
        self.folder = folder
        self._port = port
        self._config = config
        self._arguments = ["--data-dir", str(folder), "--seed", str(seed), "--with-parent"]
        self._arguments += ["--script", str(script)] if script else []
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The child's process id; 0 when there is none."""
        return self._child.pid if self._child else 0

    def start(self) -> None:
        """Start it and return once it answers.

        Raises:
            RuntimeError: it ended instead.
        """
        command = [sys.executable, "-m", "quire_emulator", "--port", str(self._port), *self._arguments]
        command += ["--config", str(self._file_of(self._config))] if self._config else []
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own
        line = self._child.stdout.readline() if self._child.stdout else b""
        if not line:
            raise RuntimeError(f"the emulator did not come up (exit code {self._child.wait(_PATIENCE)})")
        self._port = int(msgspec.json.decode(line)["url"].rpartition(":")[2])

    def _file_of(self, config: Path | str) -> Path:
        if isinstance(config, str):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / _CONFIG).write_text(config, "utf-8")
            return self.folder / _CONFIG
        return config

    def kill(self) -> None:
        """Kill it as a crash would (SIGKILL)."""
        self._end(insist=True)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(insist=False)

    def _end(self, *, insist: bool) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill() if insist else child.terminate()
        child.wait(_PATIENCE)
        for pipe in (child.stdin, child.stdout):
            if pipe:
                pipe.close()

    def arm(self, *rules: Rule) -> list[str]:
        """Let faults happen; their ids."""
        armed = self.control("POST", "faults", rules)
        return [rule["id"] for rule in armed]

    def disarm(self) -> None:
        """No more faults."""
        self.control("DELETE", "faults")

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call below `/control`; its JSON.

        Raises:
            RuntimeError: it was refused.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)
        try:
            connection.request(method, f"/control/{path}", msgspec.json.encode(body) if body is not None else None)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:  # noqa: PLR2004 - HTTP's classes
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return msgspec.json.decode(text) if text else None

    def entries(self) -> list[Entry]:
        """Its ledger, read from the disk; also after its death."""
        return list(read(self.folder))

    def report(self, expected: Iterable[str] | None = None, **choices: Any) -> Report:
        """What its ledger proves; arguments as `ledger.check` has them."""
        return check(read(self.folder), expected, **choices)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
