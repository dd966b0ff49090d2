"""What is asked of the Braket adapter is given once, and found again, however the answer was lost."""

from __future__ import annotations

import pytest
from aws_cloud import created
from cloud_work import ONE, TURNS, since

from quire_emulator.rules import Rule
from quire_quantum_gateway.providers.faults import Ambiguous, classified_of
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent, Transient


async def test_a_token_is_one_job_whoever_calls_again(make, emulator, token):
    first = make().submit("slow", ONE, token)
    other = make()
    assert other.submit("slow", ONE, token) == first
    assert other.status(first) == "queued"
    assert len(created(emulator, token)) == 1
    with pytest.raises(LookupError, match="queued"):
        other.retrieve("slow", ONE, first)


def test_an_answer_that_is_lost_is_ambiguous_and_the_job_is_found(make, emulator, token):
    emulator.arm(Rule(kind="timeout-applied", answer="cut", count=1))
    provider = make()
    with pytest.raises(Ambiguous) as lost:
        provider.submit("slow", ONE, token)
    assert lost.value.found.applied == "maybe"
    (found,) = make().find("slow", token, since())
    assert (found.token, found.backend, found.status, found.complete) == (token, "slow", "queued", True)
    assert provider.submit("slow", ONE, token) == found.job_id
    assert len(created(emulator, token)) == 1


def test_a_call_that_hangs_is_given_up_as_ambiguous(make, emulator, token):
    emulator.arm(Rule(kind="timeout-applied", hold=30.0, count=1))
    provider = make(seconds=1.0)
    provider.capabilities("slow")
    with pytest.raises(Ambiguous):
        provider.submit("slow", ONE, token)
    assert len(created(emulator, token)) == 1


def test_a_call_whose_time_is_over_is_not_made(provider, emulator, token):
    provider.capabilities("slow")
    with pytest.raises(Transient) as late:
        provider.submit("slow", ONE, token, deadline=SystemClock().monotonic() + 0.2)
    assert late.value.code == "too-late"
    assert provider.find("slow", token, since()) == []


@pytest.mark.parametrize(
    ("rule", "error", "code"),
    [
        (Rule(kind="throttle", retry_after=7.0), Transient, "throttled"),
        (Rule(kind="refused", status=402, code="ServiceQuotaExceededException"), Permanent, "too-many-jobs"),
        (Rule(kind="offline"), Permanent, "target-offline"),
        (Rule(kind="refused", status=403, code="AccessDeniedException"), Permanent, "not-authorised"),
    ],
    ids=lambda value: value.kind if isinstance(value, Rule) else None,
)
def test_a_refusal_is_known_for_what_it_is_and_asked_once(provider, emulator, token, rule, error, code):
    provider.capabilities("slow")
    emulator.arm(rule)
    calls = emulator.report().calls.get("create", 0)
    with pytest.raises(error) as refused:
        provider.submit("slow", ONE, token)
    assert refused.value.code == code
    assert emulator.report().calls.get("create", 0) == calls + 1
    assert classified_of(refused.value).retry_after == (7.0 if code == "throttled" else None)


def test_an_error_of_the_provider_says_nothing_of_what_was_applied(provider, emulator, token):
    provider.capabilities("slow")
    emulator.arm(Rule(kind="error", status=500))
    with pytest.raises(Ambiguous, match="provider-error"):
        provider.submit("slow", ONE, token)


def test_a_submission_cut_short_between_its_parts_is_made_whole_by_the_same_call(single, emulator, token):
    parts = iter([None, Rule(kind="throttle", count=1)])
    create = single._service.create

    def interrupted(*args, **options):
        rule = next(parts, None)
        if rule is not None:
            emulator.arm(rule)
        return create(*args, **options)

    single._service.create = interrupted
    with pytest.raises(Ambiguous):
        single.submit("slow", TURNS, token)
    (half,) = single.find("slow", token, since())
    assert (half.complete, half.status) == (False, "queued")
    job = single.submit("slow", TURNS, token)
    (whole,) = single.find("slow", token, since())
    assert (whole.job_id, whole.complete) == (job, True)
    assert [task.order.token for task in created(emulator, token)] == [f"{token}-1", f"{token}-2", f"{token}-3"]


def test_a_submission_refused_between_its_parts_leaves_nothing_behind(single, emulator, token):
    create, asked = single._service.create, []

    def refused(*args, **options):
        asked.append(options["tags"])
        if len(asked) == 3:
            emulator.arm(Rule(kind="refused", status=403, code="AccessDeniedException"))
        return create(*args, **options)

    single._service.create = refused
    with pytest.raises(Permanent, match="not-authorised"):
        single.submit("slow", TURNS, token)
    (half,) = single.find("slow", token, since())
    assert (half.complete, half.status) == (False, "cancelled")


def test_only_jobs_of_this_installation_are_listed(make, emulator, token):
    ours, theirs = make(), make(prefix="other")
    job = ours.submit("slow", ONE, token)
    foreign = theirs.submit("slow", ONE, f"{token}-x")
    listed = [found.job_id for found in ours.listed(since())]
    assert job in listed
    assert foreign not in listed
    assert [found.job_id for found in theirs.listed(since())] == [foreign]
    assert theirs.find("slow", token, since()) == []


def test_a_search_that_lags_finds_nothing_yet(provider, emulator, token):
    emulator.arm(Rule(kind="lagging-search", delay=3600.0, count=1))
    provider.submit("slow", ONE, token)
    assert provider.find("slow", token, since()) == []


def test_a_job_is_cancelled_at_the_provider_as_often_as_it_is_asked(make, token):
    provider = make()
    job = provider.submit("slow", ONE, token)
    provider.cancel(job)
    provider.cancel(job)
    assert provider.status(job) == "cancelled"
    with pytest.raises(Transient) as over:
        make().retrieve("slow", ONE, job)
    assert over.value.code == "cancelled-at-provider"
