"""Typed key-value buckets with compare-and-swap, on the same primitives as records and readable by any NATS client."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from quire_bus.codec import decode_as
from quire_bus.records import Stored
from quire_bus.store import Part

if TYPE_CHECKING:
    from quire_bus.store import Store

T = TypeVar("T", bound=msgspec.Struct)

_KEY = re.compile(r"[A-Za-z0-9_=/-]+(\.[A-Za-z0-9_=/-]+)*", re.ASCII)
_OPERATION = "KV-Operation"


def bucket_stream(name: str) -> str:
    """The stream that a key-value bucket is."""
    return f"KV_{name}"


class Bucket(Generic[T]):
    """One bucket of the topology with values of one type; made by `Bus.bucket(name, type)`."""

    def __init__(self, store: Store, name: str, type_: type[T]) -> None:
        self._store = store
        self._name = name
        self._type = type_

    async def get(self, key: str) -> Stored[T] | None:
        """The newest value and its revision; None if there is none or it was deleted.

        Raises:
            DecodeError: if what is stored is not of this type.
            NotStored: if there is no such bucket.
            Unknown: if the broker does not answer in time.
            ValueError: for a key that is none.
        """
        kept = await self._store.last(self._subject(key), stream=bucket_stream(self._name))
        if kept is None or _OPERATION in kept.headers or "Nats-Marker-Reason" in kept.headers:
            return None
        return Stored(decode_as(self._type, kept.body), kept.sequence)

    async def put(self, key: str, value: T, expected_revision: int | None = None) -> int:
        """Write a value; the new revision.

        expected_revision: the revision that was read, 0 if the key must never have been written, None for any.

        Raises:
            Conflict: if the expected revision was not the newest (and the newest is not this very write).
            TooLarge, NotStored, Unknown: as for a message.
        """
        part = Part(self._subject(key), msgspec.json.encode(value), expected=expected_revision)
        return (await self._store.write([part], stream=bucket_stream(self._name))).sequence

    async def delete(self, key: str) -> None:
        """Delete a key; one that is not there is no error."""
        part = Part(self._subject(key), b"", {_OPERATION: "DEL"})
        await self._store.write([part], stream=bucket_stream(self._name))

    async def keys(self, prefix: str = "") -> tuple[str, ...]:
        """The keys that were ever written and are still kept, sorted; `prefix` is whole tokens, as in `batch.`.

        A deleted key is among them until its bucket forgets it: `get` says None for it.
        """
        start = f"$KV.{self._name}."
        subjects = await self._store.subjects(f"{start}{prefix}>", stream=bucket_stream(self._name))
        return tuple(sorted(subject.removeprefix(start) for subject in subjects))

    async def revision(self) -> int:
        """The newest revision of all its keys; 0 where nothing was ever written. Asked of the leader: none is newer.

        Raises:
            NotStored: if there is no such bucket.
            Unknown: if the broker does not answer in time.
        """
        return (await self._store.bounds(bucket_stream(self._name)))[1]

    def _subject(self, key: str) -> str:
        if _KEY.fullmatch(key) is None or len(key) > 256:  # noqa: PLR2004 - a subject of the broker's recommended length
            raise ValueError(f"{key[:80]!r} is no key of a bucket")
        return f"$KV.{self._name}.{key}"
