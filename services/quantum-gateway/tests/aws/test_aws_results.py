"""What ran at Braket comes back in its places, and what did not is said."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from aws_cloud import created
from cloud_work import ONE, TURNS, run

from quire_emulator.rules import Rule
from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import expectation, group, normalise
from quire_quantum.structure import Operation, Structure
from quire_quantum_gateway.providers.port import Unfetched
from quire_resilience.errors import Permanent, Transient
from quire_testing import eventually
from quire_testing.clouds import ARNS
from quire_testing.executor_suite import CROSSED


@pytest.mark.parametrize("backend", ["garnet", "forte", "sv1"])
async def test_rows_of_all_members_come_back_in_their_places(provider, backend, token):
    outcome = await run(provider, backend, TURNS, token)
    assert [unpack(member.counts) for member in outcome.members] == [[{"0": 50}, {"1": 50}], [{"1": 50}]]
    ran = outcome.execution
    assert (ran.target, ran.shots, ran.parameter_sets, ran.simulator) == (f"aws:{backend}", 50, 3, backend == "sv1")
    assert ran.provider_metadata["device"] == ARNS[backend]
    assert (ran.provider_metadata["tasks"], ran.provider_metadata["executables"]) == (1, 3)
    assert ran.started_at.utcoffset() == timedelta(0)


async def test_bits_are_in_qiskits_order_whatever_qubits_they_come_from(provider, token):
    outcome = await run(provider, "garnet", Work(CROSSED, (Member(np.zeros((1, 0))),), 30), token)
    assert unpack(outcome.members[0].counts) == [{"10": 30}]


@pytest.mark.parametrize("name", ["provider", "single"])
async def test_observables_are_measured_in_every_basis_they_need(request, name, token):
    plus = Structure(2, 0, 0, (Operation("h", (0,)), Operation("x", (1,))))
    observables = (
        normalise({"IX": 1.0, "ZI": 1.0}, 2),
        normalise({"ZX": 1.0}, 2),
        normalise({"YI": 1.0, "ZI": 2.0}, 2),
    )
    work = Work(plus, (Member(np.zeros((1, 0))), Member(np.zeros((2, 0)))), 400, observables)
    outcome = await run(request.getfixturevalue(name), "garnet", work, token)
    for member in outcome.members:
        values, _ = expectation(member.counts, observables, group(observables))
        assert values[:, 0].tolist() == [0.0] * len(values)
        assert values[:, 1].tolist() == [-1.0] * len(values)
        assert abs(values[:, 2] + 2).max() < 0.3


async def test_a_batch_without_sets_is_several_tasks_and_one_job(single, emulator, token):
    outcome = await run(single, "garnet", TURNS, token)
    assert [unpack(member.counts) for member in outcome.members] == [[{"0": 50}, {"1": 50}], [{"1": 50}]]
    tasks = created(emulator, token)
    assert [task.order.token for task in tasks] == [f"{token}-1", f"{token}-2", f"{token}-3"]
    assert [task.order.prefix for task in tasks] == [f"quire/{token}/{index}" for index in (1, 2, 3)]
    assert outcome.execution.cost_usd == pytest.approx(3 * 0.3 + 150 * 0.00145)
    assert single.cost("garnet", TURNS).usd == pytest.approx(outcome.execution.cost_usd)


async def test_a_task_that_is_over_is_not_asked_for_again(provider, emulator, token):
    job = provider.submit("garnet", ONE, token)
    await eventually(lambda: provider.status(job) == "done")
    asked = emulator.report().calls["get"]
    provider.retrieve("garnet", ONE, job)
    assert provider.status(job) == "done"
    assert emulator.report().calls["get"] == asked


async def test_a_job_that_is_over_stays_as_it_is(provider, token):
    job = provider.submit("garnet", ONE, token)
    await eventually(lambda: provider.status(job) == "done")
    provider.cancel(job)
    assert provider.status(job) == "done"


def test_a_job_that_nobody_knows_is_unknown_and_not_failed(provider):
    job = "arn:aws:braket:eu-north-1:123456789012:quantum-task/00000000-0000-0000-0000-000000000000"
    assert provider.status(job) == "unknown"
    provider.cancel(job)
    with pytest.raises(LookupError):
        provider.retrieve("garnet", ONE, job)


async def test_a_task_that_failed_says_why_in_our_words(provider, emulator, token):
    emulator.arm(Rule(kind="failed", message="secret words of the provider", count=1))
    job = provider.submit("garnet", ONE, token)
    await eventually(lambda: provider.status(job) == "failed")
    with pytest.raises(Transient) as failed:
        provider.retrieve("garnet", ONE, job)
    assert "secret" not in str(failed.value)


async def test_a_result_that_is_withheld_is_unfetched_and_not_failed(provider, emulator, token):
    emulator.arm(Rule(kind="withheld", count=1))
    job = provider.submit("garnet", ONE, token)
    await eventually(lambda: provider.status(job) == "done")
    with pytest.raises(Unfetched) as missing:
        provider.retrieve("garnet", ONE, job)
    assert missing.value.found.fault.code == "result-not-there"


async def test_of_a_partial_result_the_member_that_did_not_run_is_named_and_the_others_keep_theirs(
    provider, emulator, token
):
    emulator.arm(Rule(kind="partial", count=1))
    ran, failed = (await run(provider, "garnet", TURNS, token)).members
    assert unpack(ran.counts) == [{"0": 50}, {"1": 50}]
    assert (failed.counts, failed.fault.code, failed.fault.retryable) == (None, "execution-failed", True)


async def test_a_result_of_which_nothing_ran_is_a_failure(provider, emulator, token):
    emulator.arm(Rule(kind="partial", count=1, share=0.0))
    with pytest.raises(Transient):
        await run(provider, "garnet", TURNS, token)


async def test_half_of_one_programs_shots_is_not_passed_off_as_all(provider, emulator, token):
    emulator.arm(Rule(kind="partial", count=1))
    with pytest.raises((Transient, Permanent, ValueError)):
        await run(provider, "garnet", ONE, token)
