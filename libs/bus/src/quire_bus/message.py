"""A message as it came off the wire, read only as far as somebody looks, and its acknowledgements, written soon."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from quire_bus.codec import Arrived

if TYPE_CHECKING:
    from collections.abc import Callable

    Send = Callable[[str, bytes], None]

_NANOSECONDS: Final = 1_000_000_000
_ACK_TOKENS: Final = 9
"""`$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`; newer forms put a domain and
an account before the stream (NATS ADR-15)."""


class Message:
    """One delivery of a durable. The acknowledgements are written without waiting; the first final one counts.

    send: writes (subject, body) to the broker.
    """

    __slots__ = ("_fields", "_headers", "_send", "body", "head", "is_settled", "reply", "subject")

    def __init__(self, subject: str, reply: str, head: bytes, body: bytes, send: Send) -> None:
        self.subject = subject
        self.reply = reply
        self.head = head
        self.body = body
        self.is_settled = False
        self._send = send
        self._headers: dict[str, str] | None = None
        self._fields: tuple[int, int, int, int, int] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers as they are spelled."""
        if self._headers is None:
            self._headers = parse_head(self.head)
        return self._headers

    @property
    def delivered(self) -> int:
        """How often it was delivered to this durable, from 1."""
        return self._read()[0]

    @property
    def sequence(self) -> int:
        """Its place on the log."""
        return self._read()[1]

    @property
    def consumer_sequence(self) -> int:
        """Its place among this durable's deliveries."""
        return self._read()[2]

    @property
    def pending(self) -> int:
        """How many messages wait behind it for this durable."""
        return self._read()[4]

    def arrived(self) -> Arrived:
        """As the codec reads it."""
        delivered, sequence, _, nanoseconds, _ = self._read()
        return Arrived(
            subject=self.subject,
            headers=self.headers,
            body=self.body,
            time=datetime.fromtimestamp(nanoseconds / _NANOSECONDS, UTC),
            attempt=delivered or 1,
            stream_sequence=sequence,
            size=len(self.head) + len(self.body),
        )

    def ack(self) -> None:
        """It is done with.

        Raises:
            nats.errors.Error: if the connection takes nothing; then it will be delivered again.
        """
        self._settle(b"+ACK")

    def nak(self, delay: float | None = None) -> None:
        """Deliver it again, after `delay` seconds or at once."""
        if delay:
            self._settle(b"-NAK " + msgspec.json.encode({"delay": int(delay * _NANOSECONDS)}))
        else:
            self._settle(b"-NAK")

    def in_progress(self) -> None:
        """It is still worked on: begin its time anew."""
        if not self.is_settled:
            self._send(self.reply, b"+WPI")

    def _settle(self, word: bytes) -> None:
        if not self.is_settled:
            self._send(self.reply, word)
            self.is_settled = True

    def _read(self) -> tuple[int, int, int, int, int]:
        if self._fields is None:
            tokens = self.reply.split(".")
            first = 4 if len(tokens) == _ACK_TOKENS else 6
            delivered, stream, consumer, time, pending = map(int, tokens[first : first + 5])
            self._fields = (delivered, stream, consumer, time, pending)
        return self._fields


def parse_head(block: bytes) -> dict[str, str]:
    """The headers of a raw header block; of a status line (`NATS/1.0 404 No Messages`) `Status` and `Description`.

    A name that is no ASCII or holds white space is left out, as every NATS client does; of a name given twice the last
    counts.
    """
    lines = block.decode("utf-8", "replace").split("\r\n")
    plain = block.isascii()
    result: dict[str, str] = {}
    status = lines[0][len("NATS/1.0") :].strip()
    if status:
        result["Status"], _, description = status.partition(" ")
        if description:
            result["Description"] = description
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon and " " not in name and "\t" not in name and (plain or name.isascii()):
            result[name] = value.strip()
    return result
