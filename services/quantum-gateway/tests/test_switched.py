"""Kill switches before a provider, on a real broker: nothing begins, nothing is lost, what is there is fetched."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from quire_contracts.batch import BatchExecuted, BatchFailed, ExecuteBatch
from quire_contracts.switch import Switch, switch_key
from quire_quantum_gateway.journal import KIND, Submission
from quire_resilience.clock import SystemClock
from quire_testing import eventually
from quire_testing.executor_suite import FLIP

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def turn(bus, state, scope="backend", name="cloud:x"):
    switch = Switch(scope, name, state, "it drifts", "ann", NOW)
    await bus.bucket("switches", Switch).put(switch_key(scope, name), switch)


def batch_of(make, batch_id, *tenants):
    members = [make.slice(f"{batch_id}-{tenant}", [[]], tenant=tenant) for tenant in tenants or ("acme",)]
    return make.batch(FLIP, members, target="cloud:x", batch_id=batch_id)


@pytest.mark.parametrize("mode", ["token", "tag", "none"])
async def test_a_switch_holds_for_the_very_next_call_and_goes_on_when_it_is_on(gateway, remote, bus, probe, make, mode):
    log = await probe("quire.evt.>")
    provider = remote.FakeRemote(mode, SystemClock(), polls=-1)
    await gateway(provider, background=True)
    await bus.publisher.publish(ExecuteBatch(batch_of(make, "b1")))
    await log.wait(BatchExecuted)
    await turn(bus, "off")
    await eventually(lambda: ends(bus, log, make, BatchFailed))
    calls, before = provider.calls["submit"], len(log.of(BatchFailed))
    await bus.publisher.publish(ExecuteBatch(batch_of(make, "b3")))
    failed = (await log.wait(BatchFailed, before + 1))[-1]
    assert (failed.fault.kind, failed.fault.code, failed.fault.retryable) == ("offline", "switched-off", True)
    assert failed.fault.reason == "the backend cloud:x is switched off: it drifts"
    assert provider.calls["submit"] == calls
    journal = (await bus.records(KIND, Submission).get("shared", "b3")).value
    assert (journal.calls, journal.state) == (0, "failed")
    await turn(bus, "on")
    await eventually(lambda: ends(bus, log, make, BatchExecuted))


async def ends(bus, log, make, how):
    """Whether a new batch ends like that by now."""
    before = len(log.of(BatchExecuted)) + len(log.of(BatchFailed))
    found = len(log.of(how))
    await bus.publisher.publish(ExecuteBatch(batch_of(make, f"try{before}")))
    await eventually(lambda: len(log.of(BatchExecuted)) + len(log.of(BatchFailed)) > before)
    return len(log.of(how)) > found


async def test_a_tenants_switch_stops_the_batches_it_is_in_and_no_others(gateway, remote, bus, probe, make):
    log = await probe("quire.evt.>")
    provider = remote.FakeRemote("token", SystemClock(), polls=-1)
    await turn(bus, "off", "tenant", "acme")
    await gateway(provider, background=True)
    for batch in (batch_of(make, "b1", "acme", "beta"), batch_of(make, "b2", "beta")):
        await bus.publisher.publish(ExecuteBatch(batch))
    (failed,), (executed,) = await log.wait(BatchFailed), await log.wait(BatchExecuted)
    assert (failed.batch_id, failed.fault.code, executed.batch_id) == ("b1", "switched-off", "b2")
    assert len(failed.members) == 2


async def test_a_switch_that_nobody_can_read_stops_everything_until_it_is_mended(gateway, remote, bus, probe, make):
    class Foreign(msgspec.Struct):
        state: str = "half"

    log = await probe("quire.evt.>")
    provider = remote.FakeRemote("token", SystemClock(), polls=-1)
    await bus.bucket("switches", Foreign).put(switch_key("all", ""), Foreign())
    await gateway(provider, background=True)
    batch = msgspec.structs.replace(batch_of(make, "b1"), formed_at=datetime.now(UTC))
    await bus.publisher.publish(ExecuteBatch(batch))

    async def waits():
        return await bus.records(KIND, Submission).get("shared", "b1")

    await eventually(waits)
    assert (await waits()).value.calls == 0
    await turn(bus, "on", "all", "")
    assert (await log.wait(BatchExecuted))[0].batch_id == "b1"
    assert len(provider.ledger) == 1


async def test_what_is_at_the_provider_is_fetched_though_it_was_switched_off(gateway, remote, bus, probe, make):
    log = await probe("quire.evt.>")
    provider = remote.FakeRemote("token", SystemClock(), polls=1_000_000)
    await gateway(provider, background=True)
    await bus.publisher.publish(ExecuteBatch(batch_of(make, "b1")))
    await eventually(lambda: provider.ledger)
    await turn(bus, "off", "all", "")
    provider.polls = -1
    assert (await log.wait(BatchExecuted))[0].batch_id == "b1"
