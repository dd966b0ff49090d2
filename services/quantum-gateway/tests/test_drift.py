"""Calibrations that change: what is stale, what has drifted, and what becomes of work then."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from quire_contracts.calibration import CalibrationChanged, DeviceFigures
from quire_quantum_gateway.calibrations import Calibrations
from quire_quantum_gateway.drift import DriftRule, Drifts, Snapshot, worse
from quire_resilience.errors import Permanent
from quire_testing import eventually
from quire_testing.executor_suite import FLIP

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GOOD = DeviceFigures(two_qubit_error=0.01, readout_error=0.02, t1_seconds=1e-4)
BAD = DeviceFigures(two_qubit_error=0.02, readout_error=0.02, t1_seconds=1e-4)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"two_qubit_error": 0.0149}, ""),
        ({"two_qubit_error": 0.0151}, "two-qubit error 0.01 -> 0.0151"),
        ({"readout_error": 0.05}, "readout error 0.02 -> 0.05"),
        ({"t1_seconds": 4e-5}, "T1 0.0001 s -> 4e-05 s"),
        ({"t1_seconds": 6e-5}, ""),
        ({"two_qubit_error": 0.001, "t1_seconds": 1.0}, ""),
        ({"two_qubit_error": None, "readout_error": 0.2}, "readout error 0.02 -> 0.2"),
        ({"readout_error": 0.2, "t1_seconds": 1e-6}, "readout error 0.02 -> 0.2, T1 0.0001 s -> 1e-06 s"),
    ],
)
def test_drift_is_what_became_worse_by_more_than_the_rule_allows(changes, reason):
    after = DeviceFigures(**{"two_qubit_error": 0.01, "readout_error": 0.02, "t1_seconds": 1e-4, **changes})
    assert worse(GOOD, after, DriftRule()) == reason


def test_a_new_calibration_is_said_once_and_compared_with_the_last_good_one():
    drifts = Drifts()
    assert drifts.see("x:y", Snapshot("monday", GOOD), NOW) is None
    assert drifts.see("x:y", Snapshot("monday", GOOD), NOW) is None
    slightly = DeviceFigures(two_qubit_error=0.014)
    changed = drifts.see("x:y", Snapshot("tuesday", slightly), NOW)
    assert (changed.previous_id, changed.drifted, changed.action) == ("monday", False, "recompiled")
    changed = drifts.see("x:y", Snapshot("wednesday", DeviceFigures(two_qubit_error=0.02)), NOW)
    assert (changed.drifted, changed.reason) == (False, "")  # within half of Tuesday's
    changed = drifts.see("x:y", Snapshot("thursday", DeviceFigures(two_qubit_error=0.04)), NOW)
    assert (changed.drifted, changed.before.two_qubit_error) == (True, 0.02)
    changed = drifts.see("x:y", Snapshot("friday", DeviceFigures(two_qubit_error=0.05)), NOW)
    assert (changed.previous_id, changed.drifted, changed.before.two_qubit_error) == ("thursday", True, 0.02)


def drifted(**rule):
    drifts = Drifts(DriftRule(**rule))
    drifts.see("x:y", Snapshot("monday", GOOD), NOW - HOUR)
    drifts.see("x:y", Snapshot("tuesday", BAD), NOW)
    return drifts


def test_new_work_is_sent_elsewhere_only_where_the_rule_says_so():
    assert drifted().fault("x:y", NOW) is None
    drifts = drifted(action="reroute", hold_seconds=600)
    fault = drifts.fault("x:y", NOW)
    assert (fault.kind, fault.code, fault.retryable) == ("calibration", "calibration-drifted", True)
    assert "two-qubit error 0.01 -> 0.02" in fault.reason
    assert drifts.fault("x:z", NOW) is None
    drifts.see("x:y", Snapshot("wednesday", GOOD), NOW)
    assert drifts.fault("x:y", NOW) is None


def test_a_device_that_stays_as_it_is_counts_as_that_after_a_while():
    drifts = drifted(action="reroute", hold_seconds=600)
    assert drifts.fault("x:y", NOW + timedelta(seconds=599)) is not None
    assert drifts.fault("x:y", NOW + timedelta(seconds=600)) is None
    slightly = replace_figures(BAD, two_qubit_error=0.025)
    assert not drifts.see("x:y", Snapshot("wednesday", slightly), NOW + HOUR).drifted


def replace_figures(figures, **changes):
    return DeviceFigures(**{name: getattr(figures, name) for name in figures.__struct_fields__} | changes)


def test_what_waits_compiled_for_what_the_device_was_is_stale():
    drifts = drifted()
    before, after = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)
    assert drifts.stale("x:y", before, NOW).code == "compilation-stale"
    assert drifts.stale("x:y", after, NOW + HOUR * 2) is None
    assert drifts.stale("x:unseen", before, NOW) is None


def test_no_compilation_runs_that_is_older_than_its_bound():
    drifts = Drifts(DriftRule(compiled_seconds=100.0))
    assert drifts.stale("x:y", NOW, NOW + timedelta(seconds=99)) is None
    assert drifts.stale("x:y", NOW, NOW + timedelta(seconds=100)).code == "compilation-too-old"
    assert drifts.stale("x:y", None, NOW) is None


class Calibrated:
    """A provider of one backend with a new calibration at each look; the second look fails."""

    name = "cloud"

    def __init__(self):
        self.figures = itertools.chain([GOOD, KeyError("a bug"), BAD], itertools.repeat(BAD))
        self.now = {}

    def refresh(self):
        found = next(self.figures)
        if isinstance(found, Exception):
            raise found
        self.now = {"x": Snapshot(f"calibration-{len(self.now)}-{found.two_qubit_error}", found)}
        return ("x",)

    def snapshots(self):
        return self.now


class Said:
    def __init__(self):
        self.messages = []

    async def publish(self, message, *, id_):
        self.messages.append((id_, message))


async def test_calibrations_are_looked_at_from_time_to_time_and_said(remote, clock, caplog):
    said, stopping = Said(), asyncio.Event()
    caplog.set_level("INFO", "quire.gateway")
    calibrations = Calibrations(
        catalog={"cloud": Calibrated()},
        drifts=Drifts(),
        lanes=remote.House("tag").lanes,
        publisher=said,
        clock=clock,
        every_seconds=60.0,
    )
    watching = asyncio.create_task(calibrations.watch(stopping))

    async def heard():
        clock.advance(61.0)
        await asyncio.sleep(0)
        return bool(said.messages)

    await eventually(heard)
    stopping.set()
    await watching
    (id_, changed) = said.messages[0]
    assert isinstance(changed, CalibrationChanged)
    assert id_ == f"calibration-{changed.snapshot_id}"
    assert (changed.target, changed.drifted, changed.after) == ("cloud:x", True, BAD)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "could not be read: KeyError" in caplog.text


@pytest.mark.parametrize("mode", ["token", "tag", "none"])
async def test_a_job_that_waits_is_taken_back_when_its_device_drifts(remote, mode):
    house = remote.House(mode, polls=10**6)
    gateway, batch = house.gateway(), house.batch(FLIP)
    drifts = gateway.desk.drifts
    drifts.see("cloud:x", Snapshot("monday", GOOD), house.clock.now())
    running = asyncio.create_task(gateway.run(batch, None))
    waiting = asyncio.create_task(_until(house, lambda: house.provider.ledger and house.provider.ledger[0].polls > 2))
    await house.until(waiting)
    drifts.see("cloud:x", Snapshot("tuesday", BAD), house.clock.now())
    await house.until(running)
    with pytest.raises(Permanent) as caught:
        running.result()
    assert (caught.value.kind, caught.value.code) == ("calibration", "compilation-stale")
    assert [job.status for job in house.provider.ledger] == ["cancelled"]
    assert house.records.of().state == "failed"


async def _until(house, holds):
    while not holds():
        await house.clock.sleep(1.0)


async def test_a_job_that_runs_is_left_to_its_end(remote):
    house = remote.House("tag", polls=3)
    gateway, batch = house.gateway(), house.batch(FLIP)
    drifts = gateway.desk.drifts
    drifts.see("cloud:x", Snapshot("monday", GOOD), house.clock.now())
    status = house.provider.status
    house.provider.status = lambda job_id: "running" if status(job_id) == "queued" else "done"
    running = asyncio.create_task(gateway.run(batch, None))
    await house.until(asyncio.create_task(_until(house, lambda: house.provider.calls["status"] > 1)))
    drifts.see("cloud:x", Snapshot("tuesday", BAD), house.clock.now())
    await house.until(running)
    assert running.result().batch_id == batch.batch_id
    assert house.provider.calls["cancel"] == 0


async def test_new_work_for_a_device_that_drifted_is_refused_before_anything_is_called(remote):
    house = remote.House("tag")
    gateway = house.gateway()
    gateway = replace(gateway, desk=replace(gateway.desk, drifts=Drifts(DriftRule(action="reroute"))))
    gateway.desk.drifts.see("cloud:x", Snapshot("monday", GOOD), house.clock.now())
    gateway.desk.drifts.see("cloud:x", Snapshot("tuesday", BAD), house.clock.now())
    for _ in range(2):
        running = asyncio.create_task(gateway.run(house.batch(FLIP), None))
        await house.until(running)
        with pytest.raises(Permanent) as caught:
            running.result()
        assert (caught.value.kind, caught.value.code) == ("calibration", "calibration-drifted")
    assert house.provider.calls["submit"] == 0


@pytest.mark.parametrize(("compiles", "status"), [(True, "cancelled"), (False, "queued")])
async def test_a_job_that_waits_for_longer_than_a_compilation_may_is_taken_back(remote, compiles, status):
    house = remote.House("tag", polls=10**6)
    house.provider.compiles = compiles
    gateway = house.gateway()
    gateway = replace(gateway, desk=replace(gateway.desk, drifts=Drifts(DriftRule(compiled_seconds=3_600.0))))
    running = asyncio.create_task(gateway.run(house.batch(FLIP), None))
    end = house.clock.now() + 2 * HOUR
    await house.until(asyncio.create_task(_until(house, lambda: house.clock.now() > end)))
    assert [job.status for job in house.provider.ledger] == [status]
    if compiles:
        with pytest.raises(Permanent) as caught:
            running.result()
        assert (caught.value.kind, caught.value.code) == ("calibration", "compilation-too-old")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
