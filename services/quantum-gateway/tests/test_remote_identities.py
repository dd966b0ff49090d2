"""The whole service, a real broker, an emulated cloud: a batch whose first answer is lost, in each kind of identity."""

from __future__ import annotations

import pytest

from quire_contracts.batch import BatchExecuted, BatchFailed, ExecuteBatch
from quire_emulator.process import EmulatorProcess
from quire_emulator.rules import Rule
from quire_quantum.counts import PackedCounts, unpack
from quire_quantum_gateway.__main__ import SERVICE
from quire_quantum_gateway.settings import Settings
from quire_service import hosted
from quire_testing.executor_suite import TURN_MEASURED

FORTE = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with EmulatorProcess(tmp_path_factory.mktemp("cloud"), seed=3) as emulator:
        yield emulator


@pytest.fixture
def settings(cloud, provisioned, account):
    """`settings(identity)`: a gateway for one target of that identity, soon sure that a search finds nothing."""
    remote = {
        "token": {
            "aws_devices": {"forte": FORTE},
            "aws_endpoint_url": f"{cloud.url}/braket",
            "aws_s3_endpoint_url": f"{cloud.url}/s3",
            "aws_results_bucket": "amazon-braket-emulated",
        },
        "tag": {"ibm_backends": ("ibm_manila",), "ibm_api": "jobs", "ibm_url": f"{cloud.url}/ibm/v1"},
        "none": {
            "ibm_backends": ("ibm_manila",),
            "ibm_api": "jobs",
            "ibm_url": f"{cloud.url}/anonymous/v1",
            "ibm_identity": "none",
        },
    }

    def of(identity):
        return Settings(
            nats_url=provisioned.url,
            warm_targets=(),
            targets=("aws:*", "ibm:*"),
            poll_seconds=0.05,
            poll_most_seconds=0.2,
            search_seconds=0.1,
            quarantine_seconds=1.0,
            **remote[identity],
        )

    return of


@pytest.mark.parametrize(
    ("identity", "target"), [("token", "aws:forte"), ("tag", "ibm:ibm_manila"), ("none", "ibm:ibm_manila")]
)
async def test_a_batch_whose_answer_is_lost_is_paid_for_once(
    cloud, settings, bus, probe, make, deliver_again, identity, target
):
    log = await probe("quire.cmd.>", "quire.evt.>")
    before = cloud.report().applied
    cloud.arm(Rule(kind="timeout-applied", answer="cut", count=1))
    slices = [make.slice("a", [[0.0], [3.141592653589793]]), make.slice("b", [[3.141592653589793]])]
    batch = make.batch(TURN_MEASURED, slices, target=target, shots=20, batch_id=f"lost-{identity}")
    async with hosted(SERVICE, settings(identity)):
        await bus.publisher.publish(ExecuteBatch(batch=batch))
        if identity == "none":
            (failed,) = await log.wait(BatchFailed, within=60)
            assert (failed.fault.kind, failed.fault.code) == ("unknown", "submission-parked")
        else:
            (executed,) = await log.wait(BatchExecuted, within=60)
            tables = [result.counts for result in executed.results]
            rows = [
                unpack(PackedCounts.from_bytes(table.data.inline, rows=table.rows, bits=table.bits)) for table in tables
            ]
            assert rows == [[{"0": 20}, {"1": 20}], [{"1": 20}]]
            assert executed.execution.target == target
        await deliver_again(next(each for each in log.recorded if isinstance(each.message, ExecuteBatch)))
        await log.wait(BatchFailed if identity == "none" else BatchExecuted, 1)
    cloud.disarm()
    assert cloud.report().applied == before + 1
