"""Saying something outside a handler: one message, stored before it returns."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import nats.errors

from quire_bus.compose import Sender, compose
from quire_bus.envelope import Meta, Outgoing, outgoing
from quire_bus.tracing import Sending
from quire_contracts.registry import progress_subject

if TYPE_CHECKING:
    from quire_bus.connection import Connection
    from quire_contracts.control import Progress
    from quire_contracts.value import Value

_LOG = logging.getLogger("quire.bus")


@dataclass(frozen=True, slots=True)
class Published:
    """The broker's word that the message is stored; `duplicate` says that it was already."""

    id: str
    sequence: int
    duplicate: bool


class Publisher:
    """Publishes messages as one service; made by `Bus`. Inside a handler use `Delivery.commit` instead."""

    def __init__(self, connection: Connection, sender: Sender) -> None:
        self._client = connection.client
        self._sender = sender

    async def publish(
        self,
        message: Value | Outgoing,
        *,
        cause: Meta | None = None,
        correlation_id: str | None = None,
        id_: str | None = None,
    ) -> Published:
        """Store one message on the log and return the broker's word.

        The subject, type and id come from the registry: the id is uuid5(cause, type, identity, attempt), where without
        a cause the tenant stands for it, and of a raw message its body's digest too; `id_` replaces it. It is also the
        broker's de-duplication id, so a repetition inside the window is stored once. The correlation id is the given
        one, else the cause's, else the key.

        Raises:
            TooLarge: before anything is sent.
            NotStored: no stream takes it, or the stream refused it.
            Unknown: no answer within the time-out; publish again with the same arguments.
            KeyError: the class is no message.
            ValueError: tenant or key cannot stand in a subject.
        """
        sender = self._sender
        with Sending(sender.tracer) as sending:
            part = compose(outgoing(message), sender, sending, cause=cause, correlation_id=correlation_id, id_=id_)
            acked = await sender.store.write([part])
        return Published(part.id or "", acked.sequence, acked.duplicate)

    async def progress(self, remark: Progress) -> None:
        """Say a live remark on a job: not stored, not awaited, lost if nobody listens or the broker is away."""
        try:
            await self._client.publish(progress_subject(remark.tenant, remark.job_id), msgspec.json.encode(remark))
        except nats.errors.Error as error:
            _LOG.debug("a remark was not said: %s", error)
