"""Brokers that a scenario kills, freezes and cuts off: one alone, or three nodes that share what they keep."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import nats
from endings import die_with_parent
from links import Link
from ports import free_port

from quire_bus.connection import BusSettings, connect
from quire_bus.provision import provision
from quire_bus.server import NatsServer, binary
from quire_contracts.topology import STREAM

READY_SECONDS = 30.0


async def _quiet(_: Exception) -> None:
    """Nothing is said of a node that is down: it is meant to be."""


async def provisioned(url: str, replicas: int = 1) -> None:
    """Make the topology on a broker."""
    connection = await connect(BusSettings(url=url, name="provision", timeout_seconds=10.0))
    try:
        await provision(connection, replicas=replicas)
    finally:
        await connection.close()


class Alone:
    """One broker with its log in files; `kill` it as often as you like, it is started again on the same port.

    config: more lines for its configuration.
    """

    def __init__(self, folder: Path, config: str = "") -> None:
        self._server = NatsServer(folder / "nats", free_port(), config=config)
        self.kills = 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._server.url

    @property
    def pid(self) -> int:
        """Its process id; 0 while it is down."""
        return self._server.pid or 0

    async def start(self) -> None:
        """Start it and make the topology."""
        await asyncio.to_thread(self._server.start)
        await provisioned(self.url)

    async def kill(self, down_seconds: float = 0.1) -> None:
        """Kill it with -9 and start it again on its data."""
        self.kills += 1
        await asyncio.to_thread(self._server.kill)
        await asyncio.sleep(down_seconds)
        await asyncio.to_thread(self._server.start)

    async def again(self, config: str) -> None:
        """Stop it in order and start it with other lines in its configuration."""
        await asyncio.to_thread(self._server.stop)
        self._server.config = config
        await asyncio.to_thread(self._server.start)

    def stop(self) -> None:
        """End it."""
        self._server.stop()


class Node:
    """One of several nodes, which reaches the others by links that can be cut."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.folder = name, folder / name
        self.port, self.cluster_port = free_port(), free_port()
        self.routes: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 while it is down."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def start(self) -> None:
        """Start it; it is ready when its port answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        store = json.dumps(str(self.folder / "jetstream"))
        # `no_advertise`: nodes must know each other by the links alone, or they would find a way around a cut.
        text = f"""
            server_name: {self.name}
            listen: 127.0.0.1:{self.port}
            ping_interval: "2s"
            jetstream {{ store_dir: {store}, sync_interval: always }}
            cluster {{
              name: chaos, listen: 127.0.0.1:{self.cluster_port}, no_advertise: true
              routes: {json.dumps(self.routes)}
            }}
        """
        path = self.folder / "node.conf"
        path.write_text(text, encoding="utf-8")
        command = [str(binary()), "-c", str(path), "-l", str(self.folder / "node.log")]
        self._process = subprocess.Popen(
            command,
            start_new_session=True,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls the kernel and nothing else
        )

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; SIGKILL waits for its end."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def stop(self) -> None:
        """End it."""
        if self.pid:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)


class Cluster:
    """Three nodes that write each message to the disk before they acknowledge it; clients come by links too."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Node(folder, f"node-{number}") for number in range(3)]
        self.routes: dict[tuple[int, int], Link] = {}
        self.doors: list[Link] = []
        self.kills = 0

    @property
    def url(self) -> str:
        """Where clients connect: any of the nodes, each by its own link."""
        return ",".join(f"nats://127.0.0.1:{door.port}" for door in self.doors)

    async def start(self) -> None:
        """Start links and nodes, wait for the first election, and make the topology with three copies."""
        for first in range(3):
            self.doors.append(await Link.to(self.nodes[first].port))
            for second in {0, 1, 2} - {first}:
                link = await Link.to(self.nodes[second].cluster_port)
                self.routes[first, second] = link
                self.nodes[first].routes.append(f"nats://127.0.0.1:{link.port}")
        for node in self.nodes:
            node.start()
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                await provisioned(self.url, replicas=3)
            except Exception:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.5)
            else:
                return

    async def leader(self, stream: str = STREAM.name, *, among: set[int] | None = None) -> int | None:
        """The number of the node that leads a stream, as the first node says that answers; None if nobody knows."""
        for number in among or range(3):
            if self.nodes[number].pid:
                with contextlib.suppress(Exception):
                    url = f"nats://127.0.0.1:{self.nodes[number].port}"
                    client = await nats.connect(url, allow_reconnect=False, connect_timeout=1, error_cb=_quiet)
                    try:
                        info = await client.jetstream(timeout=2).stream_info(stream)
                    finally:
                        await client.close()
                    names = [node.name for node in self.nodes]
                    if info.cluster and info.cluster.leader in names:
                        return names.index(info.cluster.leader)
        return None

    async def wait_leader(
        self, *, but: int | None = None, until: asyncio.Future[None] | None = None, seconds: float = 60.0
    ) -> int:
        """The leader's number as soon as there is one: one that is not `but`, or that is it again after `until`.

        A leader answers for itself, so the one that answers is alive; who was killed may be elected again.
        """
        end = time.monotonic() + seconds
        others = {0, 1, 2} - ({but} if but is not None else set())
        while time.monotonic() < end:
            found = await self.leader(among=others)
            if found is not None and (found != but or (until is not None and until.done())):
                return found
            await asyncio.sleep(0.2)
        raise TimeoutError("no leader")

    async def kill(self, number: int, down_seconds: float) -> None:
        """Kill a node with -9 and start it again after a while."""
        self.kills += 1
        await asyncio.to_thread(self.nodes[number].signal, signal.SIGKILL)
        await asyncio.sleep(down_seconds)
        self.nodes[number].start()

    async def cut_off(self, number: int, seconds: float, *, clients: bool) -> None:
        """Let a node reach no other node, nor any client if `clients`, for a while; nobody is told."""
        links = [link for pair, link in self.routes.items() if number in pair]
        links += [self.doors[number]] if clients else []
        for link in links:
            link.freeze()
        await asyncio.sleep(seconds)
        for link in links:
            link.thaw()

    async def pause(self, number: int, seconds: float) -> None:
        """Stop a node's process where it stands (SIGSTOP), and let it go on after a while."""
        os.kill(self.nodes[number].pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(self.nodes[number].pid, signal.SIGCONT)

    async def synced(self, seconds: float = 60.0) -> bool:
        """Wait until every copy of the log is current again; whether they are in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(Exception):
                client = await nats.connect(
                    self.url.split(","), connect_timeout=2, max_reconnect_attempts=2, error_cb=_quiet
                )
                try:
                    info = await client.jetstream(timeout=2).stream_info(STREAM.name)
                finally:
                    await client.close()
                copies = info.cluster.replicas or [] if info.cluster else []
                if info.cluster and info.cluster.leader and len(copies) == 2 and all(each.current for each in copies):
                    return True
            await asyncio.sleep(0.5)
        return False

    async def stop(self) -> None:
        """End everything."""
        for node in self.nodes:
            await asyncio.to_thread(node.stop)
        for link in (*self.routes.values(), *self.doors):
            await link.close()
