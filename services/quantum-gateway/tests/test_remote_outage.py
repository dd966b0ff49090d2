"""Two gateways of one house, a real broker, and a cloud whose device goes away and comes back."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from quire_contracts.batch import BatchExecuted, BatchFailed, ExecuteBatch
from quire_contracts.breaker import TargetState, target_key
from quire_emulator.process import EmulatorProcess
from quire_emulator.rules import Rule
from quire_quantum_gateway.__main__ import SERVICE
from quire_quantum_gateway.settings import Settings
from quire_resilience.clock import SystemClock
from quire_service import hosted
from quire_testing import eventually
from quire_testing.executor_suite import TURN_MEASURED

ARN = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with EmulatorProcess(tmp_path_factory.mktemp("cloud"), seed=3) as emulator:
        yield emulator


@pytest.fixture
def settings(cloud, provisioned, account):
    return Settings(
        nats_url=provisioned.url,
        targets=("aws:*",),
        warm_targets=(),
        aws_devices={"forte": ARN},
        aws_endpoint_url=f"{cloud.url}/braket",
        aws_s3_endpoint_url=f"{cloud.url}/s3",
        aws_results_bucket="amazon-braket-emulated",
        breaker_open_seconds=0.5,
        breaker_longest_seconds=0.5,
        patience_down_seconds=120,
        poll_seconds=0.2,
    )


async def test_a_device_that_is_away_costs_one_probe_at_a_time_and_no_delivery(cloud, settings, make_bus, probe, make):
    bus, log = await make_bus("helper"), await probe("quire.>")
    targets = bus.bucket("backends", TargetState)
    cloud.arm(Rule(kind="offline", device=ARN))
    batches = [
        msgspec.structs.replace(
            make.batch(TURN_MEASURED, [make.slice(f"t{number}", 1)], target="aws:forte", batch_id=f"b{number}"),
            formed_at=SystemClock().now(),
        )
        for number in range(6)
    ]
    async with hosted(SERVICE, settings), hosted(SERVICE, settings):
        for batch in batches:
            await bus.publisher.publish(ExecuteBatch(batch))

        async def is_said(state):
            stored = await targets.get(target_key("aws:forte"))
            return stored is not None and stored.value.state == state

        await eventually(lambda: is_said("down"), within=20)
        await eventually(lambda: len([each for each in kinds(log) if each == "half-opened"]) >= 2, within=20)
        assert log.of(BatchExecuted) == log.of(BatchFailed) == []
        cloud.disarm()
        await log.wait(BatchExecuted, 6, within=60)
        await eventually(lambda: is_said("up"), within=20)
    assert log.of(BatchFailed) == []
    assert cloud.report().applied == 6
    said = kinds(log)
    assert (said[0], said[-1]) == ("opened", "closed")
    allowed = {("opened", "half-opened"), ("half-opened", "opened"), ("half-opened", "closed"), ("closed", "opened")}
    assert set(itertools.pairwise(said)) <= allowed
    assert await bus.dead_letters.newest() == ()


def kinds(log):
    """What was said of the device's breaker, in its order."""
    scoped = [each for each in log.recorded if ".breaker." in each.subject and each.message.scope.operation == "any"]
    return [each.subject.split(".")[4] for each in scoped]
