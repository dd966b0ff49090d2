"""An event as the ledger keeps it: its envelope, its body as JSON text, and the message where this release knows it."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from quire_contracts.registry import entry_named
from quire_contracts.value import Value
from quire_ledger.projection import PROJECTED

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from quire_bus.delivery import Logged

_RAW: Final = msgspec.json.Decoder(msgspec.Raw)
"""Finds out whether bytes are JSON, and no more."""


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of the log.

    sequence: its place on the log, the ledger's key.
    tenant, key: the tokens of its subject.
    data: its body as JSON text; fields unknown to this release are kept in it.
    message: the decoded body, or None where nothing is read off that type, or the body is not of it.
    """

    sequence: int
    id: str
    type: str
    tenant: str
    key: str
    correlation_id: str
    causation_id: str | None
    source: str
    time: datetime
    data: str
    message: Value | None


def from_log(logged: Logged) -> Event:
    """The event of an entry of the log."""
    meta = logged.meta
    return Event(
        sequence=meta.stream_sequence,
        id=meta.id,
        type=meta.type,
        tenant=meta.tenant,
        key=meta.key,
        correlation_id=meta.correlation_id,
        causation_id=meta.causation_id,
        source=meta.source,
        time=meta.time,
        data=json_text(logged),
        message=logged.message if meta.type in PROJECTED else None,
    )


def from_row(row: RowMapping) -> Event:
    """The event of a row of the ledger's own table, decoded anew."""
    stated: dict[str, Any] = {str(name): value for name, value in row.items()}
    return Event(**stated, message=decoded(stated["type"], stated["data"]))


def json_text(logged: Logged) -> str:
    """The body as JSON text: as it came where it is JSON, else the message's JSON, else the bytes in base64.

    Never raises; equal bodies give equal text, which a rebuild relies on.
    """
    try:
        _RAW.decode(logged.body)
        return logged.body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        if logged.message is not None:
            return msgspec.json.encode(logged.message).decode()
        return msgspec.json.encode({"base64": base64.b64encode(logged.body).decode()}).decode()


def decoded(type_: str, data: str) -> Value | None:
    """The message of a stored body, or None where nothing is read off that type or the body is not of it."""
    entry = entry_named(type_)
    if entry is None or type_ not in PROJECTED:
        return None
    try:
        return msgspec.json.decode(data, type=entry.message)
    except msgspec.DecodeError:
        return None
