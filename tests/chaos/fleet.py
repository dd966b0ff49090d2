"""Services as processes of their own, several of a kind, started again whenever they die; and ways to make them die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from endings import die_with_parent
from ports import free_port

PACKAGES = {
    "control-plane": "quire_control_plane",
    "preprocessing": "quire_preprocessing",
    "batching": "quire_batching",
    "quantum-gateway": "quire_quantum_gateway",
    "gpu-simulation": "quire_gpu_simulation",
    "aggregation": "quire_aggregation",
    "ledger": "quire_ledger",
    "api": "quire_api",
}
REPLICAS = {"control-plane": 2, "quantum-gateway": 2}
READY_SECONDS = 60.0


@dataclass
class Place:
    """Where a service's process lives, one after the other.

    `ended` has when each one's end was seen, its exit code, and whether the harness had wished it.
    """

    service: str
    number: int
    port: int
    log: IO[bytes]
    environ: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    born: float = 0.0
    failures: int = 0
    wished: bool = False
    again_at: float = 0.0
    ended: list[tuple[float, int, bool]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Which one it is."""
        return f"{self.service}-{self.number}"

    @property
    def pid(self) -> int:
        """The process id; 0 while there is none."""
        return self.process.pid if self.process is not None and self.process.poll() is None else 0


class Fleet:
    """Every service on a broker.

    url_of: the broker's address for a place's name, where they differ.
    environ: settings of the services.   replicas: how many of a kind, 1 where not named; 0 leaves it out.
    sources: more environment by place, such as another version's sources.
    launcher: the command that runs a package at a place, instead of `python -m <package>`.
    patience: seconds that all may take to be ready.
    """

    def __init__(
        self,
        folder: Path,
        url: str | Callable[[str], str],
        environ: Mapping[str, str],
        *,
        replicas: Mapping[str, int] = REPLICAS,
        sources: Callable[[str], Mapping[str, str]] | None = None,
        launcher: Callable[[str, str], list[str]] | None = None,
        patience: float = READY_SECONDS,
    ) -> None:
        self.folder = folder / "services"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.http_port = free_port()
        self.patience = patience
        self._launcher = launcher or (lambda _, package: [sys.executable, "-m", package])
        self.places: list[Place] = []
        self._keeping: asyncio.Task[None] | None = None
        for service in PACKAGES:
            for number in range(replicas.get(service, 1)):
                name = f"{service}-{number}"
                where = url if isinstance(url, str) else url(name)
                port, log = free_port(), (self.folder / f"{name}.log").open("ab")
                own = self._environ(service, port, where) | (sources(name) if sources else {})
                self.places.append(Place(service, number, port, log, {**os.environ, **environ, **own}))

    @property
    def http(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.http_port}"

    async def __aenter__(self) -> Self:
        """Start everything; ready when all say so."""
        for place in self.places:
            self._start(place)
        await self.ready()
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End everything in order, and insist after a while."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        for place in self.places:
            if place.pid:
                os.kill(place.pid, signal.SIGCONT)
                os.kill(place.pid, signal.SIGTERM)
        await asyncio.gather(*(asyncio.to_thread(self._bury, place) for place in self.places))

    async def ready(self) -> None:
        """Wait until every place's process says that it is ready.

        Raises:
            RuntimeError: one is not in time; with its last words.
        """
        until = time.monotonic() + self.patience
        for place in self.places:
            while not await is_ready(place.port):
                if time.monotonic() > until:
                    words = (self.folder / f"{place.name}.log").read_text(errors="replace")[-1500:]
                    raise RuntimeError(f"{place.name} is not ready; it said last:\n{words}")
                await asyncio.sleep(0.05)

    def kill(self, place: Place, number: signal.Signals = signal.SIGKILL) -> bool:
        """Send a place's process a signal that ends it; whether there was one."""
        pid = place.pid
        if not pid:
            return False
        place.wished = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return True

    def some(self, order: random.Random, services: tuple[str, ...] = ()) -> Place | None:
        """A living process at random, of one of the services named or of any."""
        alive = [each for each in self.places if each.pid and (not services or each.service in services)]
        return order.choice(alive) if alive else None

    def of(self, service: str) -> list[Place]:
        """The places of a service."""
        return [each for each in self.places if each.service == service]

    def unwished(self) -> list[tuple[str, int]]:
        """Processes that ended without being told to: place and exit code."""
        return [(place.name, code) for place in self.places for _, code, wished in place.ended if not wished]

    def _environ(self, service: str, port: int, url: str) -> dict[str, str]:
        prefix = f"QUIRE_{service.upper().replace('-', '_')}_"
        found = {
            "QUIRE_NATS_URL": url,
            f"{prefix}HEALTH_PORT": str(port),
            "QUIRE_LOG_LEVEL": "warning",
            "QUIRE_GRACEFUL_SECONDS": "5",
            "OTEL_SDK_DISABLED": "true",
        }
        if service == "api":
            found |= {"QUIRE_API_HOST": "127.0.0.1", "QUIRE_API_PORT": str(self.http_port)}
        if service == "ledger":
            found["QUIRE_LEDGER_DATABASE_URL"] = f"sqlite:///{self.folder / 'ledger.sqlite'}"
        return found

    def _start(self, place: Place) -> None:
        place.wished, place.born = False, time.monotonic()
        place.process = subprocess.Popen(
            self._launcher(place.name, PACKAGES[place.service]),
            env=dict(place.environ),
            stdin=subprocess.DEVNULL,
            stdout=place.log,
            stderr=place.log,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls the kernel and nothing else
        )

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            now = time.monotonic()
            for place in self.places:
                code = place.process.poll() if place.process is not None else 0
                if code is None:
                    continue
                if place.process is not None:
                    place.process = None
                    place.ended.append((now, code, place.wished))
                    fails = not place.wished and now - place.born < 5
                    place.failures = place.failures + 1 if fails else 0
                    place.again_at = now + (min(5.0, 0.2 * 2**place.failures) if fails else 0.0)
                if now >= place.again_at:
                    self._start(place)

    def _bury(self, place: Place) -> None:
        if place.process is not None:
            try:
                place.process.wait(10)
            except subprocess.TimeoutExpired:
                place.process.kill()
                place.process.wait()
        place.log.close()


async def is_ready(port: int) -> bool:
    """Whether a health port's /readyz says 200."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 2)
    except (OSError, TimeoutError):
        return False
    try:
        writer.write(b"GET /readyz HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n")
        line = await asyncio.wait_for(reader.readline(), 5)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
    return b" 200 " in line
