"""Typed documents on the log, one subject each, rewritten by compare-and-swap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from quire_bus.codec import decode_as
from quire_bus.store import Part
from quire_bus.subjects import token
from quire_contracts.topology import STREAM

if TYPE_CHECKING:
    from quire_bus.store import Store

T = TypeVar("T", bound=msgspec.Struct)


def record_subject(tenant: str, kind: str, id_: str) -> str:
    """Where a record lives.

    Raises:
        ValueError: if one of the three cannot stand in a subject.
    """
    return f"quire.rec.{token(tenant, 'tenant')}.{token(kind, 'kind')}.{token(id_, 'id')}"


class RecordWrite(msgspec.Struct, frozen=True, gc=False):
    """A record's next value, for `Delivery.commit` or `Records.put`.

    expected_revision: the revision that was read; 0 to create; None writes whatever is there.
    ttl_seconds: the broker forgets the record after that many seconds (whole, >= 1); None keeps it.
    """

    kind: str
    tenant: str
    id: str
    value: msgspec.Struct
    expected_revision: int | None
    ttl_seconds: int | None = None

    @property
    def subject(self) -> str:
        """Where it will be written."""
        return record_subject(self.tenant, self.kind, self.id)

    def part(self) -> Part:
        """What is stored."""
        body = msgspec.json.encode(self.value)
        return Part(self.subject, body, expected=self.expected_revision, ttl_seconds=self.ttl_seconds)


class Stored(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """A document as read: its value, and the revision to expect when it is replaced."""

    value: T
    revision: int


class Records(Generic[T]):
    """The records of one kind; made by `Bus.records(kind, type)`."""

    def __init__(self, store: Store, kind: str, type_: type[T]) -> None:
        self._store = store
        self._kind = kind
        self._type = type_

    async def get(self, tenant: str, id_: str) -> Stored[T] | None:
        """The newest value and its revision, or None if there is none.

        Read by direct get: on a cluster the value can be one election behind, which the compare-and-swap then refuses.

        Raises:
            DecodeError: if what is stored is not of this type.
            Unknown: if the broker does not answer in time.
            ValueError: if tenant or id cannot stand in a subject.
        """
        kept = await self._store.last(record_subject(tenant, self._kind, id_))
        return None if kept is None else Stored(decode_as(self._type, kept.body), kept.sequence)

    async def since(self, tenant: str, id_: str, revision: int) -> Stored[T] | None:
        """The first value that was written at a revision or after it, as long as the log keeps it; else None.

        Raises:
            DecodeError, Unknown, ValueError: as `get` does.
        """
        kept = await self._store.first(record_subject(tenant, self._kind, id_), since=revision)
        return None if kept is None else Stored(decode_as(self._type, kept.body), kept.sequence)

    async def names(self) -> tuple[tuple[str, str], ...]:
        """Tenant and id of every record of this kind that is kept, at most 100,000, in no order.

        Raises:
            NotStored, Unknown: the broker cannot say.
        """
        subjects = await self._store.subjects(f"quire.rec.*.{token(self._kind, 'kind')}.*", stream=STREAM.name)
        tokens = (subject.split(".") for subject in subjects)
        return tuple((tenant, id_) for _, _, tenant, _, id_ in tokens)

    async def put(self, write: RecordWrite) -> int:
        """Write one record outside a handler; the new revision.

        Raises:
            Conflict: if the expected revision was not the newest (and the newest is not this very write).
            TooLarge, NotStored, Unknown: as for a message.
        """
        return (await self._store.write([write.part()])).sequence

    def write(
        self, tenant: str, id_: str, value: T, expected_revision: int | None, ttl_seconds: int | None = None
    ) -> RecordWrite:
        """The `RecordWrite` of this kind."""
        return RecordWrite(self._kind, tenant, id_, value, expected_revision, ttl_seconds)
