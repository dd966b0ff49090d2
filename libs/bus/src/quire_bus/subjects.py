"""Subjects that only the bus itself uses."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quire_bus.envelope import Meta

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


def token(value: str, what: str) -> str:
    """`value`, if it can stand between the dots of a subject.

    Raises:
        ValueError: if it cannot: a dot or a wildcard in an id would reach into another subject.
    """
    if TOKEN.fullmatch(value) is None:
        raise ValueError(f"{what} {value[:80]!r} cannot stand in a subject: it needs {TOKEN.pattern}")
    return value


def tenant_of(subject: str) -> str:
    """Whose a message is, of a subject of the log."""
    return subject.split(".", 3)[2]


def inbox_subject(durable: str, meta: Meta) -> str:
    """Where the mark stands that `durable` has done the message of `meta`."""
    return f"quire.rec.{meta.tenant}.inbox.{durable}--{_inbox_token(meta)}"


def _inbox_token(meta: Meta) -> str:
    """The id itself where it is a UUID, as all of ours are; else a digest that also holds source and subject.

    CloudEvents asks only that source and id together are unique, and a foreign id may hold any character.
    """
    if _UUID.fullmatch(meta.id):
        return meta.id
    return hashlib.sha256(f"{meta.source}|{meta.id}|{meta.subject}".encode()).hexdigest()[:40]


def schedule_subject(tenant: str, id_: str) -> str:
    """Where a scheduled message waits; one schedule each."""
    return f"quire.sched.{tenant}.{id_}"


def dead_subject(service: str, type_: str) -> str:
    """Where a service's dead letters of a message type are kept."""
    return f"quire.dead.{service}.{type_}"


def query_subject(service: str, name: str) -> str:
    """Where a service is asked."""
    return f"quire.query.{service}.{name}"
