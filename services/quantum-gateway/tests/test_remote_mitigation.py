"""The whole service, a real broker, an emulated cloud: reading is measured once, and calibrations change meanwhile."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from quire_contracts.batch import BatchExecuted, BatchFailed, ExecuteBatch
from quire_contracts.calibration import CalibrationChanged
from quire_contracts.mitigation import Mitigation, Readout, Zne
from quire_emulator.process import EmulatorProcess
from quire_quantum_gateway.__main__ import SERVICE
from quire_quantum_gateway.settings import Settings
from quire_service import hosted
from quire_testing.executor_suite import BELL, FLIP

CLOUD = """
[[devices]]
name = "ibm_noisy"
api = "jobs"
model = "manila"
qubits = 5
noise = { one_qubit = 0.001, two_qubit = 0.03, readout = 0.05 }
drift = 0.0

[[devices]]
name = "ibm_restless"
api = "jobs"
model = "manila"
qubits = 5
calibration_seconds = 1.0
drift = 0.9
wait = [3600.0, 3600.0]
"""
SHOTS = 20_000


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with EmulatorProcess(tmp_path_factory.mktemp("cloud"), config=CLOUD, seed=3) as emulator:
        yield emulator


@pytest.fixture
def settings(cloud, provisioned):
    """`settings(...)`: a gateway of the cloud's two devices, which looks often."""

    def of(**changes):
        return Settings(
            nats_url=provisioned.url,
            warm_targets=(),
            targets=("ibm:*",),
            ibm_backends=("ibm_noisy", "ibm_restless"),
            ibm_api="jobs",
            ibm_url=f"{cloud.url}/ibm/v1",
            poll_seconds=0.05,
            poll_most_seconds=0.2,
            **changes,
        )

    return of


async def test_mitigated_batches_share_one_measurement_of_reading_and_come_near_the_truth(
    cloud, settings, bus, probe, make
):
    log = await probe("quire.evt.>")
    before = cloud.report().applied
    asked = {
        "plain": None,
        "readout": Mitigation(readout=Readout(shots=SHOTS)),
        "both": Mitigation(readout=Readout(shots=SHOTS), zne=Zne(extrapolation="exponential")),
    }
    async with hosted(SERVICE, settings()):
        for name, mitigation in asked.items():
            batch = make.batch(
                BELL,
                [make.slice(name, np.zeros((1, 0)))],
                target="ibm:ibm_noisy",
                shots=SHOTS,
                observables=[{"ZZ": 1.0}],
                batch_id=name,
            )
            await bus.publisher.publish(ExecuteBatch(msgspec.structs.replace(batch, mitigation=mitigation)))
            await log.wait(BatchExecuted, 1 + list(asked).index(name), within=60)
    executed = {each.batch_id: each for each in await log.wait(BatchExecuted, 3)}
    error = {
        name: abs(1.0 - np.frombuffer(each.results[0].values.data.inline, "<f8").item())
        for name, each in executed.items()
    }
    assert error["readout"] < 0.5 * error["plain"]
    assert error["both"] < 0.25 * error["plain"]
    assert executed["both"].execution.mitigation["readout"] == "mthree"
    assert executed["both"].execution.transpiler["compiled_for"] == executed["both"].execution.calibration_id
    # Three batches, and one that measured how the qubits are read.
    assert cloud.report().applied == before + 4


async def test_what_waits_for_a_device_that_drifts_comes_back_and_everybody_is_told(settings, bus, probe, make):
    log = await probe("quire.evt.>")
    batch = make.batch(FLIP, [make.slice("a", np.zeros((1, 0)))], target="ibm:ibm_restless", batch_id="waits")
    rule = {"drift_two_qubit_error": 0.0, "drift_readout_error": 0.0, "drift_t1": 0.0}
    async with hosted(SERVICE, settings(calibration_seconds=0.2, **rule)):
        await bus.publisher.publish(ExecuteBatch(batch))
        (failed,) = await log.wait(BatchFailed, within=60)
        changed = await log.wait(CalibrationChanged, within=60)
    assert (failed.fault.kind, failed.fault.code) == ("calibration", "compilation-stale")
    assert changed[0].target == "ibm:ibm_restless"
    assert changed[0].calibration_id != changed[0].previous_id
    assert changed[0].after.two_qubit_error > 0
