"""The embedded broker: one house to a folder, back on its port with its data after a death, no orphan beside it."""

import asyncio
import os
import signal
from pathlib import Path

import nats
import pytest
import structlog

from quire_all_in_one.broker import Broker, HouseTaken, free_port, is_free
from quire_bus.server import NatsServer
from quire_resilience.clock import SystemClock
from quire_testing import eventually


def test_a_folder_has_one_house(tmp_path):
    with Broker(tmp_path, -1), pytest.raises(HouseTaken, match="--data-dir"), Broker(tmp_path, -1):
        pass
    with Broker(tmp_path, -1) as again:
        assert again.pid


async def test_a_killed_broker_is_back_on_its_port_with_its_data(tmp_path):
    with Broker(tmp_path, -1) as broker:
        await broker.provision()
        keeping = asyncio.create_task(broker.keep(clock=SystemClock(), log=structlog.get_logger()))
        first, url = broker.pid, broker.url
        client = await nats.connect(url)
        await client.jetstream().publish("quire.evt.acme.job.accepted.v1.j1", b"{}")
        await client.close()
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: broker.pid not in {None, first})
        keeping.cancel()
        assert broker.url == url
        client = await nats.connect(url)
        kept = await client.jetstream().get_last_msg("QUIRE", "quire.evt.acme.job.accepted.v1.j1")
        await client.close()
        assert kept.data == b"{}"


async def test_the_broker_of_a_killed_house_does_not_stay_beside_the_next_one(tmp_path):
    orphan = NatsServer(tmp_path / "nats").start()
    (tmp_path / "broker.pid").write_text(f"{orphan.pid}\n")
    with Broker(tmp_path, -1) as broker:
        assert not orphan.is_running
        assert broker.pid


def test_a_stranger_with_the_same_number_is_left_alone(tmp_path):
    (tmp_path / "broker.pid").write_text(f"{os.getpid()}\n")
    with Broker(tmp_path, -1) as broker:
        assert broker.pid


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes' environments are read in /proc")
def test_the_broker_has_the_environment_that_it_is_given(tmp_path):
    with Broker(tmp_path, -1, {"GOMAXPROCS": "7"}) as broker:
        assert Path(f"/proc/{broker.pid}/environ").read_bytes() == b"GOMAXPROCS=7\0"


def test_a_free_port_is_free():
    assert is_free(free_port())
