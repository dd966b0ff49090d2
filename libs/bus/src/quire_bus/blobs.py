"""Large data by content address: named by its SHA-256, written before the message that refers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quire_contracts.value import BlobRef


class Blobs:
    """The content store; made by `Bus`."""

    async def put(self, data: bytes, media_type: str) -> BlobRef:
        """Store `data` and give its reference; content of up to 16 KiB is not stored but travels inside it.

        Idempotent: the same content is one object. Returns only when the broker has stored all of it.

        Raises:
            NotStored, Unknown: as for a message; repeating is safe.
        """
        ...

    async def get(self, ref: BlobRef) -> bytes:
        """The content of `ref`, verified against its digest and size; fetched content is kept in a bounded cache.

        Raises:
            BlobMissing: if it is not in the store.
            BlobCorrupt: if what is there (or inline) has another digest or size.
            Unknown: if the broker does not answer in time.
        """
        ...
