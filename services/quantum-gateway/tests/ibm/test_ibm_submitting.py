"""What is asked of the IBM adapter is found again by its tag, and refusals are known for what they are."""

from __future__ import annotations

import pytest
from cloud_work import ONE, since
from ibm_cloud import BY_CLIENT, created

from quire_emulator.rules import Rule
from quire_quantum_gateway.providers.faults import Ambiguous, classified_of
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent, Transient


@BY_CLIENT
def test_a_job_is_found_by_its_tag_from_another_process(request, client, make, emulator, token):
    job = request.getfixturevalue(client).submit("ibm_slow", ONE, token)
    (found,) = make().find("ibm_slow", token, since())
    assert (found.job_id, found.token, found.backend, found.status) == (job, token, "ibm_slow", "queued")
    assert job in [each.job_id for each in request.getfixturevalue(client).listed(since())]
    assert len(created(emulator, token)) == 1


def test_a_call_that_is_repeated_makes_a_second_job_and_both_are_found(provider, token):
    """Why the gateway must not call twice."""
    jobs = [provider.submit("ibm_slow", ONE, token) for _ in range(2)]
    assert [found.job_id for found in provider.find("ibm_slow", token, since())] == jobs


def test_jobs_of_another_installation_are_not_ours(make, token):
    theirs = make(prefix="other").submit("ibm_slow", ONE, token)
    assert make().find("ibm_slow", token, since()) == []
    assert theirs not in [found.job_id for found in make().listed(since())]


def test_where_there_are_no_tags_nothing_is_found(make, token):
    provider = make(api="anonymous", identity="none")
    assert provider.identity_mode("ibm_slow") == "none"
    job = provider.submit("ibm_slow", ONE, token)
    assert provider.status(job) == "queued"
    assert provider.find("ibm_slow", token, since()) == ()
    assert provider.listed(since()) == ()


@pytest.mark.parametrize("answer", ["cut", "504"])
def test_an_answer_that_is_lost_is_ambiguous_and_the_job_is_found(provider, emulator, token, answer):
    provider.capabilities("ibm_slow")
    emulator.arm(Rule(kind="timeout-applied", answer=answer, count=1))
    with pytest.raises(Ambiguous) as lost:
        provider.submit("ibm_slow", ONE, token)
    assert lost.value.found.applied == "maybe"
    assert len(provider.find("ibm_slow", token, since())) == len(created(emulator, token)) == 1


def test_a_call_that_hangs_is_given_up_as_ambiguous(make, emulator, token):
    provider = make(seconds=2.0)
    provider.capabilities("ibm_slow")
    emulator.arm(Rule(kind="timeout-applied", hold=30.0, count=1))
    with pytest.raises(Ambiguous):
        provider.submit("ibm_slow", ONE, token)
    assert len(created(emulator, token)) == 1


def test_a_call_whose_time_is_over_is_not_made(provider, emulator, token):
    with pytest.raises(Transient) as late:
        provider.submit("ibm_slow", ONE, token, deadline=SystemClock().monotonic() - 1)
    assert late.value.code == "too-late"
    assert created(emulator, token) == []


@pytest.mark.parametrize(
    ("rule", "error", "code"),
    [
        (Rule(kind="throttle", retry_after=7.0), Transient, "throttled"),
        (Rule(kind="offline"), Permanent, "target-offline"),
        (Rule(kind="refused", status=400, code="3458"), Permanent, "too-many-jobs"),
        (Rule(kind="refused", status=403, code="4317"), Permanent, "spending-limit"),
        (Rule(kind="refused", status=401, code="1200"), Permanent, "not-authorised"),
    ],
    ids=lambda value: value.code or value.kind if isinstance(value, Rule) else None,
)
def test_a_refusal_is_known_for_what_it_is_and_asked_once(provider, emulator, token, rule, error, code):
    provider.capabilities("ibm_slow")
    emulator.arm(rule)
    calls = emulator.report().calls.get("create", 0)
    with pytest.raises(error) as refused:
        provider.submit("ibm_slow", ONE, token)
    assert refused.value.code == code
    assert emulator.report().calls["create"] == calls + 1
    assert classified_of(refused.value).retry_after == (7.0 if code == "throttled" else None)


@BY_CLIENT
def test_a_job_is_cancelled_at_the_provider_as_often_as_it_is_asked(request, client, token):
    provider = request.getfixturevalue(client)
    job = provider.submit("ibm_slow", ONE, token)
    provider.cancel(job)
    provider.cancel(job)
    assert provider.status(job) == "cancelled"
    with pytest.raises(Transient) as over:
        provider.retrieve("ibm_slow", ONE, job)
    assert over.value.code == "cancelled-at-provider"
