"""What could not be handled: kept with its reason and its original headers, to be read, replayed or dropped."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from quire_bus import headers as h
from quire_bus.codec import tokens_of
from quire_bus.envelope import message_id
from quire_bus.errors import DecodeError, NotStored
from quire_bus.read import Kept
from quire_bus.store import Part
from quire_bus.subjects import dead_subject
from quire_contracts.topology import CONSUMERS, DEAD_STREAM, STREAM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quire_bus.codec import Arrived
    from quire_bus.store import Store
    from quire_contracts.registry import Entry
    from quire_contracts.topology import Consumer
    from quire_contracts.value import Fault
    from quire_resilience.clock import Clock

_LOG = logging.getLogger("quire.bus")
_ERROR: Final = "quire-error-"
_REASON_CHARACTERS: Final = 500
_LIMIT: Final = 1024 * 1024 - 16_384
"""A dead letter may be larger than a message: it is one with the error's headers added, or one that was too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One dead letter.

    sequence: its place in the dead-letter stream; what `read`, `replay` and `drop` take.
    service, durable, type: whose message it was.   subject, stream_sequence: where it stood on the log.
    kind: `undecodable`, `permanent`, `attempts` (given up after that many), or `advisory` (the broker's own limit).
    headers, body: the message as it was, where it is still known.
    """

    sequence: int
    time: datetime
    service: str
    durable: str
    type: str
    subject: str
    stream_sequence: int
    kind: str
    code: str
    reason: str
    attempts: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def tenant(self) -> str:
        """The tenant token of its subject; empty where there is none."""
        return self._tokens[0]

    @property
    def key(self) -> str:
        """The key token of its subject, a job's or a batch's id; empty where there is none."""
        return self._tokens[1]

    @property
    def source(self) -> str:
        """Who said the message, by its own word; empty where it has none."""
        return h.normalised(self.headers).get("ce-source", "")

    @property
    def _tokens(self) -> tuple[str, str]:
        try:
            return tokens_of(self.subject)
        except DecodeError:
            return "", ""


class _Advisory(msgspec.Struct):
    stream: str = ""
    consumer: str = ""
    stream_seq: int = 0
    deliveries: int = 0
    timestamp: datetime | None = None
    reason: str = ""


class DeadLetters:
    """The dead-letter stream; made by `Bus`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def bury(self, arrived: Arrived, entry: Entry, consumer: Consumer, fault: Fault, kind: str) -> None:
        """Keep a message with the reason why it is given up. The same delivery twice is one dead letter.

        Raises:
            NotStored, Unknown: then it must not be acknowledged.
        """
        original = {
            name: value for name, value in (arrived.headers or {}).items() if not name.lower().startswith("nats-")
        }
        errors = {
            "kind": kind,
            "code": fault.code,
            "reason": h.encoded(fault.reason[:_REASON_CHARACTERS]),
            "service": consumer.service,
            "durable": consumer.durable,
            "type": entry.type,
            "subject": h.encoded(arrived.subject),
            "sequence": str(arrived.stream_sequence),
            "attempts": str(arrived.attempt),
            "time": self._clock.now().astimezone(UTC).isoformat(),
        }
        headers = original | {f"{_ERROR}{name}": value for name, value in errors.items()}
        id_ = f"{consumer.durable}-{arrived.stream_sequence}"
        part = Part(dead_subject(consumer.service, entry.type), arrived.body, headers, limit=_LIMIT, id=id_)
        await self._store.write([part], stream=DEAD_STREAM.name)
        _LOG.error("%s gave up message %s: %s", consumer.durable, arrived.stream_sequence, fault.reason[:200])

    async def list(self, *, service: str | None = None, after: int = 0, limit: int = 100) -> tuple[DeadLetter, ...]:
        """Up to `limit` dead letters in order, those behind sequence `after`, of one service or of all."""
        found: list[DeadLetter] = []
        sequence = after
        while len(found) < limit:
            kept = await self._store.at(sequence + 1, stream=DEAD_STREAM.name, or_later=True)
            if kept is None:
                break
            sequence = kept.sequence
            letter = await self._letter(kept)
            if service is None or letter.service == service:
                found.append(letter)
        return tuple(found)

    async def newest(self, *, service: str | None = None, limit: int = 100) -> tuple[DeadLetter, ...]:
        """The newest `limit` dead letters, the newest first, of one service or of all."""
        first, last = await self._store.bounds(DEAD_STREAM.name)
        window = limit
        while True:
            after = max(first - 1, last - window)
            found = await self.list(service=service, after=after, limit=window)
            if len(found) >= limit or after < first:
                return found[: -limit - 1 : -1]
            window *= 4  # dropped letters and other services' leave gaps

    async def read(self, sequence: int) -> DeadLetter | None:
        """One dead letter, or None if it is not (or no longer) there."""
        kept = await self._store.at(sequence, stream=DEAD_STREAM.name)
        return None if kept is None else await self._letter(kept)

    async def replay(self, sequence: int) -> int:
        """Say a dead letter's message again on its subject, then drop it; its new place on the log.

        It gets a new id (deterministic in the old one and the dead letter, so that a repeated replay is one message):
        under its old id an inbox could take it for done. Everybody who consumes its subject gets it again.

        Raises:
            LookupError: if it is not there, or its message is not known any more.
            NotStored, Unknown: as for a message; it is not dropped then.
        """
        letter = await self.read(sequence)
        if letter is None or not letter.subject or not letter.headers:
            raise LookupError(f"there is no dead letter {sequence} whose message is still known")
        headers = {
            name: value for name, value in letter.headers.items() if not name.lower().startswith(("nats-", _ERROR))
        }
        normal = h.normalised(headers)
        old_id = normal.get("ce-id", str(letter.stream_sequence))
        new_id = message_id(letter.type, old_id, cause_id="replay", attempt=sequence)
        headers = {name: value for name, value in headers.items() if name.lower() not in {"ce-id", "ce-causationid"}}
        headers |= {"ce-id": new_id, "ce-causationid": old_id}
        acked = await self._store.write([Part(letter.subject, letter.body, headers, limit=_LIMIT, id=new_id)])
        await self.drop(sequence)
        return acked.sequence

    async def drop(self, sequence: int) -> bool:
        """Forget a dead letter; whether it was there."""
        return await self._store.delete(sequence, stream=DEAD_STREAM.name)

    async def _letter(self, kept: Kept) -> DeadLetter:
        if kept.subject.startswith("$JS."):
            return await self._from_advisory(kept)
        error = {name.removeprefix(_ERROR): value for name, value in kept.headers.items() if name.startswith(_ERROR)}
        headers = {name: value for name, value in kept.headers.items() if not name.startswith((_ERROR, "Nats-"))}
        return DeadLetter(
            sequence=kept.sequence,
            time=kept.time,
            service=error.get("service", ""),
            durable=error.get("durable", ""),
            type=error.get("type", ""),
            subject=h.decoded("subject", error.get("subject", "")),
            stream_sequence=int(error.get("sequence", "0")),
            kind=error.get("kind", ""),
            code=error.get("code", ""),
            reason=h.decoded("reason", error.get("reason", "")),
            attempts=int(error.get("attempts", "0")),
            headers=headers,
            body=kept.body,
        )

    async def _from_advisory(self, kept: Kept) -> DeadLetter:
        """The broker's own word that it gave a message up; the message is read from the log if it is still there."""
        advisory = msgspec.json.decode(kept.body, type=_Advisory)
        try:
            original = await self._store.at(advisory.stream_seq, stream=advisory.stream or STREAM.name)
        except NotStored:
            original = None
        headers: dict[str, Any] = dict(original.headers) if original else {}
        return DeadLetter(
            sequence=kept.sequence,
            time=advisory.timestamp or kept.time,
            service=_service_of(advisory.consumer),
            durable=advisory.consumer,
            type=h.normalised(headers).get("ce-type", ""),
            subject=original.subject if original else "",
            stream_sequence=advisory.stream_seq,
            kind="advisory",
            code="delivery-limit" if "MAX_DELIVERIES" in kept.subject else "terminated",
            reason=advisory.reason or f"the broker gave it up after {advisory.deliveries} deliveries",
            attempts=advisory.deliveries,
            headers={name: value for name, value in headers.items() if not name.startswith("Nats-")},
            body=original.body if original else b"",
        )


def _service_of(durable: str) -> str:
    return next((row.service for row in CONSUMERS if row.durable == durable), "")
