"""Batches are staged in memory; nothing that is committed depends on it."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
import structlog

from quire_all_in_one.broker import Broker
from quire_all_in_one.staging import Staging
from quire_bus.connection import BusSettings, connect
from quire_bus.store import Part, Store
from quire_resilience.clock import SystemClock
from quire_testing import eventually


def batches(tmp_path):
    return tmp_path / "nats" / "jetstream" / "jetstream" / "$G" / "streams" / "QUIRE" / "batches"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no memory file system here")
async def test_a_commit_survives_the_broker_that_staged_it_in_memory(tmp_path):
    with Broker(tmp_path, -1) as broker:
        await broker.provision()
        assert batches(tmp_path).is_symlink()
        target = batches(tmp_path).resolve()
        assert target.stat().st_mode & 0o077 == 0
        keeping = asyncio.create_task(broker.keep(clock=SystemClock(), log=structlog.get_logger()))
        connection = await connect(BusSettings(url=broker.url, name="test"), print)
        store, parts = Store(connection), [Part(f"quire.rec.acme.test.{name}", b"{}", expected=0) for name in "ab"]
        assert (await store.write(parts)).sequence == 2
        assert list(target.iterdir()) == []
        pid = broker.pid
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: broker.pid not in {None, pid})
        await eventually(batches(tmp_path).is_symlink)
        again = [Part(f"quire.rec.acme.test.{name}", b"{}", expected=number) for number, name in enumerate("ab", 1)]
        assert (await store.write(again)).sequence == 4
        keeping.cancel()
        await connection.close()
    assert not target.exists()


def test_a_batch_under_way_is_not_moved(tmp_path):
    staging = Staging(tmp_path / "store", memory=tmp_path)
    stream = tmp_path / "store" / "jetstream" / "$G" / "streams" / "QUIRE"
    assert not staging.ensure()  # there is no stream yet
    (stream / "batches" / "one").mkdir(parents=True)
    assert not staging.ensure()
    assert (stream / "batches" / "one").is_dir()
    (stream / "batches" / "one").rmdir()
    assert staging.ensure()
    assert staging.ensure()


def test_without_memory_to_stage_in_nothing_is_touched(tmp_path):
    stream = tmp_path / "store" / "jetstream" / "$G" / "streams" / "QUIRE"
    (stream / "batches").mkdir(parents=True)
    assert not Staging(tmp_path / "store", memory=tmp_path / "none").ensure()
    assert (stream / "batches").is_dir()
    assert not (stream / "batches").is_symlink()
