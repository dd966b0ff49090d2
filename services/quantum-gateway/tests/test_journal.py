"""The journal's laws: which step follows which, and what a gateway does with what it finds."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.value import Fault, inline_blob
from quire_quantum_gateway.journal import (
    Accepted,
    IllegalStep,
    Intended,
    Lost,
    Refused,
    Retrieved,
    Submission,
    next_action,
    request_sha256,
    token_of,
    transition,
)
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
    assert next_action(done) == "answer"


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


@pytest.mark.parametrize(
    ("events", "action"),
    [
        ((), "begin"),
        ((INTENDED,), "begin"),
        ((INTENDED, Accepted(1, "x")), "begin"),
        ((INTENDED, Lost(1, "KeyError")), "begin"),
        ((INTENDED, Refused(1, fault("transient"))), "begin"),
        ((INTENDED, Refused(1, fault("invalid"))), "fail"),
        ((INTENDED, Accepted(1, "x"), Refused(1, fault("offline"))), "fail"),
        ((INTENDED, Accepted(1, "x"), Retrieved(1, ANSWER)), "answer"),
    ],
)
def test_what_is_done_with_a_batch_that_arrives(events, action):
    assert next_action(follow(*events)) == action


def test_a_lost_job_is_unknown_never_failed():
    lost = follow(INTENDED, Accepted(1, "x"), Lost(1, "TimeoutError"))
    assert (lost.state, lost.fault) == ("unknown", None)


EVENTS = st.one_of(
    st.just(INTENDED),
    st.builds(Accepted, st.integers(1, 4), st.just("job")),
    st.builds(Retrieved, st.integers(1, 4), st.just(ANSWER)),
    st.builds(Refused, st.integers(1, 4), st.just(fault())),
    st.builds(Lost, st.integers(1, 4), st.just("?")),
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
        assert (following.fault is not None) == (following.state == "failed")
        assert msgspec.json.decode(msgspec.json.encode(following), type=Submission) == following
        current = following


def test_the_request_is_what_runs_and_not_who_asks_or_when(make):
    batch = make.batch(TURN_MEASURED, [make.slice("a", [[0.1]])])
    same = msgspec.structs.replace(batch, formed_at=NOW, priority="production")
    other = make.batch(TURN_MEASURED, [make.slice("a", [[0.2]])])
    assert request_sha256(batch) == request_sha256(same)
    assert request_sha256(batch) != request_sha256(other)
    assert request_sha256(batch) != request_sha256(msgspec.structs.replace(batch, target="braket:local"))


def test_a_token_names_one_request_of_one_batch():
    assert token_of("b1", "0" * 64) == token_of("b1", "0" * 64)
    assert len({token_of("b1", "0" * 64), token_of("b2", "0" * 64), token_of("b1", "1" * 64)}) == 3
    assert set(token_of("b1", "0" * 64)) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert len(token_of("b1", "0" * 64)) == 52
