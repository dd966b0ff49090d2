"""nats-py's protocol parser with a short way past it: what a sink takes never becomes a queue, a task or a `Msg`.

Source of the protocol: NATS client protocol, `MSG` and `HMSG`. Everything else the broker says, and every message that
no sink takes, goes nats-py's own way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nats.errors import ProtocolError
from nats.protocol.parser import MAX_CONTROL_LINE_SIZE, Parser

if TYPE_CHECKING:
    from nats.aio.client import Client

_LOG = logging.getLogger("quire.bus")
_M: Final = b"M"[0]
_H: Final = b"H"[0]

Sink = Callable[[bytes, bytes, bytes, bytes], None]
"""Takes (subject, reply subject, header block, body); must not raise and must not wait."""


class SinkParser(Parser):
    """Reads what the broker sends; `sinks` by subscription id take their messages at once."""

    def __init__(self, client: Client) -> None:
        self.sinks: dict[bytes, Sink] = {}
        self._generation = 0
        self._wanted = 0
        super().__init__(client)

    def reset(self) -> None:
        """Forget what is half read: the connection is another one."""
        super().reset()
        self._generation += 1
        self._wanted = 0

    async def parse(self, data: bytes = b"") -> None:
        """Take the next bytes.

        Raises:
            ProtocolError: for what no broker says.
        """
        if self.buf:
            self.buf.extend(data)
            if len(self.buf) < self._wanted:
                return
            data = bytes(self.buf)
            self.buf = bytearray()
        generation, position, end = self._generation, 0, len(data)
        self._wanted = 0
        while position < end:
            line_end = data.find(b"\r\n", position)
            if line_end < 0:
                if end - position > MAX_CONTROL_LINE_SIZE:
                    raise ProtocolError("nats: unknown protocol")
                break
            if data[position] == _M or data[position] == _H:
                after = self._message(data, position, line_end, end)
                if after == 0:
                    break
                if after < 0:
                    after = -after
                    await self.nc._process_msg(*self._foreign)  # noqa: SLF001 - what the base does with a message
            else:
                after = line_end + 2
                self.buf = bytearray(data[position:after])
                await super().parse()
            if generation != self._generation:
                return  # the connection was lost while somebody looked at this
            position = after
        self.buf = bytearray(data[position:])

    def _message(self, data: bytes, position: int, line_end: int, end: int) -> int:
        """The place behind the message at `position`: negative if it is nobody's sink's, 0 if it is not whole yet."""
        arguments = data[position:line_end].split()
        try:
            start, size = line_end + 2, int(arguments[-1])
            headed = data[position] == _H
            body = start + int(arguments[-2]) if headed else start
            subject, sid = arguments[1], arguments[2]
            reply = arguments[3] if len(arguments) == (6 if headed else 5) else b""
        except (IndexError, ValueError):
            raise ProtocolError("nats: malformed MSG") from None
        stop = start + size
        if stop + 2 > end:
            self._wanted = stop + 2 - position
            return 0
        sink = self.sinks.get(sid)
        if sink is None:
            self._foreign: tuple[Any, ...] = (int(sid), subject, reply, data[body:stop], data[start:body] or None)
            return -(stop + 2)
        try:
            sink(subject, reply, data[start:body], data[body:stop])
        except Exception:  # noqa: BLE001 - an error that leaves here ends nats-py's reading, in silence
            _LOG.exception("a message of the broker was not understood")
        return stop + 2
