"""A broker for each test, probes that miss nothing, and spans by their names."""

import pytest

from quire_contracts.job import CancelJob
from quire_testing import Probe, eventually


async def test_each_test_has_a_broker_of_its_own(bus):
    assert (await bus.bounds())[1] == 0
    await bus.publisher.publish(CancelJob(job_id="j1", tenant="acme"))
    assert (await bus.bounds())[1] == 1


async def test_each_test_has_a_broker_of_its_own_again(bus):
    assert (await bus.bounds())[1] == 0


async def test_a_probe_records_what_is_stored_and_says_what_it_missed(bus, probe):
    commands, everything = await probe("quire.cmd.acme.>"), await probe()
    await bus.publisher.publish(CancelJob(job_id="j1", tenant="acme"))
    await bus.publisher.publish(CancelJob(job_id="j1", tenant="other"))
    await everything.wait(CancelJob, 2)
    [recorded] = await eventually(lambda: commands.recorded)
    assert (recorded.subject, recorded.sequence) == ("quire.cmd.acme.job.cancel.v1.j1", 1)
    assert (recorded.message.job_id, recorded.meta.source) == ("j1", "/quire/test")
    with pytest.raises(AssertionError, match=r"1 of 2 CancelJob; recorded: \['quire.cmd.acme"):
        await commands.wait(CancelJob, 2, within=0.1)


async def test_a_probe_sees_nothing_of_a_refused_batch(bus, probe):
    from quire_bus.errors import Conflict
    from quire_bus.store import Part, Store

    log: Probe = await probe("quire.rec.>")
    store = Store(bus.connection)
    await store.write([Part("quire.rec.acme.t.a", b"1", expected=0)])
    with pytest.raises(Conflict):
        await store.write([Part("quire.rec.acme.t.b", b"1"), Part("quire.rec.acme.t.a", b"2", expected=0)])
    await store.write([Part("quire.rec.acme.t.c", b"1")])
    await eventually(lambda: len(log.recorded) == 2)
    assert [subject[-1] for subject in log.subjects] == ["a", "c"]


async def test_the_broker_keeps_its_port_and_its_data(provisioned, bus):
    url, pid = provisioned.url, provisioned.pid
    await bus.publisher.publish(CancelJob(job_id="j1", tenant="acme"))
    provisioned.kill()
    assert not provisioned.is_running
    provisioned.start()
    assert provisioned.url == url
    assert provisioned.pid != pid

    async def kept():
        return (await bus.bounds())[1] == 1

    await eventually(kept)


def test_a_broker_that_cannot_start_says_why(tmp_path):
    from quire_bus.server import NatsServer, ServerFailed

    with pytest.raises(ServerFailed, match="nonsense"):
        NatsServer(tmp_path, config="nonsense_option: 1").start()


async def test_spans_are_read_by_name(spans):
    with spans.tracer("a").start_as_current_span("one"):
        pass
    [span] = spans.named("one")
    assert span.resource.attributes["service.name"] == "a"
    assert spans.named("two") == []
