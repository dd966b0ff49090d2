"""Which backends the IBM adapter has, how good they are, and its library's local mode."""

from __future__ import annotations

import numpy as np
import pytest
from cloud_work import ONE, TURNS, angles, since
from ibm_cloud import BY_CLIENT, CRN

from quire_emulator.rules import Rule
from quire_plane.compile_cache import CompileCache
from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import normalise
from quire_quantum.structure import Operation, Structure
from quire_quantum_gateway.catalog import find, open_catalog
from quire_quantum_gateway.providers.ibm_backends import IbmSettings
from quire_quantum_gateway.providers.ibm_provider import IbmProvider
from quire_quantum_gateway.providers.ibm_runtime import LocalAccount
from quire_quantum_gateway.settings import Settings
from quire_quantum_gateway.sites import Site
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import BELL, TURN_MEASURED


@pytest.fixture
def local():
    settings = IbmSettings(backends=("fake_manila",), identity="forgetful", seconds=60.0)
    return IbmProvider(settings, lambda: LocalAccount(SystemClock()), SystemClock(), CompileCache(64))


@BY_CLIENT
def test_the_provider_says_whether_a_backend_is_there(request, client, emulator):
    provider = request.getfixturevalue(client)
    assert provider.window("ibm_manila").open
    emulator.arm(Rule(kind="offline", device="ibm_manila"))
    away = provider.window("ibm_manila")
    assert (away.open, away.reason) == (False, "the backend is offline")


def test_a_new_calibration_is_compiled_for(provider, token):
    before = provider._described("ibm_restless").calibration_id
    assert list(provider.refresh()) == ["ibm_restless"]
    assert provider._described("ibm_restless").calibration_id != before
    snapshot = provider.snapshots()["ibm_restless"]
    assert provider.window("ibm_restless").calibration_id == snapshot.calibration_id
    assert provider.compiles
    assert 0.001 < snapshot.figures.two_qubit_error < 0.1
    assert 1e-5 < snapshot.figures.t1_seconds < 1e-2
    assert list(make_stale(provider)) == []


def make_stale(provider):
    """What a reading finds of backends that keep their calibration."""
    provider._compilers._compilers.pop("ibm_restless")
    provider.capabilities("ibm_manila")
    return provider.refresh()


def test_what_the_backend_does_not_take_is_not_sent(provider, emulator, token):
    exact = Work(TURN_MEASURED, (angles(0.0),), None, (normalise({"Z": 1.0}, 1),))
    wide = Work(Structure(6, 1, 0, BELL.operations[:1]), (Member(np.zeros((1, 0))),), 10)
    calls = emulator.report().calls.get("create", 0)
    for work, code in ((exact, "unsupported-exact"), (wide, "unsupported-width")):
        with pytest.raises(Permanent) as refused:
            provider.submit("ibm_slow", work, token)
        assert refused.value.code == code
    with pytest.raises(Permanent, match="unsupported-target"):
        provider.submit("ibm_nowhere", ONE, token)
    assert emulator.report().calls.get("create", 0) == calls


def test_what_a_job_costs_at_most_is_its_longest_time(make):
    assert make(longest=100, second_usd=1.5).cost("ibm_manila", ONE).usd == 150.0


def test_local_mode_runs_stand_ins_and_forgets_them(local, token):
    job = local.submit("fake_manila", TURNS, token)
    outcome = local.retrieve("fake_manila", TURNS, job)
    rows = [row for member in outcome.members for row in unpack(member.counts)]
    assert [sum(row.values()) for row in rows] == [50] * 3
    assert [row.get("1", 0) > 25 for row in rows] == [False, True, True]
    assert outcome.execution.simulator
    assert (local.identity_mode("fake_manila"), local.status(job)) == ("forgetful", "done")
    assert local.site("fake_manila") == Site("ibm", "local", "local", "fake_manila")
    assert local.status("another") == "unknown"
    assert local.find("fake_manila", token, since()) == ()
    assert local.window("fake_manila").open
    with pytest.raises(LookupError):
        local.retrieve("fake_manila", TURNS, "another")
    with pytest.raises(Permanent, match="unsupported-target"):
        IbmProvider(
            IbmSettings(backends=("fake_nothing",)), lambda: LocalAccount(SystemClock()), SystemClock(), CompileCache(1)
        ).capabilities("fake_nothing")


def test_the_size_that_is_said_before_is_that_of_what_then_runs(local, token):
    """A ring and a chord on a line of five qubits: the compiler has to route."""
    pairs = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4), (0, 2)]
    ring = Structure(5, 5, 0, (*(Operation("cx", pair) for pair in pairs), *(measured(qubit) for qubit in range(5))))
    work = Work(ring, (Member(np.zeros((1, 0))),), 20)
    size = local.size("fake_manila", work)
    ran = local.retrieve("fake_manila", work, local.submit("fake_manila", work, token)).execution
    assert (size.depth, size.two_qubit_gates) == (ran.compiled_depth, ran.two_qubit_gates)
    assert size.two_qubit_gates > len(pairs)
    with pytest.raises(Permanent, match="unsupported-exact"):
        local.size("fake_manila", Work(TURN_MEASURED, (angles(0.0),), None, (normalise({"Z": 1.0}, 1),)))


def measured(qubit):
    return Operation("measure", (qubit,), (), (qubit,))


def test_backends_are_off_until_they_are_named():
    assert "ibm" not in open_catalog(Settings(), SystemClock())
    named = Settings(ibm_backends=("ibm_a", "ibm_b"), targets=("ibm:*_a",), ibm_instance=CRN)
    provider, backend = find(open_catalog(named, SystemClock()), "ibm:ibm_a")
    assert (provider.identity_mode(backend), provider.identity(backend)) == ("tag", None)
    assert provider.site(backend) == Site("ibm", CRN, "default", "ibm_a")
    with pytest.raises(Permanent, match="unsupported-target"):
        provider.window("ibm_b")
