"""The embedded broker: one owner for its data, started again on the same port and store when it dies."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, Self

from structlog.typing import FilteringBoundLogger

from quire_all_in_one.staging import Staging
from quire_bus.connection import BusSettings, connect
from quire_bus.provision import provision
from quire_bus.server import NatsServer, ServerFailed
from quire_resilience.clock import Clock

try:
    import fcntl
except ImportError:  # where there is no flock, as on Windows, two houses on one folder are not told apart
    fcntl = None  # type: ignore[assignment]

_POLL_SECONDS: Final = 0.1
_ORPHAN_SECONDS: Final = 10.0


class HouseTaken(RuntimeError):
    """Another house uses this data folder or this port."""


class Broker:
    """A broker in `data_dir`, which this process alone may use meanwhile.

    port: -1 takes any free one.
    environ: the broker's whole environment; None for that of this process.

    Raises:
        HouseTaken: on entering, if another house lives in the folder.
        ServerFailed: on entering, if the broker does not come up, as when its port is taken.
    """

    def __init__(self, data_dir: Path, port: int, environ: Mapping[str, str] | None = None) -> None:
        self._data_dir = data_dir
        self._server = NatsServer(data_dir / "nats", max(0, port), environ=environ)
        self._staging = Staging(data_dir / "nats" / "jetstream")
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._server.url

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs."""
        return self._server.pid

    def __enter__(self) -> Self:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self._data_dir / "house.lock")
        _end_orphan(self._pid_file)
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._staging.clear()
        self._pid_file.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()

    async def keep(self, *, clock: Clock, log: FilteringBoundLogger) -> None:
        """Start the broker again whenever it has died; for ever."""
        while True:
            await clock.sleep(_POLL_SECONDS)
            if self._server.is_running:
                self._staging.ensure()
                continue
            log.warning("the broker died and is started again")
            try:
                await asyncio.to_thread(self._start)
            except ServerFailed as error:
                log.error("the broker does not start", reason=str(error))  # noqa: TRY400 - the reason is whole
                await clock.sleep(1.0)

    async def provision(self) -> None:
        """Make on it what the topology names.

        Raises:
            ProvisionError: the store holds something that differs and cannot change.
        """
        connection = await connect(BusSettings(url=self.url, name="provision"))
        try:
            await provision(connection)
        finally:
            await connection.close()
        self._staging.ensure()

    @property
    def _pid_file(self) -> Path:
        return self._data_dir / "broker.pid"

    def _start(self) -> None:
        self._server.start()
        self._staging.ensure()
        self._pid_file.write_text(f"{self._server.pid}\n", encoding="ascii")


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a listener could take the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _locked(path: Path) -> IO[str]:
    """The open lock file; its owner's death unlocks it, however it died."""
    file = path.open("w", encoding="ascii")
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise HouseTaken(f"another Quire uses {path.parent}; give this one its own --data-dir") from None
    return file


def _end_orphan(pid_file: Path) -> None:
    """End a broker whose house was killed: two brokers on one store would destroy it."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    if str(pid_file.parent).encode() not in command:
        return
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        select.select([process], [], [], _ORPHAN_SECONDS)
    finally:
        os.close(process)
