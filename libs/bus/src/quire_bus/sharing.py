"""One connection for all services of a process: what they write, ask and commit in one turn then travels together.

Each service of its own would pay for its own system calls, its own questions and its own atomic batches: in a process
of eight services under load those are an eighth of its time and of the broker's (measured).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from quire_bus.connection import BusSettings, Connection, connect

if TYPE_CHECKING:
    from collections.abc import Callable


class SharedConnections:
    """Connects like `connection.connect`, but only once for the services that would connect alike.

    name: of the connection; messages still come from the service that says them.

    What one service does to the connection as a whole happens to all: where the broker forbids something, or closes it,
    each is told. The last service to close its share closes it; the next one after that makes another.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._trunks: dict[BusSettings, _Trunk] = {}
        self._lock = asyncio.Lock()

    async def connect(self, settings: BusSettings, on_fatal: Callable[[str], None]) -> Connection:
        """A share of the connection that these settings name.

        Raises:
            Transient: if there is no connection within `connect_seconds`.
        """
        alike = replace(settings, name=self._name, graceful_seconds=0.0)
        async with self._lock:
            trunk = self._trunks.get(alike)
            if trunk is None or trunk.connection.client.is_closed:
                told: list[Callable[[str], None]] = []
                trunk = _Trunk(await connect(alike, lambda reason: _tell(told, reason)), told)
                self._trunks[alike] = trunk
        trunk.told.append(on_fatal)

        async def give_back() -> None:
            trunk.told.remove(on_fatal)
            if trunk.told:
                await trunk.connection.flush()
                return
            if self._trunks.get(alike) is trunk:
                del self._trunks[alike]
            await trunk.connection.close()

        return trunk.connection.share(settings, give_back)


class _Trunk:
    """A connection, and whom to tell of its end."""

    def __init__(self, connection: Connection, told: list[Callable[[str], None]]) -> None:
        self.connection = connection
        self.told = told


def _tell(told: list[Callable[[str], None]], reason: str) -> None:
    for on_fatal in tuple(told):
        on_fatal(reason)
