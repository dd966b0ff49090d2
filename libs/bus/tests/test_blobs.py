import asyncio
import hashlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_bus.blobs import CHUNK_BYTES, Blobs
from quire_bus.errors import BlobCorrupt, BlobMissing
from quire_bus.store import Part, Store
from quire_contracts.limits import INLINE_BYTES
from quire_contracts.topology import OBJECTS
from quire_contracts.value import BlobRef
from quire_resilience.clock import SystemClock


def content(size):
    return (hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1))[:size]


@pytest.fixture
def fresh(bus):
    """Another process's view: nothing cached."""
    return lambda: Blobs(Store(bus.connection), SystemClock())


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES])
async def test_small_content_travels_inside_its_reference(bus, size):
    ref = await bus.blobs.put(content(size), "text/plain")
    assert ref == BlobRef(
        sha256=hashlib.sha256(content(size)).hexdigest(), size=size, media_type="text/plain", inline=content(size)
    )
    assert await bus.blobs.get(ref) == content(size)
    assert await bus._store.bounds("QUIRE_BLOBS") in {(0, 0), (1, 0)}


@pytest.mark.parametrize("size", [INLINE_BYTES + 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 7])
async def test_large_content_is_stored_once_and_read_by_anybody(bus, fresh, size):
    ref = await bus.blobs.put(content(size), "application/octet-stream")
    assert (ref.size, ref.inline) == (size, None)
    assert await fresh().get(ref) == content(size)
    assert await fresh().put(content(size), "application/octet-stream") == ref
    chunks = -(-size // CHUNK_BYTES)
    assert (await bus._store.bounds("QUIRE_BLOBS"))[1] == chunks


async def test_the_inline_limit_can_be_lowered_and_not_raised(bus):
    assert (await bus.blobs.put(b"x" * 100, "a/b", inline_limit=99)).inline is None
    assert (await bus.blobs.put(b"x" * (INLINE_BYTES + 1), "a/b", inline_limit=10**9)).inline is None


async def test_an_interrupted_put_is_completed_by_the_next(bus, fresh):
    data = content(3 * CHUNK_BYTES)
    sha256 = hashlib.sha256(data).hexdigest()
    await bus._store.write([Part(f"quire.blob.{sha256}.1", data[CHUNK_BYTES : 2 * CHUNK_BYTES], limit=10**6)])
    ref = BlobRef(sha256=sha256, size=len(data), media_type="a/b")
    with pytest.raises(BlobMissing, match="chunk"):
        await bus.blobs.get(ref)
    await fresh().put(data, "a/b")
    assert await fresh().get(ref) == data


async def test_content_that_is_not_what_its_digest_says_is_never_given(bus, fresh):
    data = content(INLINE_BYTES + 1)
    ref = await bus.blobs.put(data, "a/b")
    await bus._store.write([Part(f"quire.blob.{ref.sha256}.0", data[:-1] + b"!")])
    with pytest.raises(BlobCorrupt, match="digest"):
        await fresh().get(ref)
    with pytest.raises(BlobCorrupt, match="digest"):
        await bus.blobs.get(BlobRef(sha256=ref.sha256, size=3, media_type="a/b", inline=b"abc"))
    with pytest.raises(BlobCorrupt, match="bytes"):
        await bus.blobs.get(BlobRef(sha256=ref.sha256, size=7, media_type="a/b"))
    await fresh().put(data, "a/b")  # putting it again heals it
    assert await fresh().get(ref) == data


async def test_putting_old_content_again_keeps_it_from_ageing_away(bus, clock):
    data = content(INLINE_BYTES + 1)
    ref = await bus.blobs.put(data, "a/b")
    first = await bus._store.last(f"quire.blob.{ref.sha256}.0", stream="QUIRE_BLOBS")

    class Later:
        def now(self):
            return first.time + timedelta(seconds=OBJECTS.max_age / 2 + 1)

    await Blobs(bus._store, Later()).put(data, "a/b")
    second = await bus._store.last(f"quire.blob.{ref.sha256}.0", stream="QUIRE_BLOBS")
    assert second.sequence > first.sequence


async def test_fetched_content_is_kept_within_its_bound(bus):
    blobs = Blobs(bus._store, SystemClock(), cache_bytes=400_000)
    refs = [await blobs.put(content(90_000 + n), "a/b") for n in range(8)]
    assert blobs._cached == sum(map(len, blobs._cache.values())) <= 400_000
    asked = []
    last = bus._store.last

    async def counted(subject, **options):
        asked.append(subject)
        return await last(subject, **options)

    bus._store.last = counted
    assert await blobs.get(refs[-1]) == content(90_007)
    assert asked == []
    assert await blobs.get(refs[0]) == content(90_000)
    assert len(asked) == 1


async def test_many_at_once(bus, fresh):
    datas = [content(20_000 + n) for n in range(40)]
    refs = await asyncio.gather(*(bus.blobs.put(data, "a/b") for data in datas))
    assert await asyncio.gather(*map(fresh().get, refs)) == datas


@given(st.binary(max_size=2000), st.binary(min_size=1, max_size=50))
def test_any_change_to_inline_content_is_found(data, change):
    ref = BlobRef(sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type="a/b", inline=change + data)
    with pytest.raises(BlobCorrupt):
        asyncio.run(Blobs(None, None).get(ref))
