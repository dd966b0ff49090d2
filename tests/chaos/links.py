"""A loopback link between a client and a server that can stand still without telling anyone, or be cut."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

_CHUNK = 64 * 1024


class Link:
    """Forwards bytes to a port. Frozen, it takes and gives nothing while both ends keep their connections open."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def to(cls, target: int) -> Self:
        """A link to a port of this machine, on a free port."""
        link = cls(target)
        link._server = await asyncio.start_server(link._serve, "127.0.0.1", 0)
        link.port = link._server.sockets[0].getsockname()[1]
        return link

    def freeze(self) -> None:
        """Half open: no byte passes any more, and nobody hears that the other is gone."""
        self._flows.clear()

    def thaw(self) -> None:
        """Bytes pass again, those that waited first. Connections of which an end has given up meanwhile are closed."""
        self._flows.set()

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        for writer in self._writers:
            with contextlib.suppress(Exception):
                writer.transport.abort()

    async def close(self) -> None:
        """End the link."""
        if self._server is not None:
            self._server.close()
        self.thaw()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        other: asyncio.StreamWriter | None = None
        try:
            await self._flows.wait()
            there, other = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(other)
            ways = [asyncio.create_task(self._pass(reader, other)), asyncio.create_task(self._pass(there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for each in (writer, other):
                if each is not None:
                    self._writers.discard(each)
                    with contextlib.suppress(Exception):
                        each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
