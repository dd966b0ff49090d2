import asyncio
import os
import sys

import pytest
from nats.js.api import StreamConfig

from quire_bus.broker_config import stream_config
from quire_bus.connection import BusSettings, connect
from quire_bus.provision import ProvisionError, _check_version, differences, provision
from quire_bus.server import NatsServer
from quire_contracts.topology import BUCKETS, CONSUMERS, STREAM, STREAMS


async def test_everything_in_the_topology_is_there(provisioned, js):
    names = {info.config.name for info in await js.streams_info()}
    assert names == {row.name for row in STREAMS} | {f"KV_{row.name}" for row in BUCKETS} | {"QUIRE_BLOBS"}
    consumers = {info.name: info.config for info in await js.consumers_info("QUIRE")}
    assert set(consumers) == {row.durable for row in CONSUMERS}
    for row in CONSUMERS:
        config = consumers[row.durable]
        assert (config.ack_wait, config.max_deliver, config.max_ack_pending) == (
            row.ack_wait,
            row.max_deliver,
            row.max_ack_pending,
        )
        assert config.filter_subjects == list(row.filters) or config.filter_subject == row.filters[0]
    log = (await js.stream_info("QUIRE")).config
    assert (log.allow_atomic, log.allow_msg_ttl, log.allow_msg_schedules, log.allow_direct) == (True,) * 4
    assert (log.retention, log.duplicate_window, log.max_age) == ("limits", 120.0, STREAM.max_age)


async def test_again_changes_nothing_and_loses_nothing(bus, js, cancel):
    await bus.publisher.publish(cancel("j1"))
    before = [info.config.as_dict() for info in await js.streams_info()]
    await provision(bus.connection)
    assert [info.config.as_dict() for info in await js.streams_info()] == before
    assert (await js.stream_info("QUIRE")).state.messages == 1


async def test_drift_is_brought_back(bus, js):
    config = (await js.stream_info("QUIRE")).config
    config.max_age = config.duplicate_window = 60.0
    config.subjects = [*config.subjects, "quire.extra.>"]
    await js.update_stream(config)
    await provision(bus.connection)
    config = (await js.stream_info("QUIRE")).config
    assert (config.max_age, config.duplicate_window) == (STREAM.max_age, STREAM.duplicate_window)
    assert config.subjects == list(STREAM.subjects)


async def test_what_cannot_be_changed_is_loud(nats_server, bus_settings, bus, js):
    await js.delete_stream("QUIRE_DEAD")
    await js.add_stream(StreamConfig(name="QUIRE_DEAD", subjects=["quire.dead.>"], storage="memory"))
    with pytest.raises(ProvisionError, match="QUIRE_DEAD"):
        await provision(bus.connection)


def test_a_broker_that_is_too_old_is_said():
    class Old:
        class client:  # noqa: N801
            connected_server_version = "<nats server v2.9.10>"

    with pytest.raises(ProvisionError, match=r"2\.12 or newer"):
        _check_version(Old)


def test_a_field_that_an_older_broker_ignored_is_found():
    wanted = stream_config(STREAM, 1)
    found = stream_config(STREAM, 1)
    found.allow_atomic = None
    assert differences(wanted, found) == "allow_atomic is None, not True"
    assert differences(wanted, wanted) == ""


async def test_the_bootstrap_command(tmp_path):
    with NatsServer(tmp_path / "nats") as server:
        environment = {**os.environ, "QUIRE_NATS_URL": server.url}
        for _ in range(2):
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "quire_bus.provision",
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            _, errors = await asyncio.wait_for(child.communicate(), 30)
            assert (child.returncode, errors) == (0, b"")


async def test_a_small_disk_gets_small_limits(tmp_path):
    config = 'jetstream: { store_dir: "%s", max_file_store: 1GB }' % (tmp_path / "small")
    with NatsServer(tmp_path / "nats", config=config) as server:
        connection = await connect(BusSettings(url=server.url, name="provision"), print)
        js = connection.client.jetstream()
        await provision(connection)
        first = {info.config.name: info.config.max_bytes for info in await js.streams_info()}
        assert sum(limit for limit in first.values() if limit > 0) <= 1000**3
        assert min(limit for limit in first.values() if limit > 0) >= 8 * 1024**2
        await provision(connection)
        assert {info.config.name: info.config.max_bytes for info in await js.streams_info()} == first
        await connection.close()
