"""Records and buckets: typed, read by anybody, replaced by compare-and-swap."""

import asyncio

import pytest

from quire_bus.errors import Conflict, DecodeError, NotStored
from quire_bus.records import RecordWrite
from quire_contracts.job import CancelJob, JobRejected
from quire_testing import eventually


async def test_a_record_is_created_replaced_and_read(bus, cancel):
    records = bus.records("thing", CancelJob)
    assert await records.get("acme", "t1") is None
    first = await records.put(records.write("acme", "t1", cancel(reason="1"), 0))
    assert (await records.get("acme", "t1")).value.reason == "1"
    second = await records.put(records.write("acme", "t1", cancel(reason="2"), first))
    stored = await records.get("acme", "t1")
    assert (stored.value.reason, stored.revision) == ("2", second)
    with pytest.raises(Conflict):
        await records.put(records.write("acme", "t1", cancel(reason="3"), first))
    with pytest.raises(Conflict):
        await records.put(records.write("acme", "t1", cancel(reason="3"), 0))
    await records.put(records.write("acme", "t1", cancel(reason="4"), None))
    assert (await records.get("acme", "t1")).value.reason == "4"


async def test_of_many_writers_at_once_each_increment_counts(bus):
    """Twenty writers add one each by read, compare and swap; nothing is lost."""
    records = bus.records("counter", JobRejected)

    def value(number):
        return JobRejected(job_id="j", tenant="acme", code=str(number), reason="", next_step="")

    async def add():
        while True:
            found = await records.get("acme", "c")
            number, revision = (int(found.value.code), found.revision) if found else (0, 0)
            try:
                await records.put(records.write("acme", "c", value(number + 1), revision))
            except Conflict:
                continue
            return

    await asyncio.gather(*(add() for _ in range(20)))
    assert (await records.get("acme", "c")).value.code == "20"


async def test_a_record_of_another_type_is_not_converted(bus, cancel, rejected):
    await bus.records("thing", JobRejected).put(RecordWrite("thing", "acme", "t1", cancel(), 0))
    with pytest.raises(DecodeError, match="JobRejected"):
        await bus.records("thing", JobRejected).get("acme", "t1")


@pytest.mark.parametrize(("tenant", "id_"), [("acme", "a.b"), ("*", "a"), ("acme", ">"), ("acme", "")])
async def test_a_record_cannot_reach_into_other_subjects(bus, cancel, tenant, id_):
    with pytest.raises(ValueError, match="cannot stand in a subject"):
        await bus.records("thing", CancelJob).get(tenant, id_)
    with pytest.raises(ValueError, match="cannot stand in a subject"):
        await bus.records("thing", CancelJob).put(RecordWrite("thing", tenant, id_, cancel(), 0))


async def test_a_record_with_a_lifetime_goes(bus, cancel):
    records = bus.records("thing", CancelJob)
    await records.put(records.write("acme", "t1", cancel(), 0, ttl_seconds=1))

    async def gone():
        return await records.get("acme", "t1") is None

    await eventually(gone)


async def test_a_bucket_is_a_bucket_for_every_client(bus, js, cancel):
    bucket = bus.bucket("submissions", CancelJob)
    assert await bucket.get("batch.b1") is None
    first = await bucket.put("batch.b1", cancel(reason="intent"), 0)
    await bucket.put("batch.b2", cancel(), 0)
    second = await bucket.put("batch.b1", cancel(reason="sent"), first)
    with pytest.raises(Conflict):
        await bucket.put("batch.b1", cancel(reason="twice"), first)
    assert (await bucket.get("batch.b1")).revision == second
    theirs = await js.key_value("submissions")
    assert (await theirs.get("batch.b1")).value == b'{"job_id":"j1","tenant":"acme","reason":"sent"}'
    await theirs.put("other", b'{"job_id":"j9","tenant":"acme"}')
    assert (await bucket.get("other")).value.job_id == "j9"
    assert await bucket.keys() == ("batch.b1", "batch.b2", "other")
    assert await bucket.keys("batch.") == ("batch.b1", "batch.b2")
    await bucket.delete("batch.b1")
    await bucket.delete("never-there")
    assert await bucket.get("batch.b1") is None
    await theirs.delete("other")
    assert await bucket.get("other") is None


@pytest.mark.parametrize("key", ["", ".", "a..b", "*", "a.>", "a b", "x" * 300])
async def test_a_key_that_is_none_is_refused(bus, key):
    with pytest.raises(ValueError, match="no key"):
        await bus.bucket("quotas", CancelJob).get(key)


async def test_a_bucket_that_is_not_there_is_said(bus):
    with pytest.raises(NotStored):
        await bus.bucket("nowhere", CancelJob).get("a")


async def test_what_a_record_once_was_is_read_back_by_its_revision(bus, cancel):
    records = bus.records("thing", CancelJob)
    revisions = [0]
    for number in range(3):
        revisions.append(await records.put(records.write("acme", "t1", cancel(reason=str(number)), revisions[-1])))
        await records.put(records.write("acme", "t2", cancel(reason="another"), None))
    found = [await records.since("acme", "t1", revision) for revision in (1, revisions[1] + 1, revisions[3])]
    assert [(stored.value.reason, stored.revision) for stored in found] == [
        ("0", revisions[1]),
        ("1", revisions[2]),
        ("2", revisions[3]),
    ]
    assert await records.since("acme", "t1", revisions[3] + 1) is None
    assert await records.since("acme", "t9", 1) is None
