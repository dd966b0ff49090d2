"""Large data by content address: named by its SHA-256, written before the message that refers to it.

A blob is a row of chunks on `quire.blob.<sha256>.<n>` of a stream that keeps one message a subject. The number of
chunks follows from the size, which every reference carries, so there is no index to read or to leave half-written: an
interrupted put leaves chunks that the next put of the same content completes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from quire_bus.errors import BlobCorrupt, BlobMissing, Conflict
from quire_bus.store import Part
from quire_contracts.limits import INLINE_BYTES
from quire_contracts.topology import OBJECTS
from quire_contracts.value import BlobRef

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from quire_bus.store import Store
    from quire_resilience.clock import Clock

R = TypeVar("R")

BLOB_STREAM: Final = "QUIRE_BLOBS"
BLOB_SUBJECTS: Final = "quire.blob.>"
CHUNK_BYTES: Final = 512 * 1024
"""Half of the broker's default largest message. Changing it makes the stored blobs unreadable."""

_AT_ONCE: Final = 8
_CHUNK_LIMIT: Final = CHUNK_BYTES + 4_096
_FRESH: Final = timedelta(seconds=OBJECTS.max_age / 2)


class Blobs:
    """The content store; made by `Bus`.

    cache_bytes: most bytes of fetched and of stored content that this process keeps.
    """

    def __init__(self, store: Store, clock: Clock, *, cache_bytes: int = 64 * 1024 * 1024) -> None:
        self._store = store
        self._clock = clock
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached = 0
        self._cache_bytes = cache_bytes

    async def put(self, data: bytes, media_type: str, inline_limit: int = INLINE_BYTES) -> BlobRef:
        """Store `data` and give its reference; content of up to `inline_limit` bytes travels inside it instead.

        inline_limit: at most 16 KiB; lower it where many references share one message. 0 stores everything.

        Idempotent: the same content is one object, and putting it again keeps it from ageing away. Returns only when
        the broker has stored all of it.

        Raises:
            NotStored, Unknown: as for a message; repeating is safe.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        if len(data) <= min(inline_limit, INLINE_BYTES):
            return BlobRef(sha256=sha256, size=len(data), media_type=media_type, inline=bytes(data))
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(index: int) -> None:
            async with gate:
                await self._put_chunk(_subject(sha256, index), data[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES])

        await _all(one(index) for index in range(_chunks(len(data))))
        self._remember(sha256, bytes(data))
        return BlobRef(sha256=sha256, size=len(data), media_type=media_type)

    async def get(self, ref: BlobRef) -> bytes:
        """The content of `ref`, verified against its digest and size; fetched content is kept in a bounded cache.

        Raises:
            BlobMissing: if it is not in the store.
            BlobCorrupt: if what is there (or inline) has another digest or size.
            NotStored, Unknown: if there is no blob stream, or the broker does not answer in time.
        """
        if ref.inline is not None:
            return _verified(ref, ref.inline)
        known = self._cache.get(ref.sha256)
        if known is not None:
            self._cache.move_to_end(ref.sha256)
            return _verified_size(ref, known)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(index: int) -> bytes:
            async with gate:
                kept = await self._store.last(_subject(ref.sha256, index), stream=BLOB_STREAM)
            if kept is None:
                raise BlobMissing(f"the blob {ref.sha256} is not in the store (chunk {index})")
            return kept.body

        data = _verified(ref, b"".join(await _all(one(index) for index in range(_chunks(ref.size)))))
        self._remember(ref.sha256, data)
        return data

    async def _put_chunk(self, subject: str, chunk: bytes) -> None:
        try:
            await self._store.write([Part(subject, chunk, expected=0, limit=_CHUNK_LIMIT)], stream=BLOB_STREAM)
        except Conflict:
            kept = await self._store.last(subject, stream=BLOB_STREAM)
            if kept is None or kept.body != chunk or self._clock.now() - kept.time > _FRESH:
                await self._store.write([Part(subject, chunk, limit=_CHUNK_LIMIT)], stream=BLOB_STREAM)

    def _remember(self, sha256: str, data: bytes) -> None:
        if len(data) > self._cache_bytes // 4:
            return
        old = self._cache.pop(sha256, b"")
        self._cache[sha256] = data
        self._cached += len(data) - len(old)
        while self._cached > self._cache_bytes:
            _, dropped = self._cache.popitem(last=False)
            self._cached -= len(dropped)


async def _all(coroutines: Iterable[Coroutine[Any, Any, R]]) -> list[R]:
    """The results in order; the first failure cancels the rest."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _subject(sha256: str, index: int) -> str:
    return f"quire.blob.{sha256}.{index}"


def _chunks(size: int) -> int:
    return -(-size // CHUNK_BYTES)


def _verified_size(ref: BlobRef, data: bytes) -> bytes:
    if len(data) != ref.size:
        raise BlobCorrupt(f"the blob {ref.sha256} has {len(data)} bytes, its reference says {ref.size}")
    return data


def _verified(ref: BlobRef, data: bytes) -> bytes:
    _verified_size(ref, data)
    found = hashlib.sha256(data).hexdigest()
    if found != ref.sha256:
        raise BlobCorrupt(f"the content has the digest {found}, its reference says {ref.sha256}")
    return data
