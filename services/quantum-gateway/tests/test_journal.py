"""The journal's laws: which step follows which, and what a gateway does with what it finds."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.value import Fault, inline_blob
from quire_quantum_gateway.events import (
    Abandoned,
    Accepted,
    Adopted,
    Called,
    CancelAsked,
    Doubled,
    Intended,
    Lost,
    Parked,
    Refused,
    Retrieved,
    TakenOver,
    Uncalled,
)
from quire_quantum_gateway.journal import IllegalStep, Submission, transition
from quire_quantum_gateway.tokens import batch_of, request_sha256, token_of
from quire_testing.executor_suite import TURN_MEASURED

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ANSWER = inline_blob(b"answer", "text/plain")
INTENDED = Intended("b1", "qiskit:aer", "0" * 64)


def fault(kind="invalid"):
    return Fault(kind=kind, code="no", reason="it failed", next_step="wait", retryable=False)


def follow(*events):
    current = None
    for event in events:
        current = transition(current, event, NOW)
    return current


def test_the_whole_way():
    done = follow(INTENDED, Accepted(1, "job-7"), Retrieved(1, ANSWER))
    assert (done.state, done.epoch, done.provider_job_id, done.answer) == ("retrieved", 1, "job-7", ANSWER)
    assert [step.state for step in done.steps] == ["intent", "submitted", "retrieved"]


def test_a_run_that_died_is_taken_over_and_the_history_says_so():
    again = follow(INTENDED, Accepted(1, "job-7"), INTENDED)
    assert (again.state, again.epoch, again.provider_job_id) == ("intent", 2, "")
    assert [(step.state, step.epoch, step.note) for step in again.steps] == [
        ("intent", 1, ""),
        ("submitted", 1, ""),
        ("intent", 2, "taken over from submitted"),
    ]


@pytest.mark.parametrize("event", [Accepted(1, "x"), Retrieved(1, ANSWER), Refused(1, fault()), Lost(1, "?")])
def test_a_step_of_an_older_epoch_is_refused(event):
    taken_over = follow(INTENDED, Accepted(1, "job-7"), INTENDED, Accepted(2, "job-8"))
    with pytest.raises(IllegalStep):
        transition(taken_over, event, NOW)


@pytest.mark.parametrize("event", [INTENDED, Accepted(1, "x"), Refused(1, fault()), Lost(1, "?"), Retrieved(1, ANSWER)])
def test_nothing_follows_an_answer(event):
    with pytest.raises(IllegalStep):
        transition(follow(INTENDED, Accepted(1, "x"), Retrieved(1, ANSWER)), event, NOW)


def test_an_answer_needs_an_intent_and_where_all_of_it_was_known_no_submission():
    assert transition(follow(INTENDED), Retrieved(1, ANSWER), NOW).provider_job_id == ""
    for earlier in (None, follow(INTENDED, Refused(1, fault())), follow(INTENDED, Lost(1, "?"))):
        with pytest.raises(IllegalStep):
            transition(earlier, Retrieved(1, ANSWER), NOW)


def test_a_batch_id_belongs_to_one_request():
    with pytest.raises(IllegalStep, match="another request"):
        transition(follow(INTENDED), Intended("b1", "qiskit:aer", "1" * 64), NOW)


def test_a_lost_job_is_unknown_never_failed():
    lost = follow(INTENDED, Accepted(1, "x"), Lost(1, "TimeoutError"))
    assert (lost.state, lost.fault) == ("unknown", None)


def test_a_paid_call_is_announced_and_then_the_whole_way():
    done = follow(INTENDED, Called(1, reserved_usd=3.5), Accepted(1, "job-7"), Retrieved(1, ANSWER))
    assert [step.state for step in done.steps] == ["intent", "calling", "submitted", "retrieved"]
    assert (done.calls, done.first_call_at, done.called_at, done.reserved_usd) == (1, NOW, NOW, 3.5)


def test_a_call_that_was_announced_and_not_made_leaves_nothing():
    back = follow(INTENDED, Called(1), Uncalled(1))
    assert (back.state, back.calls, back.first_call_at, back.doubt) == ("intent", 0, None, False)
    in_doubt = follow(INTENDED, Called(1), Lost(1, "cut"), Called(1), Uncalled(1))
    assert (in_doubt.state, in_doubt.calls, in_doubt.doubt) == ("unknown", 1, True)


def test_a_refusal_in_doubt_is_kept_and_is_no_failure():
    refused = follow(INTENDED, Called(1), Lost(1, "cut"), Called(1), Refused(1, fault("offline")))
    assert (refused.state, refused.refusal, refused.fault) == ("unknown", fault("offline"), None)
    proven = transition(refused, Refused(1, fault("offline"), cleared=True), NOW)
    assert (proven.state, proven.fault, proven.doubt) == ("failed", fault("offline"), False)


def test_a_call_that_is_taken_over_is_in_doubt_and_its_late_answer_a_fact():
    unknown = follow(INTENDED, Called(1), TakenOver())
    assert (unknown.state, unknown.epoch, unknown.doubt) == ("unknown", 2, True)
    with pytest.raises(IllegalStep):
        transition(unknown, Accepted(1, "late"), NOW)
    found = transition(unknown, Adopted("late", "a late answer"), NOW)
    assert (found.state, found.provider_job_id, found.doubt, found.steps[-1].note) == (
        "submitted",
        "late",
        False,
        "a late answer",
    )


@pytest.mark.parametrize(
    "before",
    [
        (Called(1),),
        (Called(1), Lost(1, "cut")),
        (Called(1), Accepted(1, "job")),
        (Called(1), Accepted(1, "job"), Refused(1, fault("transient"), provider_job_id="job")),
        (Called(1), Lost(1, "cut"), Parked(1, fault("unknown"))),
    ],
)
def test_what_may_be_at_a_provider_does_not_begin_again(before):
    with pytest.raises(IllegalStep):
        transition(follow(INTENDED, *before), INTENDED, NOW)


def test_a_job_that_the_provider_had_is_never_asked_for_again():
    gone = follow(INTENDED, Called(1), Accepted(1, "job"), Lost(1, "no such job", "job"))
    with pytest.raises(IllegalStep, match="never asked for again"):
        transition(gone, Called(1, cleared=True), NOW)


@pytest.mark.parametrize("event", [Lost(1, "cut"), Refused(1, fault("offline")), Uncalled(1), Accepted(1, "other")])
def test_what_became_of_a_call_does_not_touch_a_job_that_was_found_meanwhile(event):
    found = follow(INTENDED, Called(1), Adopted("job", "reconciled"))
    with pytest.raises(IllegalStep):
        transition(found, event, NOW)


def test_a_parked_submission_is_an_operators():
    parked = follow(INTENDED, Called(1), Lost(1, "cut"), Parked(1, fault("unknown")))
    for event in (Called(1), Intended("b1", "qiskit:aer", "0" * 64), TakenOver(), CancelAsked(), Retrieved(1, ANSWER)):
        with pytest.raises(IllegalStep):
            transition(parked, event, NOW)
    assert transition(parked, Adopted("job-9", "by ann"), NOW).state == "submitted"
    abandoned = transition(parked, Abandoned(fault("unknown"), "by ann"), NOW)
    assert (abandoned.state, abandoned.steps[-1].note) == ("abandoned", "by ann")


def test_a_job_too_many_is_remembered_once():
    doubled = follow(INTENDED, Called(1), Accepted(1, "a"), Doubled("b"), Doubled("c"), Doubled("b"))
    assert (doubled.state, doubled.provider_job_id, doubled.duplicates) == ("submitted", "a", ("c", "b"))


EPOCHS = st.integers(1, 4)
JOBS = st.sampled_from(["", "job", "a"])
EVENTS = st.one_of(
    st.sampled_from(
        [INTENDED, TakenOver(), Adopted("found", "?"), Abandoned(fault(), "?"), CancelAsked(), Doubled("d")]
    ),
    st.builds(Called, EPOCHS, st.just(1.0), st.booleans()),
    st.builds(Uncalled, EPOCHS),
    st.builds(Accepted, EPOCHS, st.just("job")),
    st.builds(Retrieved, EPOCHS, st.just(ANSWER)),
    st.builds(Refused, EPOCHS, st.just(fault()), st.booleans(), JOBS),
    st.builds(Lost, EPOCHS, st.just("?"), JOBS),
    st.builds(Parked, EPOCHS, st.just(fault())),
)


@given(st.lists(EVENTS, max_size=60))
def test_whatever_happens_history_only_grows_and_epochs_never_fall(events):
    current = None
    for event in events:
        try:
            following = transition(current, event, NOW)
        except IllegalStep:
            continue
        assert following.epoch >= (current.epoch if current else 1)
        assert len(following.steps) <= 32
        assert following.steps[-1].state == following.state
        assert (following.answer is not None) == (following.state == "retrieved")
        assert (following.fault is not None) == (following.state in ("failed", "parked", "abandoned"))
        assert (following.called_at is not None) == (following.first_call_at is not None) == (following.calls > 0)
        assert not following.doubt or following.state in ("calling", "unknown", "parked", "abandoned")
        assert msgspec.json.decode(msgspec.json.encode(following), type=Submission) == following
        current = following


def test_the_request_is_what_runs_and_not_who_asks_or_when(make):
    batch = make.batch(TURN_MEASURED, [make.slice("a", [[0.1]])])
    same = msgspec.structs.replace(batch, formed_at=NOW, priority="production")
    other = make.batch(TURN_MEASURED, [make.slice("a", [[0.2]])])
    assert request_sha256(batch) == request_sha256(same)
    assert request_sha256(batch) != request_sha256(other)
    assert request_sha256(batch) != request_sha256(msgspec.structs.replace(batch, target="braket:local"))


BATCH = "0190a5b4-6c1e-7000-8000-0123456789ab"


def test_a_token_names_one_request_of_one_batch_and_tells_which():
    token = token_of(BATCH, "0" * 64)
    assert token == token_of(BATCH, "0" * 64)
    assert len({token, token_of("b2", "0" * 64), token_of(BATCH, "1" * 64)}) == 3
    assert len(token) == 52
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert batch_of(token) == BATCH


@pytest.mark.parametrize("batch_id", ["A" * 8, "under_score", "x" * 37, "x" * 64])
def test_a_token_of_an_id_that_cannot_stand_in_it_is_a_digest(batch_id):
    token = token_of(batch_id, "0" * 64)
    assert len(token) == 52
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert batch_of(token) is None
    assert token != token_of(batch_id.lower() + "y", "0" * 64)
