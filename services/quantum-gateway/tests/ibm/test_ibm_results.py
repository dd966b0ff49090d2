"""What ran at IBM comes back in its places, and what did not is said."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from cloud_work import ONE, TURNS, run
from ibm_cloud import BY_CLIENT

from quire_contracts.mitigation import Mitigation, Readout, Zne
from quire_emulator.rules import Rule
from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import expectation, group, normalise
from quire_quantum.structure import Operation, Structure
from quire_quantum_gateway.providers.faults import classify_outcome
from quire_quantum_gateway.providers.ibm_account import read_job
from quire_quantum_gateway.providers.port import Unfetched
from quire_resilience.errors import Transient
from quire_testing import eventually
from quire_testing.executor_suite import BELL, CROSSED


@BY_CLIENT
async def test_rows_of_all_members_come_back_in_their_places(request, client, token):
    outcome = await run(request.getfixturevalue(client), "ibm_manila", TURNS, token)
    assert [unpack(member.counts) for member in outcome.members] == [[{"0": 50}, {"1": 50}], [{"1": 50}]]
    ran = outcome.execution
    assert (ran.target, ran.shots, ran.parameter_sets, ran.simulator) == ("ibm:ibm_manila", 50, 3, False)
    assert ran.calibration_id != "none"
    assert ran.started_at.utcoffset() == timedelta(0)


@BY_CLIENT
async def test_bits_follow_the_classical_register_also_without_parameters(request, client, token):
    work = Work(CROSSED, (Member(np.zeros((2, 0))),), 30)
    outcome = await run(request.getfixturevalue(client), "ibm_manila", work, token)
    assert unpack(outcome.members[0].counts) == [{"10": 30}] * 2


@BY_CLIENT
async def test_observables_are_measured_in_every_basis_they_need(request, client, token):
    plus = Structure(2, 0, 0, (Operation("h", (0,)), Operation("x", (1,))))
    observables = (normalise({"ZX": 1.0}, 2), normalise({"YI": 1.0, "ZI": 2.0}, 2))
    work = Work(plus, (Member(np.zeros((1, 0))), Member(np.zeros((2, 0)))), 400, observables)
    outcome = await run(request.getfixturevalue(client), "ibm_manila", work, token)
    for member in outcome.members:
        values, _ = expectation(member.counts, observables, group(observables))
        assert values[:, 0].tolist() == [-1.0] * len(values)
        assert abs(values[:, 1] + 2).max() < 0.3


@BY_CLIENT
def test_a_job_that_waits_has_no_result(request, client, token):
    provider = request.getfixturevalue(client)
    job = provider.submit("ibm_slow", ONE, token)
    assert provider.status(job) == "queued"
    with pytest.raises(LookupError, match="queued"):
        provider.retrieve("ibm_slow", ONE, job)


@BY_CLIENT
def test_a_job_that_nobody_knows_is_unknown_and_not_failed(request, client):
    provider = request.getfixturevalue(client)
    assert provider.status("no-such-job") == "unknown"
    provider.cancel("no-such-job")
    with pytest.raises(LookupError):
        provider.retrieve("ibm_manila", ONE, "no-such-job")


@BY_CLIENT
async def test_a_job_that_failed_says_why_in_our_words(request, client, emulator, token):
    provider = request.getfixturevalue(client)
    emulator.arm(Rule(kind="failed", message="secret words of the provider", count=1))
    job = provider.submit("ibm_manila", ONE, token)
    await eventually(lambda: provider.status(job) == "failed")
    with pytest.raises(Transient) as failed:
        provider.retrieve("ibm_manila", ONE, job)
    assert failed.value.code == "execution-failed"
    assert "secret" not in str(failed.value)


async def test_a_result_that_is_withheld_is_unfetched_and_not_failed(provider, emulator, token):
    emulator.arm(Rule(kind="withheld", count=1))
    job = provider.submit("ibm_manila", ONE, token)
    await eventually(lambda: provider.status(job) == "done")
    with pytest.raises(Unfetched):
        provider.retrieve("ibm_manila", ONE, job)
    emulator.arm(Rule(kind="error", operations=frozenset({"result"}), status=503, count=1))
    with pytest.raises(Unfetched) as missing:
        provider.retrieve("ibm_manila", ONE, job)
    assert missing.value.found is not None


async def test_a_partial_result_is_not_passed_off_as_whole(provider, emulator, token):
    emulator.arm(Rule(kind="partial", count=1))
    job = provider.submit("ibm_manila", TURNS, token)
    await eventually(lambda: provider.status(job) in ("done", "failed"))
    with pytest.raises(Transient) as partial:
        provider.retrieve("ibm_manila", TURNS, job)
    assert partial.value.code == "execution-failed"


def test_a_job_that_ran_too_long_has_failed_and_is_not_tried_again(provider):
    found = {"id": "j", "status": "Cancelled - Ran too long", "created": "2026-11-21T16:00:00Z"}
    job = read_job({**found, "state": {"status": "Cancelled", "reason": "too long", "reason_code": 1305}})
    assert (job.status, job.code) == ("failed", "1305")
    assert classify_outcome(provider._faults, job.reason, job.code).action.again == "never"
    assert read_job({**found, "state": {"status": "Cancelled"}}).status == "cancelled"


@BY_CLIENT
async def test_mitigated_work_runs_at_every_scale_and_says_which_qubits_were_read(request, client, make, token):
    mitigation = Mitigation(readout=Readout(), zne=Zne(scale_factors=(1.0, 3.0)))
    observables = (normalise({"ZZ": 1.0}, 2), normalise({"XX": 1.0}, 2))
    work = Work(BELL, (Member(np.zeros((2, 0))),), 20, observables, reduced=True, mitigation=mitigation)
    outcome = await run(request.getfixturevalue(client), "ibm_manila", work, token)
    assert outcome.members[0].counts.rows == 2 * 2 * 2
    assert outcome.execution.transpiler["compiled_for"] == outcome.execution.calibration_id
    assert len(outcome.read_from) == 2
    assert {len(set(each)) for each in outcome.read_from} == {2}


async def test_a_process_that_did_not_send_a_job_guesses_neither_calibration_nor_qubits(provider, make, token):
    outcome = await run(provider, "ibm_manila", ONE, token)
    again = make().retrieve("ibm_manila", ONE, outcome.execution.provider_job_id)
    assert again.members[0].counts == outcome.members[0].counts
    assert (again.read_from, again.execution.transpiler["compiled_for"]) == ((), "")


async def test_work_runs_on_the_qubits_that_it_is_put_on(provider, token):
    work = Work(CROSSED, (Member(np.zeros((1, 0))),), 20, places=(4, 0, 2))
    outcome = await run(provider, "ibm_manila", work, token)
    assert outcome.read_from == ((2, 4),)
    assert unpack(outcome.members[0].counts) == [{"10": 20}]
