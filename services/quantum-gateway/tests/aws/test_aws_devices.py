"""Which devices the Braket adapter has, how good they are, and what it does not send them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from aws_cloud import created
from cloud_work import ONE, TURNS, angles, since

from quire_contracts.mitigation import Mitigation, Readout
from quire_quantum.executor import Member, Work
from quire_quantum.observables import normalise
from quire_quantum.structure import Structure
from quire_quantum_gateway.catalog import find, open_catalog
from quire_quantum_gateway.providers.aws_provider import AwsProvider
from quire_quantum_gateway.providers.aws_service import AwsSettings
from quire_quantum_gateway.settings import Settings
from quire_quantum_gateway.sites import Site
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.clouds import ARNS
from quire_testing.executor_suite import BELL, TURN_MEASURED


def test_what_a_spending_limit_would_refuse_is_not_asked_for(make, emulator, token):
    assert make(task_usd=100.0).submit("dear", ONE, token)
    calls, poor = emulator.report().calls, make(task_usd=100.0)
    for _ in range(2):
        with pytest.raises(Permanent) as refused:
            poor.submit("dear", ONE, f"{token}-2")
        assert (refused.value.kind, refused.value.code) == ("spend", "spending-limit")
    asked = emulator.report().calls
    assert (asked["create"], asked["limits"]) == (calls["create"], calls["limits"] + 1)
    with pytest.raises(Permanent) as refused:
        make(watch_spending=False).submit("dear", ONE, f"{token}-3")
    assert refused.value.code == "spending-limit"


def test_the_provider_says_whether_a_device_is_there(provider):
    assert provider.window("garnet").open
    assert provider.window("garnet").calibration_id != "none"
    away = provider.window("away")
    assert (away.open, away.reason) == (False, "the device is offline")


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (Work(TURN_MEASURED, (angles(0.0),), None, (normalise({"Z": 1.0}, 1),)), "unsupported-exact"),
        (replace(ONE, shots=20_001), "unsupported-shots"),
        (Work(Structure(21, 1, 0, BELL.operations[:1]), (Member(np.zeros((1, 0))),), 10), "unsupported-width"),
    ],
)
def test_what_the_device_does_not_take_is_not_sent(provider, emulator, token, work, code):
    provider.capabilities("garnet")
    before = emulator.report().calls.get("create", 0)
    with pytest.raises(Permanent) as refused:
        provider.submit("garnet", work, token)
    assert refused.value.code == code
    assert emulator.report().calls.get("create", 0) == before


def test_a_batch_of_too_many_tasks_is_refused(make, token):
    provider = make(tasks=2)
    provider._devices["slow"] = replace(provider._describe("slow"), sets=None)
    with pytest.raises(Permanent) as refused:
        provider.submit("slow", TURNS, token)
    assert refused.value.kind == "invalid"


def test_a_device_that_is_not_named_is_not_there(provider):
    with pytest.raises(Permanent, match="unsupported-target"):
        provider.capabilities("qpu9")
    with pytest.raises(Permanent, match="unsupported-target"):
        AwsProvider(AwsSettings(devices={"x": "arn:aws:braket:eu-north-1::device/qpu/iqm/X"}), SystemClock()).find(
            "y", "t", since()
        )


def test_without_a_bucket_the_accounts_usual_one_is_meant(make):
    assert make(bucket="", account="123456789012")._service._bucket(ARNS["garnet"]) == (
        "amazon-braket-eu-north-1-123456789012"
    )
    with pytest.raises(Permanent, match="provider-misconfigured"):
        make(bucket="").capabilities("garnet")


def test_devices_are_off_until_they_are_named():
    assert "aws" not in open_catalog(Settings(), SystemClock())
    named = Settings(aws_devices={"garnet": ARNS["garnet"], "forte": ARNS["forte"]}, targets=("aws:gar*",))
    catalog = open_catalog(named, SystemClock())
    assert list(catalog) == ["aws"]
    provider, backend = find(catalog, "aws:garnet")
    assert (provider.identity_mode(backend), provider.identity(backend)) == ("token", None)
    assert provider.site(backend) == Site("aws", "default", "eu-north-1", "garnet")
    with pytest.raises(Permanent, match="unsupported-target"):
        provider.cost("forte", ONE)


def test_a_device_says_how_good_it_is_and_compiles_for_itself(provider):
    provider.capabilities("garnet")
    snapshot = provider.snapshots()["garnet"]
    assert not provider.compiles
    assert snapshot.calibration_id == provider.window("garnet").calibration_id
    assert 0 < snapshot.figures.two_qubit_error < 0.2
    assert 0 < snapshot.figures.readout_error < 0.2


def test_mitigation_is_refused_because_the_service_compiles_what_it_runs(provider, emulator, token):
    work = Work(BELL, (Member(np.zeros((1, 0))),), 20, mitigation=Mitigation(readout=Readout()))
    with pytest.raises(Permanent) as caught:
        provider.submit("garnet", work, token)
    assert (caught.value.kind, caught.value.code) == ("invalid", "unsupported-mitigation")
    assert created(emulator, token) == []
