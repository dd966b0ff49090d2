"""Saying something outside a handler: one message, stored before it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quire_bus.envelope import Meta, Outgoing
    from quire_contracts.control import Progress
    from quire_contracts.value import Value


@dataclass(frozen=True, slots=True)
class Published:
    """The broker's word that the message is stored; `duplicate` says that it was already."""

    id: str
    sequence: int
    duplicate: bool


class Publisher:
    """Publishes messages as one service; made by `Bus`. Inside a handler use `Delivery.commit` instead."""

    async def publish(
        self,
        message: Value | Outgoing,
        *,
        cause: Meta | None = None,
        correlation_id: str | None = None,
        id_: str | None = None,
    ) -> Published:
        """Store one message on the log and return the broker's word.

        The subject, type and id come from the registry: the id is uuid5(cause, type, identity, attempt), where a raw
        message without a cause takes its body's digest as the cause; `id_` replaces it. It is also the broker's
        de-duplication id, so a repetition inside the window is stored once. The correlation id is the given one, else
        the cause's, else the key.

        Raises:
            TooLarge: before anything is sent.
            NotStored: no stream takes it, or the stream refused it.
            Unknown: no answer within the time-out; publish again with the same arguments.
            KeyError: the class is no message.
        """
        ...

    async def progress(self, remark: Progress) -> None:
        """Say a live remark on a job: not stored, not awaited, lost if nobody listens. Never raises for the broker."""
        ...
