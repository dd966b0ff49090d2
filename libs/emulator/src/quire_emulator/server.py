"""The emulator as a process: the doors on one port, the ledger below them, and the runs beside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from quire_emulator.braket_api import BraketApi
from quire_emulator.cloud import Cloud
from quire_emulator.control_api import ControlApi
from quire_emulator.http import Answer, Request, read, write
from quire_emulator.iam_api import IamApi
from quire_emulator.jobs_api import JobsApi
from quire_emulator.ledger import FILE
from quire_emulator.ledger import read as read_ledger
from quire_emulator.refusals import Silence
from quire_emulator.runs import Runs
from quire_emulator.s3_api import S3Api
from quire_emulator.writing import LedgerWriter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from quire_emulator.configuration import Configuration
    from quire_emulator.http import Message, Receive, Send
    from quire_resilience.clock import Clock


class Emulator:
    """One cloud with its doors; an ASGI application.

    folder: where its ledger and results lie; the next emulator there goes on where this one ended, however it ended.
    break_off: closes the connection of a request's scope without an answer.
    """

    def __init__(
        self,
        configuration: Configuration,
        folder: Path,
        clock: Clock,
        break_off: Callable[[Message], None],
    ) -> None:
        self.writer = LedgerWriter(folder)
        history = read_ledger(folder) if (folder / FILE).stat().st_size else ()
        self.cloud = Cloud(configuration, history, self.writer.write, clock.now().timestamp(), os.getpid())
        self.runs = Runs(self.cloud, clock, folder / "results", self.writer.settled)
        self._clock = clock
        self._break_off = break_off
        results = folder / "results"
        self._doors: dict[tuple[str, ...], Callable[[Request], Awaitable[Answer]]] = {
            ("braket",): BraketApi(self.cloud, clock).answer,
            ("s3",): S3Api(self.cloud, clock, results).answer,
            ("ibm", "v1"): JobsApi(self.cloud, clock, results, "ibm", tagged=True).answer,
            ("anonymous", "v1"): JobsApi(self.cloud, clock, results, "anonymous", tagged=False).answer,
            ("iam",): IamApi(clock).answer,
            ("control",): ControlApi(self.cloud, clock, folder).answer,
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request: after all that it may show is on the disk."""
        request = await read(scope, receive)
        try:
            answer = await self._answer(request)
            await self.writer.settled()
        except Silence as silence:
            await self.writer.settled()
            self.runs.wake()
            if silence.answer == "504":
                await write(Answer(504, b"upstream request timeout", {"content-type": "text/plain"}), send)
                return
            if silence.answer == "hold":
                await self._clock.sleep(silence.hold)
            self._break_off(scope)
            return
        self.runs.wake()
        await write(answer, send)

    async def _answer(self, request: Request) -> Answer:
        for length in (1, 2):
            door = self._doors.get(request.path[:length])
            if door:
                inside = Request(request.method, request.path[length:], request.query, request.headers, request.body)
                return await door(inside)
        return Answer.json({"error": "no such door", "doors": ["/".join(door) for door in self._doors]}, status=404)


async def serve(
    configuration: Configuration, folder: Path, clock: Clock, *, port: int, ready: Callable[[str], None]
) -> None:
    """Serve on loopback until SIGTERM or SIGINT. `ready` gets the URL; port 0 takes any that is free."""
    server: uvicorn.Server | None = None

    def break_off(scope: Message) -> None:
        connections: Any = server.server_state.connections if server else ()
        for connection in tuple(connections):
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.abort()

    emulator = Emulator(configuration, folder, clock, break_off)
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        emulator,
        lifespan="off",
        access_log=False,
        log_level="critical",
        ws="none",
        timeout_graceful_shutdown=1,
        loop="none",
    )
    server = _Server(config)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    with emulator.writer:
        await emulator.writer.settled()
        tasks = [asyncio.create_task(server.serve([listener])), asyncio.create_task(emulator.runs.forever())]
        while not server.started and not tasks[0].done():
            await clock.sleep(0.005)
        ready(f"http://127.0.0.1:{listener.getsockname()[1]}")
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        tasks[1].cancel()
        for task in (*tasks, stopped):
            stopped.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class _Server(uvicorn.Server):
    """Leaves signals to `serve`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Take none."""
        yield
