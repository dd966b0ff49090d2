"""Overhearing: what is said, as it is said and without any promise, for those to whom it is a hint and not a fact."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import nats.errors

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from quire_bus.connection import Connection

Heard = Callable[[str, bytes], None]
"""Gets the subject and the body as it is. It must be quick and must not raise."""


@contextlib.asynccontextmanager
async def overhear(connection: Connection, subject: str, heard: Heard) -> AsyncIterator[None]:
    """Call `heard` with everything that is published on a subject (wildcards allowed) while the block runs.

    Nothing is stored, acknowledged or repeated: what is said while the broker is away is missed, and what the log then
    refused is heard all the same. A reconnection listens again by itself.
    """

    async def on_message(message: Msg) -> None:
        heard(message.subject, message.data)

    subscription = await connection.client.subscribe(subject, cb=on_message)
    try:
        yield
    finally:
        if not connection.client.is_closed:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()
